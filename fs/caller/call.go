// Package caller knows who makes a request of the kernel: the program, whether a
// signal ends its wait, and that it waits at all.
package caller

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"assetfs/fs/asset"
	"assetfs/fs/service"
)

// ErrInterrupted means that a signal ended the caller's wait.
var ErrInterrupted = errors.New("interrupted")

// ErrLate means that the kernel's patience with a request ends.
var ErrLate = errors.New("no answer within the time that this kernel gives a request (sysctl fs.fuse.max_request_timeout or default_request_timeout)")

// replyWithin is for how long a handler may wait, in nanoseconds; 0: as long as it
// likes. It is the machine's (sysctl), so it is the process's, and set at mount.
var replyWithin atomic.Int64

// ReplyWithin bounds how long calls wait from now on; 0: not at all.
func ReplyWithin(limit time.Duration) { replyWithin.Store(int64(limit)) }

// Call is the context of one kernel request. It ends when the caller is
// interrupted by a signal that it did not expect to survive, and before the
// kernel loses its patience; go-fuse's own context ends with any signal, and must
// not be kept beyond the handler. Nothing is spent on it until somebody waits.
type Call struct {
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

// New returns the call of a thread, 0 if that is hidden, which a signal interrupts.
// Whoever waits with it is seen in waits, nil if nowhere, as w says. End must be
// called before the request is answered.
func New(tid uint32, interrupt <-chan struct{}, waits *service.Waits, w service.Wait) *Call {
	c := &Call{Context: context.Background(), interrupt: interrupt, tid: tid, waits: waits, wait: w}
	if replyWithin.Load() > 0 {
		c.start = time.Now()
	}
	return c
}

// Value knows who waits.
func (c *Call) Value(key any) any {
	if key == (asset.CallerKey{}) {
		return &caller{tid: c.tid}
	}
	return nil
}

// End is the end of the request.
func (c *Call) End() {
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
func (c *Call) Done() <-chan struct{} {
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

// Err is ErrInterrupted once the caller is interrupted, and ErrLate once the
// kernel must get a reply.
func (c *Call) Err() error {
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
func (c *Call) watch() {
	var late <-chan time.Time
	if limit := time.Duration(replyWithin.Load()); limit > 0 && !c.start.IsZero() {
		timer := time.NewTimer(time.Until(c.start.Add(limit)))
		defer timer.Stop()
		late = timer.C
	}
	select {
	case <-c.interrupt:
	case <-late:
		c.finish(ErrLate)
		return
	case <-c.over:
		return
	}
	doubted := time.Now().Add(benefit)
	for {
		ended, known := interrupted(c.tid)
		if ended || !known && !time.Now().Before(doubted) {
			c.finish(ErrInterrupted)
			return
		}
		select {
		case <-time.After(again):
		case <-late:
			c.finish(ErrLate)
			return
		case <-c.over:
			return
		}
	}
}

func (c *Call) finish(err error) {
	c.mu.Lock()
	c.err = err
	c.mu.Unlock()
	close(c.done)
}
