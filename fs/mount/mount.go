// Package mount prepares mount points, and finds, watches and ends mounts. It knows neither
// what is served there nor the FUSE protocol.
package mount

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// hangUp is how long to wait, after the last unmount, for the kernel to end the connection.
// That takes microseconds, unless there is a copy of the mount elsewhere.
const hangUp = 500 * time.Millisecond

// The wait between attempts to unmount what is in use. The kernel lets go of a file shortly
// after its RELEASE; a shell that leaves the directory causes no request.
const (
	soonest = 10 * time.Millisecond
	latest  = time.Second
)

var errCovered = errors.New("something else is mounted over it")

// Options are the functions that a Mount calls. All are required.
type Options struct {
	Log     *slog.Logger
	Suspend func()           // has reads fail that wait
	Holds   func(who string) // somebody else has moved or detached the mount; who holds the spool now
}

// Mount is the life of a mounted file system.
type Mount struct {
	Point string // where it is mounted
	o     Options

	device     string        // the number, as mountinfo writes it
	connection int           // a descriptor of it, until this process ends; -1: none
	ended      chan struct{} // closed when the kernel has ended the connection
	detached   chan struct{} // closed when nobody is served any more
	asked      atomic.Bool   // by us, to end
	leaveOnce  sync.Once
	detachOnce sync.Once
	files      atomic.Int64  // that are open
	idle       chan struct{} // has an element when the last one was closed
}

// New returns a Mount for a file system that is about to be mounted on point.
func New(point string, o Options) *Mount {
	return &Mount{Point: point, o: o, connection: -1, ended: make(chan struct{}), detached: make(chan struct{}), idle: make(chan struct{}, 1)}
}

// Begin must be called once it is mounted. served must return when the kernel has ended the
// connection.
func (m *Mount) Begin(served func()) {
	go func() {
		served()
		close(m.ended)
	}()
	go m.watchTable()
}

// Wait returns when the file system has been unmounted, by whomever, or detached.
func (m *Mount) Wait() {
	select {
	case <-m.ended:
	case <-m.detached: // who has files open there would keep it alive for ever
	}
}

// Unmount ends the mount without disturbing anybody. It returns at once, and the mount goes
// away as soon as nobody uses it. If it is in use, say is called with the reason and with
// what will happen. Further calls do nothing.
func (m *Mount) Unmount(say func(string)) {
	m.asked.Store(true)
	m.leaveOnce.Do(func() { go m.leave(say) })
}

// Detach ends the mount now, and returns at once. Waiting reads fail, and open files are cut
// off. say is called if that affects anybody.
func (m *Mount) Detach(say func(string)) {
	m.asked.Store(true)
	m.detachOnce.Do(func() { go m.cutOff(say) })
}

// leave unmounts once nobody uses the mount.
func (m *Mount) leave(say func(string)) {
	wait, said := soonest, false
	for {
		err := m.unmount(false)
		if err == nil {
			break
		}
		if !said {
			said = true
			say(m.refusal(err))
		}
		select {
		case <-time.After(wait):
			wait = min(4*wait, latest)
		case <-m.idle:
			wait = soonest
		case <-m.ended:
			return
		case <-m.detached:
			return
		}
	}
	// If the connection lives on, there is a copy in another mount namespace, or a bind mount.
	if !m.hasEnded() && m.files.Load() > 0 {
		say(fmt.Sprintf("%s is unmounted, but files are open in a copy of it%s: it ends when the last one is closed; Ctrl-C again ends it now",
			m.Point, inWords(copies(m.device))))
	}
	for m.lives() && m.files.Load() > 0 {
		select {
		case <-m.idle:
		case <-m.ended:
			return
		case <-m.detached:
			return
		}
	}
	m.Detach(say)
}

// refusal says why the mount can't be unmounted now, and what happens next.
func (m *Mount) refusal(err error) string {
	switch {
	case errors.Is(err, errCovered):
		return fmt.Sprintf("%s: %v: it unmounts by itself when that is gone; Ctrl-C again ends it now", m.Point, err)
	case !errors.Is(err, unix.EBUSY):
		return fmt.Sprintf("can't unmount %s: %v; Ctrl-C again ends it all the same", m.Point, err)
	}
	return fmt.Sprintf("%s is busy%s: it unmounts by itself when the last file is closed; Ctrl-C again detaches it now",
		m.Point, inWords(users(m.Point)))
}

// cutOff detaches the mount and ends the connection, whoever uses it.
func (m *Mount) cutOff(say func(string)) {
	defer close(m.detached)
	if m.unmount(false) == nil && m.hasEnded() {
		return
	}
	who := append(users(m.Point), copies(m.device)...)
	m.o.Suspend()
	if err := m.unmount(true); err != nil {
		say(fmt.Sprintf("can't detach %s: %v; afterwards try: %s", m.Point, err, UnmountHint(m.Point)))
	}
	if !m.hasEnded() {
		say(fmt.Sprintf("%s was in use%s: that is cut off now", m.Point, inWords(who)))
		m.abort()
	}
}

// lost reports that somebody else has detached the mount, what keeps it alive, and what happens
// next.
func (m *Mount) lost() {
	held := "is still in use" // by a copy in another mount namespace, or a working directory
	if m.files.Load() > 0 {
		held = "still has open files"
	}
	who := copies(m.device)
	m.o.Log.Warn("detached while in use: this process ends with the last open file and the last copy of the mount, or now by SIGTERM",
		"mountpoint", m.Point, "files", m.files.Load(), "copies", strings.Join(who, "; "), "pid", os.Getpid())
	m.o.Holds(fmt.Sprintf("pid %d, which was detached from %s and %s%s; kill %[1]d ends it", os.Getpid(), m.Point, held, inWords(who)))
}

// hasEnded waits briefly for the kernel to end the connection, and reports whether it has.
func (m *Mount) hasEnded() bool {
	select {
	case <-m.ended:
	case <-time.After(hangUp):
	}
	return !m.lives()
}

// Opened notes that a file was opened.
func (m *Mount) Opened() { m.files.Add(1) }

// Released notes that a file was closed.
func (m *Mount) Released() {
	if m.files.Add(-1) > 0 {
		return
	}
	select {
	case m.idle <- struct{}{}:
	default: // it is known already
	}
}

// mostNamed is how many processes that use a mount a message names.
const mostNamed = 3

// inWords writes names as part of a sentence; "" if there are none.
func inWords(who []string) string {
	if len(who) == 0 {
		return ""
	}
	text := " (" + strings.Join(who[:min(len(who), mostNamed)], ", ")
	if more := len(who) - mostNamed; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text + ")"
}
