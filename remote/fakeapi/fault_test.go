package fakeapi

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// TestFaultAnswers tests faults that replace the asset by another answer.
func TestFaultAnswers(t *testing.T) {
	const size = 1000
	s := start(t, Asset{ID: "re_1", Size: size})
	for _, c := range []struct {
		fault Fault
		code  any
		msg   string
	}{
		{Fault{Status: 402}, 402, "Insufficient balance to download the resource. Please recharge and try again."},
		{Fault{Status: 403}, 403, msgForbidden},
		{Fault{Status: 500}, 500, msgInternal},
		{Fault{Status: 503, Msg: "away"}, 503, "away"},
		{Fault{Status: 200, Code: 429}, 429, http.StatusText(http.StatusOK)},
		{Fault{Status: 200, OldCode: "0429", Msg: msgLimit}, "0429", msgLimit},
		{Fault{Code: 402, Msg: msgBalance}, 402, msgBalance},
		{Fault{Status: 416}, 416, msgUnacceptable},
	} {
		s.put(c.fault)
		g := s.get("re_1")
		status := c.fault.Status
		if status == 0 {
			status = 200
		}
		g.wantError(t, status, c.code, c.msg)
		if r := s.last(); r.Bytes != 0 || r.Written != int64(len(g.body)) || r.Status != status {
			t.Errorf("%+v: logged as %+v", c.fault, r)
		}
	}

	s.put(Fault{Status: 416})
	s.get("re_1").wantHeader(t, "Content-Range", "bytes */1000")

	s.put(Fault{Status: 429, RetryAfter: "30"})
	s.get("re_1").wantHeader(t, "Retry-After", "30")

	s.put(Fault{Status: 304})
	if g := s.get("re_1"); g.status != 304 || len(g.body) != 0 || g.bodyErr != nil {
		t.Errorf("304: %+v", g)
	}

	for _, status := range []int{0, 502} {
		s.put(Fault{Form: "page", Status: status})
		g := s.get("re_1")
		if g.status != max(status, 200) || !strings.HasPrefix(g.header.Get("Content-Type"), "text/html") || !bytes.HasPrefix(g.body, []byte("<!DOCTYPE html>")) {
			t.Errorf("page: %d %v %q", g.status, g.header, g.body)
		}
	}

	s.put(Fault{Status: 500, TruncateJSON: true})
	if g := s.get("re_1"); g.bodyErr != nil || !bytes.HasPrefix(g.body, []byte(`{"code":500`)) || bytes.HasSuffix(g.body, []byte("}")) {
		t.Errorf("truncated JSON: %q, %v", g.body, g.bodyErr)
	}

	s.put(Fault{Status: 500, PadBody: 20 << 20})
	if g := s.get("re_1"); len(g.body) != 20<<20 || !bytes.HasPrefix(g.body, []byte(`{"code":500`)) {
		t.Errorf("padded error: %d bytes", len(g.body))
	}
	if r := s.last(); r.Bytes != 0 || r.Written != 20<<20 {
		t.Errorf("padded error: logged as %+v", r)
	}
}

// TestFaultCounts tests which requests a fault strikes.
func TestFaultCounts(t *testing.T) {
	s := start(t, Asset{ID: "re_1", Size: 10}, Asset{ID: "re_2", Size: 10})
	s.Configure(func(c *Config) { c.Faults = []Fault{{Op: "any", Skip: 8, Times: 1, Status: 502}} })
	s.put(Fault{Skip: 1, Times: 2, Status: 429}, Fault{Skip: 2, Times: 2, Status: 500}, Fault{Op: "metadata", Times: 1, Status: 503})
	if got, want := statuses(s, "download", 5), "[200 429 429 500 200]"; got != want {
		t.Errorf("downloads: %s, want %s", got, want)
	}
	if got, want := statuses(s, "metadata", 2), "[503 200]"; got != want {
		t.Errorf("metadata: %s, want %s", got, want)
	}
	// Changing something else keeps the count. Other assets have their own count.
	s.Update("re_1", func(a *Asset) { a.Name = "x" })
	if g := s.get("re_2"); g.status != 200 {
		t.Errorf("re_2: status %d", g.status)
	}
	if got, want := statuses(s, "download", 2), "[502 200]"; got != want {
		t.Errorf("ninth and tenth request: %s, want %s", got, want)
	}
	s.Update("re_1", func(a *Asset) { a.Faults = a.Faults[:1] })
	if got, want := statuses(s, "download", 2), "[200 429]"; got != want {
		t.Errorf("after a change of faults: %s, want %s", got, want)
	}
	if s.Update("re_9", func(*Asset) {}) {
		t.Error("Update of an unknown asset says true")
	}
}

func statuses(s *site, op string, n int) string {
	s.t.Helper()
	var all []int
	for range n {
		g, err := s.try("GET", prefix+"re_1/"+op)
		if err != nil {
			s.t.Fatal(err)
		}
		all = append(all, g.status)
	}
	return fmt.Sprint(all)
}
