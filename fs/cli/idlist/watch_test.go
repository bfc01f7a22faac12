package idlist

import (
	"bytes"
	"context"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// watched runs do while a list is watched that held re_1 and was written an hour ago, in a bubble with virtual time.
func watched(t *testing.T, do func(w *watch)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &watch{T: t, reread: make(chan struct{}, 1)}
		w.list = newList(t, &w.log, "re_1\n")
		w.stamp(time.Now().Add(-time.Hour))
		if _, err := w.list.Read(); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			w.list.Watch(ctx, w.reread, func(ids []string) { w.got = append(w.got, strings.Join(ids, " ")) })
		}()
		do(w)
		cancel()
		<-done
	})
}

type watch struct {
	*testing.T
	list   *List
	log    bytes.Buffer
	reread chan struct{}
	got    []string // the lists reported so far
}

func (w *watch) stamp(at time.Time) {
	if err := os.Chtimes(w.list.Name, at, at); err != nil {
		w.Fatal(err)
	}
}

// after waits until the file was checked twice, and compares what was reported so far.
func (w *watch) after(what string, want ...string) {
	w.Helper()
	time.Sleep(2 * every)
	synctest.Wait()
	if !slices.Equal(w.got, want) {
		w.Errorf("after %s the lists told are %q, want %q", what, w.got, want)
	}
}

func TestWatchNoticesEdits(t *testing.T) {
	watched(t, func(w *watch) {
		w.after("nothing")
		write(t, w.list.Name, "re_1\nre_2\n")
		w.stamp(time.Now().Add(-time.Minute))
		w.after("an edit", "re_1 re_2")

		write(t, w.list.Name+".new", "re_3\n")
		if err := os.Rename(w.list.Name+".new", w.list.Name); err != nil {
			t.Fatal(err)
		}
		w.after("a rename", "re_1 re_2", "re_3")

		write(t, w.list.Name, "")
		w.after("emptying it", "re_1 re_2", "re_3", "")
	})
}

// Two writes within the resolution of time stamps may leave the same size and time.
func TestWatchNoticesASecondWriteAtTheSameTime(t *testing.T) {
	watched(t, func(w *watch) {
		at := time.Now().Add(every)
		write(t, w.list.Name, "re_2\n")
		w.stamp(at)
		w.after("a write", "re_2")
		write(t, w.list.Name, "re_3\n")
		w.stamp(at)
		w.after("another of the same size and time", "re_2", "re_3")
	})
}

func TestWatchKeepsTheListWhileTheFileIsAway(t *testing.T) {
	watched(t, func(w *watch) {
		if err := os.Remove(w.list.Name); err != nil {
			t.Fatal(err)
		}
		w.after("its removal")
		w.after("some time")
		if got := strings.Count(w.log.String(), "can't read the list"); got != 1 {
			t.Errorf("the missing file is logged %d times, want once:\n%s", got, w.log.String())
		}
		write(t, w.list.Name, "re_1\n")
		w.stamp(time.Now().Add(-time.Hour))
		w.after("the same list's return")
		write(t, w.list.Name, "re_2\n")
		w.after("an edit", "re_2")
	})
}

func TestWatchNamesBadLinesOnce(t *testing.T) {
	watched(t, func(w *watch) {
		write(t, w.list.Name, "re_1\noops\nre_2\n")
		w.after("a bad line", "re_1 re_2")
		w.after("some time", "re_1 re_2")
		if got := strings.Count(w.log.String(), w.list.Name+`:2: \"oops\"`); got != 1 {
			t.Errorf("the bad line is named %d times, want once:\n%s", got, w.log.String())
		}
	})
}

func TestWatchRereadsAtOnce(t *testing.T) {
	watched(t, func(w *watch) {
		synctest.Wait()
		start := time.Now()
		write(t, w.list.Name, "re_7\n")
		w.reread <- struct{}{}
		synctest.Wait()
		if want := []string{"re_7"}; !slices.Equal(w.got, want) || !time.Now().Equal(start) {
			t.Errorf("asked to read again, the lists told are %q after %v; want %q at once", w.got, time.Since(start), want)
		}
	})
}
