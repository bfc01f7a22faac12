package fs

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"assetfs/fs/asset"
	"assetfs/remote/fakeapi"
)

const (
	faultMid  = 600_000
	faultTail = faultSize - 5
)

// faultMode is a server, but for what is wrong with it.
type faultMode struct {
	name     string
	noRange  bool
	noLength bool // no header tells the size
	chunked  bool // Content-Length doesn't tell the size, Content-Range does
	metadata bool // metadata has told the size before
	etag     string
}

var faultModes = []faultMode{
	{name: "range", etag: "auto"},
	{name: "range, chunked, no ETag", chunked: true},
	{name: "no range", noRange: true, etag: "auto"},
	{name: "no range, metadata, no ETag", noRange: true, metadata: true},
	{name: "no range, no length", noRange: true, noLength: true, etag: "auto"},
}

// faultPlace is when a fault strikes: after a first answer was cut there, or,
// if it is one of the body, at that offset of it.
type faultPlace struct {
	name string
	off  int64
}

var faultPlaces = []faultPlace{{"first contact", 0}, {"mid-stream", faultMid}, {"tail", faultTail}}

// faultCell is one cell of the matrix.
type faultCell struct {
	faultCase
	mode    faultMode
	place   faultPlace
	readers int
	once    bool // the fault strikes one request, not all of them
}

func (c faultCell) String() string {
	times := "always"
	if c.once {
		times = "once"
	}
	return fmt.Sprintf("%s/%s/%s/%d readers/%s", c.name, c.mode.name, c.place.name, c.readers, times)
}

func (c faultCell) makesSense() bool {
	switch {
	case c.readers > 1 && c.single, c.once && !c.cures && !c.overlap:
		return false
	case c.overlap:
		// Bytes nobody has seen before can't be seen to be wrong.
		return c.once && c.place.off == faultMid
	}
	return true
}

// faults returns what strikes, and what prepares for it.
func (c faultCell) faults(f fakeapi.Fault) []fakeapi.Fault {
	var list []fakeapi.Fault
	switch {
	case c.at != nil && c.place.off == 0:
		c.at(&f, fakeapi.AtOnce)
	case c.at != nil:
		c.at(&f, c.place.off)
	case c.place.off > 0:
		list = append(list, fakeapi.Fault{Cut: c.place.off, Times: 1})
		f.Skip = 1
	}
	if c.once {
		f.Times = 1
	}
	return append(list, f)
}

// patience is how long a read retries, and when a silent server is dead. Both
// are short only where the case needs it, so that a slow machine sees no other
// errors.
func (c faultCell) patience() (retry, stall time.Duration) {
	retry, stall = faultAmple, faultAmple
	if slices.Contains(c.errnos, syscall.ETIMEDOUT) {
		stall = faultStall
	}
	switch {
	case c.once || !c.cures && !c.long && !c.short:
	case slices.Contains(c.errnos, syscall.EIO):
		retry = faultPatience
	default:
		retry = faultStalls
	}
	return retry, stall
}

// bound is how many downloads a cell may make. Until patience ends, a failing
// asset has at most an attempt each half of the first backoff (125 ms), or of
// that and a stall where patience is longer, and at most four streams, one for each reader, at a time. A cut that has brought half
// a block (64 KiB) is no failure: there are three of these until the end, or,
// where a reset takes away what was on its way, as many as there are half
// blocks. Before all that come the first contact and the answer cut to prepare
// for the fault.
func (c faultCell) bound() int {
	attempts := 1 + int(faultPatience/(125*time.Millisecond))
	cuts := 3
	if c.fault.Reset {
		cuts = faultSize / (64 << 10)
	}
	return 2 + cuts + c.readers*attempts
}

// TestFaults is the matrix: each fault, each kind of server, one reader and
// four, at first contact, in the middle and at the end.
func TestFaults(t *testing.T) {
	t.Cleanup(func() { checkGoroutines(t) })
	slots := make(chan struct{}, 8) // they mostly wait for timers
	var wg sync.WaitGroup
	cells := 0
	for _, c := range faultCases {
		for _, mode := range faultModes {
			for _, place := range faultPlaces {
				for _, readers := range []int{1, 4} {
					for _, once := range []bool{false, true} {
						cell := faultCell{c, mode, place, readers, once}
						if !cell.makesSense() {
							continue
						}
						if cells++; cells%faultShare != 0 {
							continue
						}
						slots <- struct{}{}
						wg.Go(func() {
							defer func() { <-slots }()
							t.Run(cell.String(), cell.run)
						})
					}
				}
			}
		}
	}
	wg.Wait()
	t.Logf("%d cells", cells/faultShare)
}

func (c faultCell) run(t *testing.T) {
	a := fakeapi.Asset{ID: faultID, Name: "a.bin", Size: faultSize, ETag: c.mode.etag, NoLength: c.mode.noLength}
	if c.fault.Version == 0 {
		a.Content = bytes.NewReader(faultContent()[0]) // cheaper than making them again
	}
	switch c.etag {
	case "":
	case "-":
		a.ETag = ""
	default:
		a.ETag = c.etag
	}
	var after []fakeapi.Fault // what is no fault, but how the server is
	if c.mode.chunked {
		after = []fakeapi.Fault{{Chunked: true}}
	}
	f := c.fault
	f.Chunked = c.mode.chunked
	cfg := fakeapi.Config{Key: faultKey, NoRange: c.mode.noRange}
	patience, stall := c.patience()
	r := newFaultRig(t, a, cfg, patience, stall)
	defer r.close()
	if c.origin != "" {
		f.Redirect = strings.Replace(r.webs[1].URL, "127.0.0.1", c.origin, 1) + "/storage/{id}?signature=s"
	}
	r.server.Update(faultID, func(a *fakeapi.Asset) { a.Faults = append(c.faults(f), after...) })
	if c.mode.metadata {
		r.asset.Learn(asset.Info{Size: faultSize})
	}

	all := r.readAll(c.readers)
	c.check(r, all)
	r.checkSpool("under the fault")
	downloads := len(r.server.Downloads())
	if downloads > c.bound() {
		t.Errorf("%d downloads, at most %d are right", downloads, c.bound())
	}

	r.server.Update(faultID, func(a *fakeapi.Asset) { a.Faults = after })
	s := r.recovered()
	whole := s.err == nil && s.read == faultSize && s.size == faultSize
	if !whole && !c.believed(s) {
		t.Errorf("afterwards: %v", s)
	}
	if n := r.checkSpool("afterwards"); whole && n != faultSize {
		t.Errorf("afterwards: %d bytes in the spool", n)
	}
	if r.ctx.Err() != nil {
		t.Error("it hung")
	}
	for _, rq := range r.other.Requests() {
		if rq.HasAuthorization {
			t.Errorf("the key went to %s", rq.Host)
		}
	}
	for _, rq := range r.server.Requests() {
		if rq.Written > faultLargest {
			t.Errorf("%d bytes written for one answer", rq.Written)
		}
	}
}

// faultLargest is how much of an answer may have been sent: the asset or, of a larger body, what is read of an
// error plus what sockets hold.
const faultLargest = 16 << 20

func (c faultCell) check(r *faultRig, all []seen) {
	failed := 0
	for _, s := range all {
		if s.err != nil {
			failed++
			if !slices.Contains(c.errnos, errno(s.err)) {
				r.t.Errorf("a reader saw %v", s)
			}
			continue
		}
		if (s.size != faultSize || s.read != faultSize) && !c.believed(s) {
			r.t.Errorf("a reader saw %v", s)
		}
	}
	if c.once && c.cures && failed > 0 {
		r.t.Errorf("struck once, seen by %d of %d readers", failed, len(all))
	}
	if c.overlap && failed == 0 {
		r.t.Error("no reader saw it")
	}
	if !c.once && c.fatal && failed < len(all) && !c.survivable() {
		r.t.Errorf("%d of %d readers got through", len(all)-failed, len(all))
	}
}

// believed reports whether s is the result of a lie that nothing contradicts: the asset ends early or, if one
// answer has given a length and no other ever does, has bytes that never come.
func (c faultCell) believed(s seen) bool {
	if s.err != nil {
		// The last read wants bytes that never come, and a read gives all or an error.
		return c.long && c.mode.noLength && errno(s.err) == syscall.EIO && s.read == faultSize-faultSize%faultChunk
	}
	if c.fault.Empty && (c.mode.metadata || c.place.off > 0) {
		return false // the asset is known to have bytes
	}
	return c.short && (s.size == s.read || s.size < 0 && s.read == 0)
}

// survivable reports whether a patient reader may get through although the
// fault is fatal: the five bytes of the tail come at one an answer.
func (c faultCell) survivable() bool { return c.fault.Rate == 1 && c.place.off == faultTail }
