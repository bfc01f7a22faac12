package fs

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"

	"assetfs/fs/asset"
	"assetfs/fs/catalog"
	"assetfs/fs/mount"
	"assetfs/fs/ranges"
	"assetfs/fs/service"
)

// replyWithin is for how long a handler may wait, in nanoseconds; 0: as long as it
// likes. It is the machine's (sysctl), so it is the process's, and read at mount.
var replyWithin atomic.Int64

// readReplyLimit keeps waits below the kernel's limit for requests, of which one
// that is late aborts the whole mount. A fifth is left for the way there and
// back: 3 s at least, since the kernel takes less than 15 s for 15 s.
func readReplyLimit() {
	limit := mount.RequestTimeout()
	replyWithin.Store(int64(mount.Patience(limit)))
}

// call is the context of one kernel request. It ends when the caller is
// interrupted by a signal that it did not expect to survive, and before the
// kernel loses its patience; go-fuse's own context ends with any signal, and must
// not be kept beyond the handler. Nothing is spent on it until somebody waits.
type call struct {
	context.Context // for the deadline: none
	interrupt       <-chan struct{}
	tid             uint32
	wait            service.Wait   // what it may come to wait for
	waits           *service.Waits // where that is shown then; nil: nowhere
	start           time.Time      // if there is a limit

	mu   sync.Mutex    // guards what follows
	done chan struct{} // nil until somebody waits
	over chan struct{} // closed by end; nil likewise
	err  error
}

// newCall wraps the context of a handler, which calls end before it returns.
func newCall(ctx context.Context) *call {
	c := &call{Context: context.Background(), interrupt: ctx.Done()}
	if fc, ok := ctx.(*fuse.Context); ok {
		c.tid = fc.Pid
	}
	if replyWithin.Load() > 0 {
		c.start = time.Now()
	}
	return c
}

// Value knows who waits.
func (c *call) Value(key any) any {
	if key == (asset.CallerKey{}) {
		return &caller{tid: c.tid}
	}
	return nil
}

// shown has whoever waits with c be seen in the status of f: at op of a, nil for
// what is no asset, and what a read needs of it.
func (c *call) shown(f *FS, op string, a *catalog.Asset, need ranges.Range) *call {
	c.waits = &f.Waits
	c.wait.Op, c.wait.Asset, c.wait.Need = op, a, need
	return c
}

func (c *call) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over != nil {
		close(c.over)
		if c.waits != nil {
			c.waits.End(&c.wait)
		}
	}
}

// Done is closed when the caller is interrupted.
func (c *call) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done == nil {
		c.done, c.over = make(chan struct{}), make(chan struct{})
		go c.watch()
		if c.waits != nil {
			c.wait.Caller = &caller{tid: c.tid}
			c.waits.Begin(&c.wait)
		}
	}
	return c.done
}

// Err is errInterrupted once the caller is interrupted, and errLate once the
// kernel must get a reply.
func (c *call) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

const (
	// again is how often an interrupted caller is looked at: the kernel reports
	// an interrupt only once a request, and it may have been a harmless one.
	again = 100 * time.Millisecond
	// benefit is how long a caller goes on waiting of which nobody can say
	// whether the signal was harmless: a Ctrl-C must not seem to do nothing.
	benefit = 2 * time.Second
)

// watch waits for an interrupt, or the end of the kernel's patience.
func (c *call) watch() {
	var late <-chan time.Time
	if limit := time.Duration(replyWithin.Load()); limit > 0 && !c.start.IsZero() {
		timer := time.NewTimer(time.Until(c.start.Add(limit)))
		defer timer.Stop()
		late = timer.C
	}
	select {
	case <-c.interrupt:
	case <-late:
		c.finish(errLate)
		return
	case <-c.over:
		return
	}
	doubted := time.Now().Add(benefit)
	for {
		ended, known := interrupted(c.tid)
		if ended || !known && !time.Now().Before(doubted) {
			c.finish(errInterrupted)
			return
		}
		select {
		case <-time.After(again):
		case <-late:
			c.finish(errLate)
			return
		case <-c.over:
			return
		}
	}
}

func (c *call) finish(err error) {
	c.mu.Lock()
	c.err = err
	c.mu.Unlock()
	close(c.done)
}
