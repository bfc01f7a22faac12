package asset

import (
	"context"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// program is a caller with a name.
type program string

func (p program) Program() (name string, pid int) { return string(p), len(p) }
func (p program) Patient() bool                   { return false }

// as returns the context of a read by the named program.
func as(name string) context.Context {
	return context.WithValue(context.Background(), CallerKey{}, Caller(program(name)))
}

// till is a source that records for whom bytes come.
type till struct {
	*fakeServer
	mu       sync.Mutex // guards what follows
	requests map[string]int
	bytes    map[string]int64
}

func (t *till) Open(ctx context.Context, id string, r Request) (*Response, error) {
	resp, err := t.fakeServer.Open(ctx, id, r)
	if err == nil {
		t.mu.Lock()
		t.requests[r.Program]++
		t.mu.Unlock()
		resp.Body = &paid{Body: resp.Body, till: t, by: r.Program}
	}
	return resp, err
}

type paid struct {
	Body
	till *till
	by   string
}

func (p *paid) Charge(program string) { p.by = program }

func (p *paid) Read(b []byte) (int, error) {
	n, err := p.Body.Read(b)
	p.till.mu.Lock()
	defer p.till.mu.Unlock()
	p.till.bytes[p.by] += int64(n)
	return n, err
}

// patientProgram is a caller that lets others go before it.
type patientProgram struct{ program }

func (patientProgram) Patient() bool { return true }

// TestPatience: a request is patient as long as all who wait for it are.
func TestPatience(t *testing.T) {
	test(t, &fakeServer{size: mib, ranged: true, etag: true, latency: time.Second}, func(r *rig) {
		rd := r.Open()
		defer rd.Close()
		var wg sync.WaitGroup
		for _, by := range []Caller{patientProgram{"backup"}, patientProgram{"fetch"}, program("mpv")} {
			wg.Go(func() {
				if _, err := rd.ReadAt(context.WithValue(context.Background(), CallerKey{}, by), make([]byte, 1000), 0); err != nil {
					t.Error(err)
				}
			})
			synctest.Wait()
			r.server.mu.Lock()
			requests := slices.Clone(r.server.requests)
			r.server.mu.Unlock()
			if len(requests) != 1 || requests[0].Patient() != by.Patient() {
				t.Errorf("when %v has come: %d requests, the first is patient: %v", by, len(requests), requests[0].Patient())
			}
		}
		wg.Wait()
	})
}

// A download is charged to the program whose wait opened it, and from then on to
// the one whose waits it serves. What nobody waits for is charged to nobody.
func TestCharge(t *testing.T) {
	test(t, &fakeServer{size: 512 * mib, ranged: true, etag: true}, func(r *rig) {
		source := &till{fakeServer: r.server, requests: map[string]int{}, bytes: map[string]int64{}}
		r.store.engine.Source = source
		r.head()
		want := map[string]int{"": 1}
		check := func(what string) {
			t.Helper()
			source.mu.Lock()
			defer source.mu.Unlock()
			if !maps.Equal(source.requests, want) {
				t.Errorf("%s: requests %v, want %v", what, source.requests, want)
			}
		}
		check("names")
		rd := r.Open()
		defer rd.Close()
		read := func(name string, off, n int64) {
			t.Helper()
			for end := off + n; off < end; off += 128 << 10 {
				if _, err := rd.ReadAt(as(name), make([]byte, 128<<10), off); err != nil {
					t.Fatal(err)
				}
			}
		}
		read("cat", 0, 8*mib)
		want["cat"] = 1
		check("cat")
		source.mu.Lock()
		if source.bytes[""] > 128<<10 || source.bytes["mpv"] != 0 || source.bytes["cat"] < 7*mib {
			t.Errorf("bytes %v, want at most a head block for nobody, and all else for cat", source.bytes)
		}
		before := source.bytes["cat"]
		source.mu.Unlock()
		read("mpv", 8*mib, 64*mib)
		check("mpv goes on with the stream of cat")
		source.mu.Lock()
		if got := source.bytes["mpv"]; got < 32*mib || source.bytes["cat"] > before+16*mib {
			t.Errorf("bytes %v after mpv has read on", source.bytes)
		}
		source.mu.Unlock()
		read("ffprobe", 400*mib, 1*mib)
		want["ffprobe"] = 1
		check("ffprobe")
	})
}
