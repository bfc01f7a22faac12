package fakeapi

import (
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// TestLimits tests limits in a bubble: download requests at certain times after the limit was set, and their answers.
func TestLimits(t *testing.T) {
	for _, c := range []struct {
		name  string
		limit Limit
		at    []float64 // seconds
		want  []int
	}{
		{"none", Limit{}, []float64{0, 0, 0}, []int{200, 200, 200}},
		{"sliding", Limit{Rates: "2/m"}, []float64{0, 30, 59, 60, 61, 90}, []int{200, 200, 429, 200, 429, 200}},
		{"sliding is exact", Limit{Rates: "1/s"}, []float64{0, 0.999, 1, 1.999, 2}, []int{200, 429, 200, 429, 200}},
		{"two rates", Limit{Rates: "1/s, 3/m"}, []float64{0, 0.5, 1, 2, 3, 59.9, 60, 61}, []int{200, 429, 200, 200, 429, 429, 200, 200}},
		{"odd interval", Limit{Rates: "12/600ms"}, []float64{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0.6}, []int{200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 429, 200}},
		{"strict", Limit{Rates: "1/s", Mode: "strict"}, []float64{0, 0.9, 1.8, 2.7, 3.7}, []int{200, 429, 429, 429, 200}},
		{"strict in each rate", Limit{Rates: "1/s,2/m", Mode: "strict"}, []float64{0, 0.5, 2, 60, 60.4, 62}, []int{200, 429, 429, 429, 429, 429}},
		{"bucket", Limit{Rates: "2/m", Mode: "bucket"}, []float64{0, 0, 0, 29.9, 30, 30.1, 60, 200, 200, 200}, []int{200, 200, 429, 429, 200, 429, 200, 200, 200, 429}},
		{"bucket lets 2n-1 through", Limit{Rates: "12/m", Mode: "bucket"}, []float64{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 55}, nil},
		{"another client", Limit{Rates: "1/s", Other: "1/2s@500ms"}, []float64{1, 1.5, 3, 3.5, 5.4, 5.5}, []int{429, 200, 429, 200, 429, 200}},
		{"a burst of another client", Limit{Rates: "5/10s", Other: "4/20s"}, []float64{0, 1, 10, 11, 12, 13, 14, 15, 20, 21}, []int{200, 429, 200, 200, 200, 200, 200, 429, 429, 200}},
		{"400", Limit{Rates: "1/s", Refusal: "400"}, []float64{0, 0}, []int{200, 400}},
		{"200", Limit{Rates: "1/s", Refusal: "200"}, []float64{0, 0}, []int{200, 200}},
		{"503 page", Limit{Rates: "1/s", Refusal: "503 page"}, []float64{0, 0}, []int{200, 503}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := New(Asset{ID: "re_1", Size: 10})
				s.Configure(func(cfg *Config) { cfg.Downloads = c.limit })
				begin := time.Now()
				var got []int
				for i, at := range c.at {
					time.Sleep(time.Duration(at*float64(time.Second)) - time.Since(begin))
					got = append(got, direct(t, s, "download").status)
					if direct(t, s, "metadata").status != http.StatusOK {
						t.Errorf("metadata %d is refused", i)
					}
				}
				if c.want == nil {
					for range c.at {
						c.want = append(c.want, http.StatusOK)
					}
				}
				if fmt.Sprint(got) != fmt.Sprint(c.want) {
					t.Errorf("got  %v\nwant %v", got, c.want)
				}
				refused := 0
				for i, r := range s.Downloads() {
					beyond := c.want[i] != http.StatusOK || c.limit.Refusal == "200" && i == 1
					if r.Refused != beyond {
						t.Errorf("download %d: Refused is %v", i, r.Refused)
					}
					if beyond {
						refused++
					}
				}
				if n := s.Refused("download"); n != refused || s.Refused("metadata") != 0 {
					t.Errorf("Refused: %d and %d, want %d and 0", n, s.Refused("metadata"), refused)
				}
			})
		})
	}
}

// TestRefusals tests each form of refusal, for both kinds of call.
func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		form   string
		status int
		body   string
	}{
		{"", 429, `{"code":429,"msg":"Request has exceeded the limit.","data":null,"success":false,"failed":true}`},
		{"429", 429, `{"code":429,"msg":"Request has exceeded the limit.","data":null,"success":false,"failed":true}`},
		{"400", 400, `{"code":"0429","msg":"Request has exceeded the limit.","data":null,"success":false,"failed":true}`},
		{"200", 200, `{"code":429,"msg":"Request has exceeded the limit.","data":null}`},
		{"exceeded", 400, `{"code":400,"msg":"Request has exceeded the limit.","data":null,"success":false,"failed":true}`},
		{"429 page", 429, string(bodyText(pageReply(429)))},
		{"503 page", 503, string(bodyText(pageReply(503)))},
	} {
		for _, op := range []string{"download", "metadata"} {
			s := New(Asset{ID: "re_1", Size: 10, Faults: []Fault{{Op: op, Skip: 1, Status: 500}}})
			s.Configure(func(cfg *Config) {
				l := Limit{Rates: "1/h", Refusal: c.form}
				cfg.Downloads, cfg.Metadata = l, l
			})
			if g := direct(t, s, op); g.status != http.StatusOK {
				t.Fatalf("%s: status %d", op, g.status)
			}
			g := direct(t, s, op)
			if g.status != c.status || string(g.body) != c.body || g.header.Get("Retry-After") != "" || g.header.Get("Content-Disposition") != "" {
				t.Errorf("%s as %q: %d %v %s", op, c.form, g.status, g.header, g.body)
			}
			s.Configure(func(cfg *Config) { cfg.Downloads.RetryAfter, cfg.Metadata.RetryAfter = true, true })
			direct(t, s, op).wantHeader(t, "Retry-After", "3600")
			if n := s.Refused(op); n != 2 {
				t.Errorf("%d refusals", n)
			}
			s.Configure(func(cfg *Config) { cfg.Downloads, cfg.Metadata = Limit{}, Limit{} })
			// The refused requests did not reach the fault.
			if g := direct(t, s, op); g.status != http.StatusInternalServerError {
				t.Errorf("after the limit: status %d", g.status)
			}
		}
	}
}

// bodyText returns the whole of a small body.
func bodyText(rp *reply) []byte {
	b := make([]byte, rp.end)
	_, _ = rp.body.ReadAt(b, 0) // short only if the test is wrong
	return b
}

// TestRetryAfter tests when a refusal says that the next request may come.
func TestRetryAfter(t *testing.T) {
	for _, c := range []struct {
		rates, mode string
		after       time.Duration
		want        string
	}{
		{"1/s", "", 0, "1"},
		{"1/s", "", 900 * time.Millisecond, "1"},
		{"1/m", "", 10 * time.Second, "50"},
		{"1/m,1/h", "", 10 * time.Second, "3590"},
		{"1/m", "strict", 10 * time.Second, "60"},
		{"1/m", "bucket", 20 * time.Second, "40"},
		{"1/m,2/m", "bucket", 0, "60"},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := New(Asset{ID: "re_1", Size: 10})
			s.Configure(func(cfg *Config) { cfg.Downloads = Limit{Rates: c.rates, Mode: c.mode, RetryAfter: true} })
			direct(t, s, "download")
			time.Sleep(c.after)
			direct(t, s, "download").wantHeader(t, "Retry-After", c.want)
			seconds, err := time.ParseDuration(c.want + "s")
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(seconds)
			if g := direct(t, s, "download"); g.status != http.StatusOK {
				t.Errorf("%+v: then status %d", c, g.status)
			}
		})
	}
}

// TestAccount tests what counts for an account, and what is shared.
func TestAccount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, twin := New(Asset{ID: "re_1", Size: 10}), New(Asset{ID: "re_1", Size: 10})
		twin.Share(s)
		s.Configure(func(cfg *Config) { cfg.Downloads = Limit{Rates: "2/s", Other: "1/10s@9s,3/10s@19s"} })
		for i, want := range []int{200, 200, 429, 429} {
			if g := direct(t, []*Server{s, twin}[i%2], "download"); g.status != want {
				t.Errorf("download %d: status %d, want %d", i, g.status, want)
			}
		}
		if s.Refused("download") != 1 || twin.Refused("download") != 1 {
			t.Errorf("refused: %d and %d, want 1 each", s.Refused("download"), twin.Refused("download"))
		}
		time.Sleep(30 * time.Second)
		// One request at 9 s; at 19 s four, of which two pass; the same at 29 s.
		if a, r := twin.Other("download"); a != 5 || r != 4 {
			t.Errorf("the other client: %d accepted, %d refused, want 5 and 4", a, r)
		}
		// Another form of refusal keeps the count, another rate does not.
		s.Configure(func(cfg *Config) { cfg.Downloads = Limit{Rates: "1/m"} })
		direct(t, s, "download")
		s.Configure(func(cfg *Config) { cfg.Downloads.Refusal = "400" })
		if g := direct(t, s, "download"); g.status != http.StatusBadRequest {
			t.Errorf("status %d, want 400", g.status)
		}
		s.Configure(func(cfg *Config) { cfg.Downloads.Rates = "2/m" })
		if g := direct(t, s, "download"); g.status != http.StatusOK {
			t.Errorf("status %d, want 200", g.status)
		}
	})
}

// TestUncountedRequests tests requests that don't count.
func TestUncountedRequests(t *testing.T) {
	s := start(t, Asset{ID: "re_1", Size: 10})
	s.Configure(func(c *Config) { c.Key, c.Downloads = "sk-mavi-1", Limit{Rates: "1/h"} })
	s.get("re_1").wantError(t, 401, 401, msgBadKey)
	if _, err := s.try("HEAD", prefix+"re_1/download", "Authorization: sk-mavi-1"); err != nil {
		t.Fatal(err)
	}
	s.get("re_9", "Authorization: sk-mavi-1").wantError(t, 400, 400, msgNotFound)
	s.get("re_1", "Authorization: sk-mavi-1").wantError(t, 429, 429, msgLimit)
}

func TestMostWithin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Asset{ID: "re_1", Size: 10})
		for _, after := range []time.Duration{0, 30 * time.Second, 29 * time.Second, time.Second, 0, time.Hour} {
			time.Sleep(after)
			direct(t, s, "download")
		}
		for d, want := range map[time.Duration]int{time.Nanosecond: 2, 30 * time.Second: 3, time.Minute: 4, time.Minute + 1: 5} {
			if got := MostWithin(s.Downloads(), d); got != want {
				t.Errorf("within %v: %d, want %d", d, got, want)
			}
		}
	})
}

func TestLimitSyntax(t *testing.T) {
	for _, bad := range []Limit{
		{Rates: "1"},
		{Rates: "1/"},
		{Rates: "/s"},
		{Rates: "0/s"},
		{Rates: "-1/s"},
		{Rates: "1/0s"},
		{Rates: "1/s 12/m"},
		{Rates: "1/-1s"},
		{Rates: "1/s@1s"},
		{Mode: "moody"},
		{Refusal: "429page"},
		{Other: "1/s@"},
		{Other: "1/s@-1s"},
		{Other: "@1s"},
	} {
		for _, c := range []Config{{Downloads: bad}, {Metadata: bad}} {
			if c.Check() == nil {
				t.Errorf("%+v is accepted", c)
			}
		}
	}
	s := New()
	defer func() {
		if recover() == nil || s.Config().Downloads.Rates != "" {
			t.Errorf("Configure accepts what Check refuses: %+v", s.Config().Downloads)
		}
	}()
	s.Configure(func(c *Config) { c.Downloads.Rates = "often" })
}
