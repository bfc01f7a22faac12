package asset

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"assetfs/fs/ranges"
)

// Servers with the habits that SERVERS.md lists. Each test counts what they cost.

// fails reads n bytes at off, and wants an error that is want or says the same.
func (r *rig) fails(rd *Reader, off, n int64, want error) {
	r.t.Helper()
	got, err := rd.ReadAt(context.Background(), make([]byte, n), off)
	switch {
	case err == nil:
		r.t.Fatalf("read %d at %d: %d bytes and no error, want %v", n, off, got, want)
	case !errors.Is(err, want) && err.Error() != want.Error():
		r.t.Fatalf("read %d at %d: error is %v, want %v", n, off, err, want)
	}
}

func perAnswer(n, _ int) (string, string) { return fmt.Sprintf(`"%d"`, n), "" }
func inTurns(n, _ int) (string, string)   { return fmt.Sprintf(`"%d"`, n%2), "" }
func dateNow(n, _ int) (string, string)   { return "", fmt.Sprint("date ", n) }
func unquoted(_, v int) (string, string)  { return fmt.Sprint("v", v), "" }
func afterRestart(n, _ int) (string, string) {
	return fmt.Sprintf(`"run %d"`, n/2), ""
}

func TestWanderingValidators(t *testing.T) {
	const size = 64 * mib
	for name, c := range map[string]struct {
		validators func(n, version int) (string, string)
		extra      int // requests that compare
	}{
		"ETag differs per answer":                    {perAnswer, 3},
		"ETags in turns":                             {inTurns, 2},
		"date differs per answer":                    {dateNow, 3},
		"ETag differs after a restart of the server": {afterRestart, 3},
		"ETag without quotes":                        {unquoted, 0},
	} {
		t.Run(name, func(t *testing.T) {
			test(t, &fakeServer{size: size, ranged: true, validators: c.validators}, func(r *rig) {
				r.contact()
				rd := r.Open()
				defer rd.Close()
				r.cat(rd, 0, mib)
				offsets := []int64{50 * mib, 20 * mib, 40 * mib, 10 * mib, 30 * mib}
				for _, off := range offsets {
					r.cat(rd, off, off+mib)
				}
				// As much as with a validator that stays, and what is compared.
				r.spent(1+len(offsets)+c.extra, 28*mib+int64(c.extra)*(block+32<<10))
				if r.Status().Version != 0 {
					t.Error("took it for a change")
				}
			})
		})
	}
}

// TestEntityTagOfPart has a server that computes each entity tag from the bytes that it sends, as Spring's
// ShallowEtagHeaderFilter does for parts, too: the same request gets the same tag, and each other one another.
func TestEntityTagOfPart(t *testing.T) {
	f := &fakeServer{size: 64 * mib, ranged: true}
	f.validators = func(int, int) (string, string) {
		last := f.requests[len(f.requests)-1]
		return fmt.Sprintf(`"%d-%d"`, last.Start, last.End), ""
	}
	test(t, f, func(r *rig) {
		r.contact()
		rd := r.Open()
		defer rd.Close()
		for _, off := range []int64{63 * mib, 20 * mib, 40 * mib, 10 * mib, 30 * mib} {
			r.cat(rd, off, off+mib)
		}
		if r.Status().Version != 0 || !r.Info().Wanders {
			t.Errorf("version %d, validators %+v", r.Status().Version, r.Info().Learnt)
		}
		r.spent(6+2, 28*mib+2*(block+32<<10)) // two compare
	})
}

// TestWanderingIsRemembered restarts with what was learnt.
func TestWanderingIsRemembered(t *testing.T) {
	test(t, &fakeServer{size: 64 * mib, ranged: true, validators: perAnswer}, func(r *rig) {
		r.contact()
		rd := r.Open()
		for off := int64(0); off < 50*mib; off += 10 * mib {
			r.cat(rd, off, off+mib)
		}
		rd.Close()
		if !r.Info().Wanders {
			t.Fatalf("validators %+v", r.Info().Learnt)
		}
		r.restart()
		before := len(r.server.requests)
		rd = r.Open()
		defer rd.Close()
		r.cat(rd, 60*mib, 61*mib)
		r.spent(before+1, 64*mib)
	})
}

// TestUnknownValidatorStoresNothing changes the content and gives it another
// validator: no byte of it may be given to the old reader, wherever it reads.
func TestUnknownValidatorStoresNothing(t *testing.T) {
	versions := func(_, v int) (string, string) { return fmt.Sprintf(`"%d"`, v), "" }
	for name, c := range map[string]*fakeServer{
		"strong":    {validators: versions},
		"weak":      {validators: func(_, v int) (string, string) { return fmt.Sprintf(`W/"%d"`, v), "" }},
		"unquoted":  {validators: unquoted},
		"date":      {validators: func(_, v int) (string, string) { return "", fmt.Sprint("date ", v) }},
		"vanishing": {validators: func(_, v int) (string, string) { return []string{`"a"`, "", ""}[v], "" }},
		"no Range":  {validators: versions, plain: func(int, Request) bool { return true }},
	} {
		for _, off := range []int64{8 * mib, 50 * mib} {
			t.Run(fmt.Sprintf("%s at %d", name, off), func(t *testing.T) {
				test(t, &fakeServer{size: 64 * mib, ranged: true, validators: c.validators, plain: c.plain}, func(r *rig) {
					r.contact()
					rd := r.Open()
					defer rd.Close()
					r.cat(rd, 0, mib)
					time.Sleep(time.Minute)
					r.server.mu.Lock()
					r.server.version++
					r.server.cutAfter = mib
					r.server.mu.Unlock()
					r.mu.Lock()
					for _, s := range r.streams {
						s.endLocked()
					}
					r.mu.Unlock()
					synctest.Wait()
					r.server.mu.Lock()
					r.server.cutAfter = 0
					r.server.mu.Unlock()
					r.fails(rd, off, 1000, ErrChanged)
					again := r.Open()
					r.contact()
					again.Close()
					again = r.Open()
					defer again.Close()
					r.cat(again, off, off+mib)
					r.cat(again, 0, mib)
				})
			})
		}
	}
}

// TestComparedAsItComes has a download begin again at 0, with another validator: what is present of it proves
// that the content is the same, without another request.
func TestComparedAsItComes(t *testing.T) {
	test(t, &fakeServer{size: 4 * mib, validators: perAnswer, cutAfter: mib}, func(r *rig) {
		r.contact()
		rd := r.Open()
		defer rd.Close()
		r.read(rd, 0, 512<<10)
		r.set(func(f *fakeServer) { f.cutAfter = 0 })
		r.cat(rd, 512<<10, 4*mib)
		r.spent(2, 5*mib+128<<10)
	})
}

// TestSample: of what is present, the bytes right before a response prove most that it has the same content,
// unless the latest responses brought them.
func TestSample(t *testing.T) {
	const at = 4 * mib
	for name, c := range map[string]struct {
		present, young []ranges.Range
		ranging        Ranging
		want           ranges.Range
	}{
		"nothing is present":     {nil, nil, RangeYes, span(at, at)},
		"what is before":         {[]ranges.Range{span(0, mib), span(2*mib, at)}, nil, RangeYes, span(at-block, at)},
		"too little is before":   {[]ranges.Range{span(0, mib), span(at-100, at)}, nil, RangeYes, span(0, block)},
		"it is young":            {[]ranges.Range{span(0, mib), span(2*mib, at)}, []ranges.Range{span(2*mib, at)}, RangeYes, span(0, block)},
		"so is what comes first": {[]ranges.Range{span(0, mib), span(2*mib, 5*mib)}, []ranges.Range{span(0, mib), span(2*mib, at)}, RangeYes, span(at, at+block)},
		"all is young":           {[]ranges.Range{span(0, mib), span(2*mib, at)}, []ranges.Range{span(0, at)}, RangeYes, span(at-block, at)},
		"without Range":          {[]ranges.Range{span(mib, at)}, []ranges.Range{span(0, at)}, RangeNo, span(mib, mib+block)},
	} {
		test(t, &fakeServer{size: 8 * mib, ranged: true}, func(r *rig) {
			defer r.Open().Close()
			r.mu.Lock()
			defer r.mu.Unlock()
			r.present, r.young, r.info.Ranging = ranges.Of(c.present...), ranges.Of(c.young...), c.ranging
			if got := r.sampleLocked(at); got != c.want {
				t.Errorf("%s: the sample is %v, want %v", name, got, c.want)
			}
			r.present.Clear()
		})
	}
}

// TestStaleValidator uses a server that sends the old ETag with new bytes for a while. A later request
// finds out, although the bytes right before it are new.
func TestStaleValidator(t *testing.T) {
	var stale bool
	test(t, &fakeServer{size: 64 * mib, ranged: true, validators: func(_, v int) (string, string) {
		if stale {
			v = 0
		}
		return fmt.Sprintf(`"%d"`, v), ""
	}}, func(r *rig) {
		stale = true
		r.contact()
		rd := r.Open()
		defer rd.Close()
		r.cat(rd, 0, 128<<10)
		r.server.mu.Lock()
		r.server.version++
		r.server.mu.Unlock()
		p := make([]byte, 1000)
		if _, err := rd.ReadAt(context.Background(), p, 50*mib); err != nil {
			t.Fatal(err) // nothing tells yet
		}
		time.Sleep(10 * time.Second)
		stale = false
		r.fails(rd, 60*mib, 1000, ErrChanged)
	})
}

// TestStrongChange: a strong ETag is believed if it was stable and changes together with the date, to one
// after this content was first seen, even if the bytes before are the same. With an older date, or none,
// bytes are compared: two servers behind one name got their copies before anybody asked.
func TestStrongChange(t *testing.T) {
	const size = 64 * mib
	seen := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) // when a bubble begins
	date := func(at time.Duration) string { return seen.Add(at).Format(time.RFC1123) }
	for name, c := range map[string]struct {
		first, second string // dates
		changed       bool
		requests      int
	}{
		"edited":                   {date(-time.Hour), date(time.Minute), true, 3},
		"a copy made before":       {date(-time.Hour), date(-time.Minute), false, 4},
		"an older copy":            {date(-time.Hour), date(-2 * time.Hour), false, 4},
		"no date that can be read": {"yesterday", "today", false, 4},
		"a date on one alone":      {"", date(time.Minute), false, 4},
	} {
		t.Run(name, func(t *testing.T) {
			test(t, &fakeServer{size: size, ranged: true, validators: func(n, _ int) (string, string) {
				return fmt.Sprintf(`"%d"`, n/2), []string{c.first, c.second, c.second}[n/2]
			}}, func(r *rig) {
				r.contact()
				rd := r.Open()
				defer rd.Close()
				r.cat(rd, 0, mib)
				r.cat(rd, 20*mib, 21*mib)
				if c.changed {
					r.fails(rd, 50*mib, 1, ErrChanged)
				} else {
					r.cat(rd, 50*mib, 51*mib)
				}
				r.spent(c.requests, 8*mib)
			})
		})
	}
}

// TestPairOfServers puts two servers behind one name, whose copies have different entity tags and dates;
// either may answer. Their bytes are the same, so readers must notice nothing, and once both were seen
// nothing more is compared. A real change on both is still found.
func TestPairOfServers(t *testing.T) {
	const size = 64 * mib
	for name, turns := range map[string]string{
		"first one, then the other": "AAAAAAAABBBBBBBBBBBBBBBBBBBBBBBBBBB",
		"in turns":                  "ABABABABABABABABABABABABABABABABABA",
		"as it comes":               "AAABABBBABAAABBBBABABABAAABBABBBBBB",
	} {
		t.Run(name, func(t *testing.T) {
			test(t, &fakeServer{size: size, ranged: true, validators: func(n, v int) (string, string) {
				date := time.Date(1999, 1, int(turns[n]), v, 0, 0, 0, time.UTC)
				return fmt.Sprintf(`"%c%d"`, turns[n], v), date.Format(time.RFC1123)
			}}, func(r *rig) {
				r.contact()
				rd := r.Open()
				defer rd.Close()
				for i := range int64(15) {
					r.cat(rd, 4*i*mib, 4*i*mib+mib)
				}
				r.spent(15+3, 15*2*mib+3*block)
				if r.Status().Version != 0 || r.Info().Seen[1] == "" {
					t.Errorf("version %d, %+v", r.Status().Version, r.Info().Learnt)
				}
				r.server.mu.Lock()
				r.server.version++
				r.server.mu.Unlock()
				r.fails(rd, 62*mib, 1000, ErrChanged)
			})
		})
	}
}

// TestUnprovenIsBounded uses a server that answers once with an entity tag that no later answer has. The
// bytes that are asked for again come from another server, so that response can never be proved, and
// asking must end.
func TestUnprovenIsBounded(t *testing.T) {
	alone := map[int]bool{1: true}
	server := &fakeServer{size: 64 * mib, ranged: true, validators: func(n, _ int) (string, string) {
		if alone[n] {
			return `"other"`, ""
		}
		return `"usual"`, ""
	}}
	t.Run("once", func(t *testing.T) {
		test(t, server, func(r *rig) {
			r.contact()
			rd := r.Open()
			defer rd.Close()
			r.cat(rd, 0, mib)
			r.cat(rd, 50*mib, 51*mib)
			r.spent(1+1+proofsMost+1, 8*mib)
		})
	})
	t.Run("each time", func(t *testing.T) {
		for n := 1; n < 100; n += 1 + proofsMost {
			alone[n] = true
		}
		server.requests, server.times, server.billed = nil, nil, 0
		test(t, server, func(r *rig) {
			r.contact()
			rd := r.Open()
			defer rd.Close()
			r.cat(rd, 0, mib)
			if _, err := rd.ReadAt(context.Background(), make([]byte, 1000), 50*mib); err == nil || err.Error() != unproven(validator(Info{ETag: `"other"`})).Error() {
				t.Errorf("error is %v", err)
			}
			r.spent(1+4*(1+proofsMost), 8*mib)
		})
	})
}

// A request for bytes to compare may fail like any other.
func TestProofFails(t *testing.T) {
	refused := &apiError{status: 402}
	for _, failure := range []error{errServer, refused} {
		test(t, &fakeServer{size: 64 * mib, ranged: true, validators: perAnswer}, func(r *rig) {
			r.contact()
			rd := r.Open()
			defer rd.Close()
			r.cat(rd, 0, mib)
			r.set(func(f *fakeServer) { f.failures = []error{nil, failure} })
			if errors.Is(failure, refused) {
				r.fails(rd, 40*mib, 4096, refused)
			} else {
				r.cat(rd, 40*mib, 41*mib)
			}
			if n := len(r.server.failures); n != 0 {
				t.Errorf("%d requests less than there should be", n)
			}
		})
	}
}
