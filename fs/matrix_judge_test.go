package fs

import (
	"errors"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"assetfs/remote/fakeapi"
)

// allows reports whether somebody may hear of number.
func (c *matrixCell) allows(number syscall.Errno) bool {
	// Who was told a wrong size gets an error, never a short file.
	library := c.is("names", "by the library")
	lies := c.is("size", "wrong in metadata") && !library && (number == syscall.EIO || number == syscall.ESTALE)
	// Nobody tells a size, and metadata fails: a size of 0 would be made up.
	untold := c.habit.untold && c.is("size", "nowhere") && !library && (number == syscall.EIO || number == syscall.ETIMEDOUT || number == syscall.EPERM || number == syscall.EINVAL)
	// A library whose first list does not come shows nothing.
	unlisted := library && c.is("place", "first contact") && c.habit.config != nil && number == syscall.ENOENT
	// Who shares an account may be refused for as long as a reader is patient, where most of the requests fail anyway.
	shared := strings.HasSuffix(c.value("limit"), " shared") && len(c.habit.errnos) > 0 && number == syscall.EBUSY
	// Two servers in turns, one of which has no Range: what that one sends can be proven by its own bytes alone, and these may be far.
	unproven := c.is("range", "ignored now and then") && c.habit.wanders && number == syscall.EIO
	// All that was present was freed, so another validator counts as a change for who has read.
	forgotten := c.is("beside", "free") && (c.habit.wanders || strings.HasPrefix(c.habit.name, "ETag")) && number == syscall.ESTALE
	return forgotten || lies || untold || unlisted || shared || unproven || slices.Contains(c.habit.errnos, number)
}

// judge looks at what readers saw.
func (c *matrixCell) judge(t *testing.T, sights []sight) {
	for i, s := range sights {
		switch {
		case s.err != nil && !c.allows(number(s.err)):
			t.Errorf("reader %d of %d saw %v", i+1, len(sights), s)
		case s.err == nil && s.size != c.habit.sizeOf():
			t.Errorf("reader %d of %d saw %v, want %d", i+1, len(sights), s, c.habit.sizeOf())
		case s.err == nil && c.habit.fatal:
			t.Errorf("reader %d of %d got through", i+1, len(sights))
		}
	}
}

// bounds looks at what that took.
func (c *matrixCell) bounds(t *testing.T, w *bubble, all []fakeapi.Request, sights []sight) {
	n, bytes := billed(all, w.id())
	for _, s := range sights {
		// Waiting for our own turn is no retrying, and a stall or an answer may come last.
		if s.slowest > worldRetry+2*worldStall+time.Minute {
			t.Errorf("one call took %v", s.slowest)
		}
	}
	const most = 40 // of four readers at most; 22 was seen
	if n > most {
		t.Errorf("%d downloads", n)
	}
	size, times := c.habit.sizeOf(), int64(1)
	if c.is("beside", "free") {
		times = 4 // it is freed three times
	}
	bound := 2*times*size + 1<<20 + int64(n)*(128<<10)
	if !c.is("range", "honoured") || c.is("size", "nowhere") || c.habit.reread {
		bound = max(bound, int64(n+1)*size) // who has no Range begins anew after a cut
	}
	if bytes > bound {
		t.Errorf("%d bytes of %d were billed in %d downloads, at most %d are right", bytes, size, n, bound)
	}
	// Of twelve a minute a client that has just begun learns late: what was answered before it nobody has told it.
	refused, metadata := 0, 0
	for _, r := range all {
		if r.Refused {
			refused++
		}
		if r.Op == "metadata" {
			metadata++
		}
	}
	if most := map[string]int{"none": 0, "1/s": 0, "1/s,12/m": 10}; refused > 0 && !strings.HasSuffix(c.value("limit"), " shared") && refused > most[c.value("limit")] {
		t.Errorf("%d refusals, and nobody else uses the account", refused)
	}
	if metadata > most {
		t.Errorf("%d metadata calls", metadata)
	}
	if t.Failed() {
		for _, r := range all {
			t.Logf("%s %s %s %q: %d from %d, %d bytes", r.Time.Format("04:05.000"), r.Op, r.ID, r.Range, r.Status, r.Start, r.Bytes)
		}
	}
}

// number is what a program hears.
func number(err error) syscall.Errno {
	if errors.Is(err, errAbsent) {
		return syscall.ENOENT
	}
	return errno(err)
}

func numberName(err error) string { return unix.ErrnoName(number(err)) }
