package fs

import (
	"context"
	"sync"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// call is the context of one kernel request. It ends when the caller is
// interrupted by a signal that it did not expect to survive; go-fuse's own
// context ends with any signal, and must not be kept beyond the handler.
// Nothing is spent on it until somebody waits.
type call struct {
	context.Context // for deadline and values: none
	interrupt       <-chan struct{}
	tid             uint32

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
	return c
}

func (c *call) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over != nil {
		close(c.over)
	}
}

// Done is closed when the caller is interrupted.
func (c *call) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done == nil {
		c.done, c.over = make(chan struct{}), make(chan struct{})
		go c.watch()
	}
	return c.done
}

// Err is errInterrupted once the caller is interrupted.
func (c *call) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// watch waits for an interrupt. The kernel reports one only once a request, so
// after a harmless signal the caller is looked at again and again.
func (c *call) watch() {
	select {
	case <-c.interrupt:
	case <-c.over:
		return
	}
	for !interrupted(c.tid) {
		select {
		case <-time.After(100 * time.Millisecond):
		case <-c.over:
			return
		}
	}
	c.mu.Lock()
	c.err = errInterrupted
	c.mu.Unlock()
	close(c.done)
}
