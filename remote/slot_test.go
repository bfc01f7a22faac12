package remote

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"assetfs/remote/fakeapi"
)

// Only trouble that several assets have met lately, and since the last good answer, closes the gate.
func TestGateForgets(t *testing.T) {
	type step struct {
		after time.Duration
		id    string // "": ForgetFailures
		err   *Error
	}
	fails, busy, ok := &Error{Status: 500}, &Error{Status: 503, RetryAfter: 100 * time.Second}, (*Error)(nil)
	soon := &Error{Status: 503, RetryAfter: 30 * time.Second}
	busyThere := &Error{Status: 503, RetryAfter: 100 * time.Second, away: "storage.test"}
	for name, tc := range map[string]struct {
		steps []step
		down  bool
	}{
		"three fail":                  {[]step{{0, "re_1", fails}, {0, "re_2", fails}, {0, "re_3", fails}}, true},
		"an answer in between":        {[]step{{0, "re_1", fails}, {0, "re_2", fails}, {0, "re_9", ok}, {0, "re_3", fails}}, false},
		"two failures are forgotten":  {[]step{{0, "re_1", fails}, {0, "re_2", fails}, {}, {0, "re_3", fails}}, false},
		"two ask to wait":             {[]step{{0, "re_1", busy}, {0, "re_2", busy}}, true},
		"two ask to wait elsewhere":   {[]step{{0, "re_1", busyThere}, {0, "re_2", busyThere}}, false},
		"the first has been answered": {[]step{{0, "re_1", busy}, {0, "re_1", ok}, {0, "re_2", busy}}, false},
		"another has been answered":   {[]step{{0, "re_1", busy}, {0, "re_9", ok}, {0, "re_2", busy}}, true},
		"the first is forgotten":      {[]step{{0, "re_1", busy}, {}, {0, "re_2", busy}}, false},
		"the first was long ago":      {[]step{{0, "re_1", busy}, {100 * time.Second, "re_2", busy}}, false},
		"a probe was answered":        {[]step{{0, "re_1", busy}, {0, "re_2", soon}, {0, "re_2", ok}, {0, "re_3", busy}}, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			l := testLimiter(t, "none", nil)
			for _, step := range tc.steps {
				time.Sleep(step.after)
				if step.id == "" {
					l.forgetFailures()
					continue
				}
				s, err := l.acquire(t.Context(), Reader, step.id, nil)
				if err != nil {
					t.Fatal(err)
				}
				s.write(t.Context())
				s.done(step.id, step.err, false)
			}
			if b := l.budget(Reader); (b.Down != nil) != tc.down {
				t.Errorf("%s: %+v, want down %v", name, b, tc.down)
			}
		})
	}
}

// What is heard of a call counts from the time when it was made.
func TestGateLateAnswers(t *testing.T) {
	refused, dead := &Error{Status: 429, RetryAfter: 10 * time.Second}, &Error{Err: ErrUnreachable, temporary: true}
	run := func(name string, down bool, do func(l *limiter, call func() *slot)) {
		synctest.Test(t, func(t *testing.T) {
			l := newLimiter("download", RateLimit{}, nil, nil, slog.New(slog.DiscardHandler))
			do(l, func() *slot {
				s, err := l.acquire(t.Context(), Reader, "re_1", nil)
				if err != nil {
					t.Fatal(err)
				}
				s.write(t.Context())
				return s
			})
			if b := l.budget(Reader); (b.Down != nil) != down {
				t.Errorf("%s: %+v, want down %v", name, b, down)
			}
		})
	}
	run("an answer to a call from before a refusal", true, func(_ *limiter, call func() *slot) {
		first, second := call(), call()
		second.done("re_1", refused, false)
		first.done("re_1", nil, false)
	})
	run("a refusal of a call from before the first answer", true, func(_ *limiter, call func() *slot) {
		first, second := call(), call()
		first.done("re_1", nil, false)
		second.done("re_1", refused, false)
	})
	run("a failure from before failures were forgotten", false, func(l *limiter, call func() *slot) {
		first := call()
		l.forgetFailures()
		first.done("re_1", dead, false)
	})
	run("a refusal from before failures were forgotten", false, func(l *limiter, call func() *slot) {
		first := call()
		l.forgetFailures()
		first.done("re_1", refused, false)
	})
	run("refusals of two calls", true, func(l *limiter, call func() *slot) {
		first, second, third := call(), call(), call()
		first.done("re_1", refused, false)
		second.done("re_1", &Error{Status: 429, RetryAfter: 5 * time.Second}, false)
		if wait := time.Until(l.budget(Reader).Until); wait != 10*time.Second {
			t.Errorf("the shorter of two waits, %v, counts", wait)
		}
		third.done("re_1", &Error{Status: 429, RetryAfter: 15 * time.Second}, false)
		if wait := time.Until(l.budget(Reader).Until); wait != 15*time.Second {
			t.Errorf("after the longest of three it waits %v", wait)
		}
	})
	run("a probe that ended after another has begun", false, func(l *limiter, call func() *slot) {
		call().done("re_1", refused, false)
		old := call()
		l.forgetFailures()
		call().done("re_1", refused, false)
		probe := call()
		old.done("re_1", nil, true)
		if _, err := l.acquire(t.Context(), Background, "re_2", nil); !errors.Is(err, ErrNoSlot) {
			t.Errorf("beside a probe: %v, want ErrNoSlot", err)
		}
		probe.done("re_1", nil, true)
	})
	run("one after the first that ended early", false, func(_ *limiter, call func() *slot) {
		call()
		began := time.Now()
		call().done("re_1", nil, true)
		call()
		call()
		if took := time.Since(began); took != firstAnswer {
			t.Errorf("the first call holds others up for %v", took)
		}
	})
}

// Only a host that nothing was heard of is tried again every 2 s: that costs neither money nor a request.
func TestGateProbesSoon(t *testing.T) {
	for _, tc := range []struct {
		err   *Error
		short bool
	}{
		{&Error{Err: ErrUnreachable}, true},
		{&Error{Err: ErrUnreachable, Status: 200}, false}, // a login page
		{&Error{Err: ErrUnreachable, away: "storage.test"}, false},
		{&Error{Status: 429}, false},
	} {
		synctest.Test(t, func(*testing.T) {
			g, now := new(gate), time.Now()
			for i := range 6 {
				g.close(&slot{round: g.round, granted: now.Add(time.Duration(i))}, tc.err, 0, now)
			}
			if wait := g.until.Sub(now); (wait <= unreachableMost) != tc.short || g.since != now {
				t.Errorf("%+v: probed after %v, since %v", tc.err, wait, g.since.Sub(now))
			}
		})
	}
}

// However slowly a limit earns calls, and however long trouble lasts, a probe is soon made.
func TestBackoffBounds(t *testing.T) {
	for _, tc := range []struct {
		first    time.Duration
		failures int
		least    time.Duration
	}{{0, 0, backoffFirst}, {5 * time.Second, 0, 5 * time.Second}, {time.Hour, 0, backoffMost}, {5 * time.Second, 100, backoffMost}} {
		if d := backoff(tc.first, tc.failures); d < tc.least || d > tc.least+tc.least/10 {
			t.Errorf("after %d failures from %v on it is %v, want %v", tc.failures, tc.first, d, tc.least)
		}
	}
}

// A request that was admitted before a refusal is not sent after it. A refused request is recorded like any other.
func TestGateClosesWhileOthersWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var last time.Time
		hits := 0
		m := &memory{calls: map[string][]time.Time{"download": {began}}}
		c, _, stop := bubble(t, func(w http.ResponseWriter, _ *http.Request) {
			hits++
			last = time.Now()
			if hits == 1 {
				w.Header().Set("Retry-After", "100")
				w.WriteHeader(http.StatusTooManyRequests)
				return
			}
			attach(w, "x")
		}, Options{RateLimit: RateLimit{Rates: []Rate{{1, time.Minute}}}, Ledger: m, Notes: m})
		defer stop()
		wait := readers(t.Context(), c, 2)
		if n := len(m.Calls("download")) - 1; wait() != 2 || hits != 3 || n != 0 && n != 3 {
			t.Errorf("%d requests, %d noted, want 3 and 3", hits, n)
		}
		// One at 61 s, refused until 161 s, and 116 s more for the last, because others use the account.
		if d := last.Sub(began); d < (61+100+61)*time.Second || d > (61+100+117)*time.Second {
			t.Errorf("the last went after %v, want about 250 s", d)
		}
	})
}

// Requests that are refused together count as one refusal: the gate closes for the first pause of the backoff, not for the
// tenth. The longest Retry-After applies.
func TestGateRefusedTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := testLimiter(t, "none", nil)
		var slots []*slot
		for range 10 {
			s, err := l.acquire(t.Context(), Reader, "re_1", nil)
			if err != nil {
				t.Fatal(err)
			}
			s.write(t.Context())
			slots = append(slots, s)
		}
		for _, s := range slots[1:] {
			s.done("re_1", &Error{Status: 429}, false)
		}
		if d := time.Until(l.budget(Reader).Until); d < time.Second || d > 11*time.Second/10 {
			t.Errorf("nine refusals close the gate for %v, want 1 to 1.1 s", d)
		}
		slots[0].done("re_1", &Error{Status: 429, RetryAfter: time.Minute}, false)
		if b := l.budget(Reader); time.Until(b.Until) != time.Minute || b.Next != b.Until {
			t.Errorf("the last of the refusals asks for a minute: %+v", b)
		}
	})
}

// Calls that fail together teach, and are logged, once. So it is with the probes after them, and with a late answer.
func TestFailedTogether(t *testing.T) {
	for said, err := range map[string]*Error{
		"somebody else may be using this account": {Status: 429},
		"the host can't be reached":               {Err: ErrUnreachable, temporary: true},
		"the server fails for several assets":     {Status: 500},
	} {
		synctest.Test(t, func(t *testing.T) {
			var log strings.Builder
			l := newLimiter(opDownload, AutoRateLimit(), nil, nil, slog.New(slog.NewTextHandler(&log, nil)))
			call := func() *slot {
				s, err := l.acquire(t.Context(), Reader, "re_1", nil)
				if err != nil {
					t.Fatal(err)
				}
				s.write(t.Context())
				return s
			}
			for range manyLeast {
				call().done("re_1", nil, false)
			}
			if log.Len() > 0 {
				t.Errorf("nothing has failed: %s", &log)
			}
			var open []*slot
			for range 8 {
				open = append(open, call())
			}
			fail := func(s *slot, i int) {
				own := *err
				s.done("re_"+strconv.Itoa(i), &own, false)
			}
			for i, s := range open[1:] {
				fail(s, i)
			}
			if err.Status != 429 { // the second in a row teaches more
				fail(call(), 0) // a probe
				fail(call(), 1)
			}
			call().done("re_1", nil, false)
			fail(open[0], 8)
			if strings.Count(log.String(), "\n") != 1 || !strings.Contains(log.String(), said) || l.learnt.Wait != 0 {
				t.Errorf("the limit per minute is kept for %v; log:\n%s", l.learnt.Wait, &log)
			}
		})
	}
}

// A reader that gives up when a probe is due, but not yet sent, is told why the gate was closed.
func TestGateProbeDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := testLimiter(t, "none", nil)
		s, err := l.acquire(t.Context(), Reader, "re_1", nil)
		if err != nil {
			t.Fatal(err)
		}
		s.done("re_1", &Error{Status: http.StatusTooManyRequests}, false)
		l.queue = append(l.queue, &ticket{slot: make(chan *slot, 1)}) // as while the timer is late
		time.Sleep(time.Minute)
		if b := l.budget(Reader); b.Down == nil {
			t.Errorf("not down: %+v", b)
		}
		l.queue = nil
		if b := l.budget(Reader); b.Down != nil {
			t.Errorf("down although a call may pass: %v", b.Down)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		l := testLimiter(t, "1/m", nil)
		s, err := l.acquire(t.Context(), Reader, "re_1", nil)
		if err != nil {
			t.Fatal(err)
		}
		s.write(t.Context())
		s.done("re_1", &Error{Err: ErrUnreachable, temporary: true}, false)
		l.queue = append(l.queue, &ticket{slot: make(chan *slot, 1)})
		time.Sleep(unreachableMost)
		if b := l.budget(Reader); b.Down != nil || b.Available != 0 {
			t.Errorf("it is only the limit that holds up the probe: %+v", b)
		}
		l.queue = nil
	})
}

// slowDisk takes its time to record a call.
type slowDisk struct {
	memory
	takes time.Duration
}

func (d *slowDisk) NoteCall(name string, t time.Time) error {
	time.Sleep(d.takes)
	return d.memory.NoteCall(name, t)
}

// A call counts from when it is written, however long the disk takes to record that it is late.
func TestSlowLedger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := new(slowDisk)
		l := newLimiter(opDownload, rates(t, "1/s"), d, nil, slog.New(slog.DiscardHandler))
		s, err := l.acquire(t.Context(), Reader, "re_1", nil)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * noteAgain) // it connects
		d.takes = 500 * time.Millisecond
		s.write(t.Context())
		s.done("re_1", nil, false)
		if n, next := len(d.Calls(opDownload)), time.Until(l.state().Next); n != 2 || next != 1100*time.Millisecond {
			t.Errorf("recorded %d times, the next goes in %v, want 2 and 1.1s", n, next)
		}
	})
}

// What can't be recorded of the limits is logged, once for each change.
func TestNotesFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		m := new(memory)
		l := newLimiter(opDownload, AutoRateLimit(), nil, m, slog.New(slog.NewTextHandler(&log, nil)))
		call := func(err *Error) int {
			s, failed := l.acquire(t.Context(), Reader, "re_1", nil)
			if failed != nil {
				t.Fatal(failed)
			}
			s.write(t.Context())
			log.Reset()
			s.done("re_1", err, false)
			return strings.Count(log.String(), "can't record what was learnt")
		}
		if n := call(&Error{Status: 429}); n != 0 || m.Note(noteName(opDownload)) == "" {
			t.Errorf("recorded, but logged %d times that it can't be; note %q", n, m.Note(noteName(opDownload)))
		}
		m.fails = errors.New("no room")
		if n := call(&Error{Status: 429}); n != 1 || !strings.Contains(log.String(), "no room") {
			t.Errorf("logged %d times:\n%s", n, &log)
		}
		if n := call(nil); n != 0 {
			t.Errorf("nothing has changed, logged %d times:\n%s", n, &log)
		}
	})
}

// A call that is given up at the moment of its turn gives the turn back.
func TestGivenUpAtItsTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := testLimiter(t, "none", nil)
		l.gate.cause, l.gate.until = &Error{Err: ErrUnreachable}, time.Now().Add(time.Hour)
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			if _, err := l.acquire(ctx, Reader, "re_1", nil); !errors.Is(err, context.Canceled) {
				t.Errorf("it got its turn: %v", err)
			}
		}()
		synctest.Wait()
		l.mu.Lock()
		cancel()
		l.gate.until = time.Now()
		l.serveLocked() // before the call can leave the queue
		l.mu.Unlock()
		synctest.Wait()
		if l.times.pending != 0 || l.gate.probing {
			t.Errorf("%d calls are pending, probing %v", l.times.pending, l.gate.probing)
		}
	})
}

// A call that its caller gives up while it is connected and waits for its time is not written.
func TestGivenUpBeforeItsTime(t *testing.T) {
	calls := map[string]func(ctx context.Context, c *Client) error{
		"download": func(ctx context.Context, c *Client) error {
			r, err := c.Download(ctx, Request{ID: testID})
			if err == nil {
				err = r.Body.Close()
			}
			return err
		},
		"metadata": func(ctx context.Context, c *Client) error {
			_, err := c.Metadata(ctx, Reader, testID)
			return err
		},
	}
	for name, call := range calls {
		for range 20 { // net/http sometimes writes one whose context has ended
			synctest.Test(t, func(t *testing.T) {
				var asked []time.Time
				p := &pipes{Pipes: fakeapi.NewPipes()}
				srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					asked = append(asked, time.Now())
					w.Header().Set("Connection", "close")
					if name == "metadata" {
						_, _ = io.WriteString(w, resource(okFields))
					} else {
						attach(w, "x")
						_, _ = io.WriteString(w, "x")
					}
				})}
				var wg sync.WaitGroup
				wg.Go(func() { _ = srv.Serve(p) })
				c := NewClient(&url.URL{Scheme: "http", Host: "api.test"}, Options{
					Key: NewKey("", testKey), RateLimit: rates(t, "1/s"),
					Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
						if len(asked) < 4 {
							time.Sleep(500 * time.Millisecond)
						}
						return p.Dial(ctx, network, addr)
					},
				})
				defer func() {
					_ = p.Close()
					_ = srv.Close()
					c.Close()
					wg.Wait()
				}()
				for range 4 { // it learns how long connecting takes
					if err := call(t.Context(), c); err != nil {
						t.Fatal(err)
					}
				}
				due := asked[3].Add(1100 * time.Millisecond)
				ctx, cancel := context.WithDeadline(t.Context(), due.Add(-50*time.Millisecond))
				defer cancel()
				err := call(ctx, c)
				if e := failure(t, err); !errors.Is(err, context.DeadlineExceeded) || e.Status != 0 || !time.Now().Before(due) {
					t.Errorf("%s: %v", name, err)
				}
				synctest.Wait()
				if len(asked) != 4 {
					t.Fatalf("%s: %d calls, the last %v before its time", name, len(asked), due.Sub(asked[4]))
				}
				if spent := c.Stats().Requests; name == "download" && spent != int64(len(asked)) {
					t.Errorf("%d requests are counted, %d were made", spent, len(asked))
				}
				if err := call(t.Context(), c); err != nil || asked[len(asked)-1].Sub(due) > time.Second {
					t.Errorf("%s: %v, the next call %v late", name, err, asked[len(asked)-1].Sub(due))
				}
			})
		}
	}
}

// A request that is not to be written is not, whatever it would go over. HTTP/2 keeps its connection, which others use.
func TestNotWritten(t *testing.T) {
	var asked, conns atomic.Int64
	h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		_, _ = io.WriteString(w, resource(okFields))
	})
	secure := quietTLS(t, h)
	plain := httptest.NewServer(h)
	defer plain.Close()
	dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
		conns.Add(1)
		return new(net.Dialer).DialContext(ctx, network, addr)
	}
	direct, socks := http.ProxyURL(nil), through(t, "socks5://"+socks(t, secure.Listener.Addr().String()))
	for name, tc := range map[string]struct {
		base  string
		proxy func(*http.Request) (*url.URL, error)
		kind  func(*Client) callKind
		conns int64
	}{
		"plain":      {plain.URL, direct, func(c *Client) callKind { return c.downloads }, 20},
		"secure":     {secure.URL, direct, func(c *Client) callKind { return c.downloads }, 20},
		"SOCKS":      {secure.URL, socks, func(c *Client) callKind { return c.downloads }, 20},
		"HTTP/2":     {secure.URL, direct, func(c *Client) callKind { return c.metadata }, 1},
		"plain kept": {plain.URL, direct, func(c *Client) callKind { return c.metadata }, 20},
	} {
		conns.Store(0)
		c := newTestClient(t, tc.base, Options{TLS: trust(secure), Dial: dial, proxy: tc.proxy})
		for range 20 {
			u, _ := callURL(c.base, testID, opMetadata)
			resp, _, err := c.follow(t.Context(), tc.kind(c), u, outgoing{header: http.Header{}}, testKey, func(net.Conn) bool { return false })
			if err == nil {
				_ = resp.Body.Close()
				t.Fatalf("%s: an answer", name)
			}
		}
		time.Sleep(20 * time.Millisecond) // what is on its way arrives
		if n := asked.Swap(0); n != 0 || conns.Load() != tc.conns {
			t.Errorf("%s: %d requests by %d connections, want none by %d", name, n, conns.Load(), tc.conns)
		}
	}
}
