package fs

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// hangUp is how long the kernel has, after the last unmount, to end the
// connection: microseconds, unless there is a copy of the mount elsewhere.
const hangUp = 500 * time.Millisecond

// Between tries to unmount what is in use. A file whose RELEASE has come is
// given up a moment later; a shell in the directory leaves it unseen.
const (
	soonest = 10 * time.Millisecond
	latest  = time.Second
)

var errCovered = errors.New("something else is mounted over it")

// Wait returns when the file system is unmounted, by whomever, or detached.
func (f *FS) Wait() {
	select {
	case <-f.ended:
	case <-f.detached: // who has files open there would keep it alive for ever
	}
}

// Unmount ends the mount without harm to anybody: it returns at once, and the
// mount goes as soon as nobody uses it. If it can't go now, say is called with
// the reason and what will happen. Further calls do nothing.
func (f *FS) Unmount(say func(string)) {
	f.asked.Store(true)
	f.leaveOnce.Do(func() { go f.leave(say) })
}

// Detach ends the mount now, and returns at once: waiting reads fail, and what
// is open there is cut off. say is called if that hits somebody.
func (f *FS) Detach(say func(string)) {
	f.asked.Store(true)
	f.detachOnce.Do(func() { go f.cutOff(say) })
}

// leave unmounts once nobody uses the mount.
func (f *FS) leave(say func(string)) {
	wait, said := soonest, false
	for {
		err := f.unmount(false)
		if err == nil {
			break
		}
		if !said {
			said = true
			say(f.refusal(err))
		}
		select {
		case <-time.After(wait):
			wait = min(4*wait, latest)
		case <-f.idle:
			wait = soonest
		case <-f.ended:
			return
		case <-f.detached:
			return
		}
	}
	if f.hasEnded() {
		return
	}
	// Unmounted here, and alive: there is a copy in another mount namespace, or
	// a bind mount.
	if f.handles.Load() > 0 {
		say(fmt.Sprintf("%s is unmounted, but files are open in a copy of it%s: it ends when the last one is closed; Ctrl-C again ends it now",
			f.mountpoint, inWords(copies(f.dev))))
	}
	for f.handles.Load() > 0 {
		select {
		case <-f.idle:
		case <-f.ended:
			return
		case <-f.detached:
			return
		}
	}
	f.Detach(say)
}

// refusal says why the mount can't go now, and what happens next.
func (f *FS) refusal(err error) string {
	if !errors.Is(err, unix.EBUSY) {
		return fmt.Sprintf("can't unmount %s: %v; Ctrl-C again ends it all the same", f.mountpoint, err)
	}
	return fmt.Sprintf("%s is busy%s: it unmounts by itself when the last file is closed; Ctrl-C again detaches it now",
		f.mountpoint, inWords(users(f.mountpoint)))
}

// cutOff detaches the mount and ends the connection, whoever uses it.
func (f *FS) cutOff(say func(string)) {
	defer close(f.detached)
	if f.unmount(false) == nil && f.hasEnded() {
		return
	}
	who := append(users(f.mountpoint), copies(f.dev)...)
	f.suspend(errUnmounting)
	if err := f.unmount(true); err != nil {
		say(fmt.Sprintf("can't detach %s: %v; afterwards try: %s", f.mountpoint, err, unmountHint(f.mountpoint)))
	}
	if !f.hasEnded() {
		say(fmt.Sprintf("%s was in use%s: that is cut off now", f.mountpoint, inWords(who)))
		abort(f.dev)
	}
}

// lost says that somebody else has detached the mount, and what goes on.
func (f *FS) lost() {
	f.o.Log.Warn("detached while in use: this process ends with the last file that is open there, or now by SIGTERM",
		"mountpoint", f.mountpoint, "files", f.handles.Load(), "pid", os.Getpid())
	f.store.Dir().SetHolder(fmt.Sprintf("pid %d, which was detached from %s and still has open files (kill %[1]d ends it)", os.Getpid(), f.mountpoint))
}

// hasEnded reports whether the kernel has ended the connection, for which it
// gets a moment.
func (f *FS) hasEnded() bool {
	select {
	case <-f.ended:
		return true
	case <-time.After(hangUp):
		return false
	}
}

// released notes that a file was closed.
func (f *FS) released() {
	if f.handles.Add(-1) > 0 {
		return
	}
	select {
	case f.idle <- struct{}{}:
	default: // it is known already
	}
}

// mostNamed is how many users of a mount a message names.
const mostNamed = 3

// inWords puts names into a sentence; none is "".
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

func (f *FS) suspend(err error) {
	for _, a := range f.catalog.All() {
		engine(a).Suspend(err)
	}
}
