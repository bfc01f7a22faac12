package fs

import (
	"syscall"
	"testing"
	"time"

	"assetfs/remote/fakeapi"
)

// TestFaultDrip: a server that sends one byte an answer makes progress, but a
// read that needs a hundred thousand of them is retrying all the while, and
// --retry-for bounds that.
func TestFaultDrip(t *testing.T) {
	// Longer than a stall and the longest first backoff: without the bound each
	// byte would begin a new wait.
	const patience = 5 * (faultStall + 375*time.Millisecond)
	r := newFaultRig(t, fakeapi.Asset{ID: faultID, Size: faultSize, ETag: "auto", Faults: []fakeapi.Fault{
		{Cut: faultMid, Times: 1}, {Skip: 1, Stall: 1},
	}}, fakeapi.Config{Key: faultKey}, patience, faultStall)
	defer r.close()
	s := r.read(0)
	if got := errno(s.err); got != syscall.ETIMEDOUT || r.ctx.Err() != nil {
		t.Errorf("a reader saw %v, %v; want ETIMEDOUT before the test ends", s, r.ctx.Err())
	}
	// Each attempt takes a stall and half of the first backoff at least.
	if n, most := len(r.server.Downloads()), 3+int(patience/(faultStall+125*time.Millisecond)); n > most {
		t.Errorf("%d downloads, at most %d are right", n, most)
	}
	r.checkSpool("under the fault")
}
