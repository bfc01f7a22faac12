// Package caller represents the program that made a kernel request. It ends the request's
// wait when a signal interrupts that program, and shows the wait in the status.
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

// ErrLate means that the kernel must get a reply now, or it aborts the mount.
var ErrLate = errors.New("no answer within the time that this kernel gives a request (sysctl fs.fuse.max_request_timeout or default_request_timeout)")

// replyWithin is the longest time that a handler may wait, in nanoseconds; 0: no limit. The
// kernel's limit is a sysctl, the same for all mounts, so this belongs to the process.
var replyWithin atomic.Int64

// ReplyWithin limits how long calls wait that begin from now on; 0: no limit.
func ReplyWithin(limit time.Duration) { replyWithin.Store(int64(limit)) }

// Call is the context of one kernel request. It ends when a signal that should end a system
// call interrupts the program, and before the kernel's time limit. go-fuse's own context ends
// with any signal, and must not be used after the handler has returned. A Call costs nothing
// until somebody waits with it.
type Call struct {
	context.Context // for the deadline: none
	interrupt       <-chan struct{}
	tid             uint32
	wait            service.Wait   // what it may come to wait for
	waits           *service.Waits // where that is shown then; nil: nowhere
	late            time.Time      // when it must be answered; zero: there is no limit

	mu   sync.Mutex    // guards what follows
	done chan struct{} // nil until somebody waits
	over chan struct{} // closed by end; nil likewise
	err  error
}

// New returns the call of a thread; tid is 0 if it is hidden from us. When interrupt is
// closed, a signal has come. While somebody waits, waits (which may be nil) shows w. End must
// be called before the request is answered.
func New(tid uint32, interrupt <-chan struct{}, waits *service.Waits, w service.Wait) *Call {
	c := &Call{Context: context.Background(), interrupt: interrupt, tid: tid, waits: waits, wait: w}
	if limit := replyWithin.Load(); limit > 0 {
		c.late = time.Now().Add(time.Duration(limit))
	}
	return c
}

// Value returns who waits.
func (c *Call) Value(key any) any {
	if key == (asset.CallerKey{}) {
		return &caller{tid: c.tid}
	}
	return nil
}

// End ends the call.
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

// Err returns ErrInterrupted after an interrupt, and ErrLate when the kernel's time limit is
// near.
func (c *Call) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

const (
	// again is how often an interrupted caller is looked at again. The kernel reports only
	// the first interrupt of a request, and that may have been a harmless signal.
	again = 100 * time.Millisecond
	// benefit is how long a caller goes on waiting if nobody can tell whether the signal was
	// harmless. It is short, so that Ctrl-C works.
	benefit = 2 * time.Second
)

// watch waits for an interrupt or for the kernel's time limit.
func (c *Call) watch() {
	var late <-chan time.Time
	if !c.late.IsZero() {
		late = time.After(time.Until(c.late))
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
