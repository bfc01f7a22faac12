package fs

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"assetfs/fs/service"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// TestCall: a call ends with an interrupt, and leaves nothing behind without.
func TestCall(t *testing.T) {
	for _, interrupt := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			cancel := make(chan struct{})
			c := newCall(&fuse.Context{Cancel: cancel}) // thread 0: not to be looked at
			done := c.Done()
			if interrupt {
				close(cancel)
				<-done
				if err := context.Cause(c); !errors.Is(err, errInterrupted) {
					t.Errorf("cause is %v", err)
				}
			}
			c.end()
			synctest.Wait()
			if (c.Err() != nil) != interrupt {
				t.Errorf("interrupt %v: error %v", interrupt, c.Err())
			}
		})
	}
	allocs := testing.AllocsPerRun(100, func() {
		c := newCall(&fuse.Context{})
		c.end()
	})
	if allocs > 2 {
		t.Errorf("a call that nobody waits for costs %v allocations", allocs)
	}
}

// TestDoubt: a caller of which nothing can be known goes on for a while after a
// signal, which may have been harmless, and no longer.
func TestDoubt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cancel := make(chan struct{})
		c := newCall(&fuse.Context{Cancel: cancel}) // thread 0: in another pid namespace
		defer c.end()
		done := c.Done()
		close(cancel)
		start := time.Now()
		time.Sleep(benefit - again)
		synctest.Wait()
		if err := c.Err(); err != nil {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
		<-done
		if got := time.Since(start); got > benefit+again || !errors.Is(c.Err(), errInterrupted) {
			t.Errorf("after %v: %v", got, c.Err())
		}
	})
}

// TestLate: a wait ends before the kernel aborts the mount, also when it began
// late in a request, and when signals came that were harmless.
func TestLate(t *testing.T) {
	const limit = 12 * time.Second
	replyWithin.Store(int64(limit))
	defer replyWithin.Store(0)
	for _, interrupt := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			cancel := make(chan struct{})
			c := newCall(&fuse.Context{Cancel: cancel, Caller: fuse.Caller{Pid: uint32(os.Getpid())}})
			defer c.end()
			start := time.Now()
			time.Sleep(limit / 2)
			wait, stop := context.WithTimeout(c, time.Hour)
			defer stop()
			if interrupt {
				close(cancel)
			}
			<-wait.Done()
			if got := time.Since(start); got != limit || errno(context.Cause(wait)) != syscall.ETIMEDOUT {
				t.Errorf("harmless signal %t: ended after %v by %v, want %v and ETIMEDOUT", interrupt, got, context.Cause(wait), limit)
			}
		})
	}
}

// A panic in a handler is one failed request and a line of the log.
func TestPanic(t *testing.T) {
	var said bytes.Buffer
	f := &FS{o: Options{Options: service.Options{Log: slog.New(slog.NewTextHandler(&said, nil))}}}
	func() {
		defer func() {
			if got := f.panicked(recover()); got != fuse.EIO {
				t.Errorf("the request gets %v, want EIO", got)
			}
		}()
		panic("no such thing")
	}()
	if text := said.String(); strings.Count(text, "\n") != 1 || !strings.Contains(text, "no such thing") || !strings.Contains(text, "TestPanic") {
		t.Errorf("logged: %q", text)
	}
}
