package fakeapi

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestFaultLengths tests bodies whose length is not the announced one.
func TestFaultLengths(t *testing.T) {
	const size = 3*writeSize + 7
	s := start(t, Asset{ID: "re_1", Size: size})
	for _, c := range []struct {
		name   string
		fault  Fault
		length int64 // as announced
		body   int64 // as received
		err    error // at its end
	}{
		{"too large by 5", Fault{LengthDelta: 5}, size + 5, size, io.ErrUnexpectedEOF},
		{"too small by 5", Fault{LengthDelta: -5}, size - 5, size - 5, nil},
		{"2^63-1", Fault{Length: "9223372036854775807"}, 1<<63 - 1, size, io.ErrUnexpectedEOF},
		{"2^60+1", Fault{Length: "1152921504606846977"}, 1<<60 + 1, size, io.ErrUnexpectedEOF},
		{"chunked", Fault{Chunked: true}, -1, size, nil},
		{"unframed", Fault{Unframed: true}, -1, size, nil},
		{"unframed, ends in the middle", Fault{Unframed: true, Cut: writeSize + 3}, -1, writeSize + 3, nil},
		{"unframed, ends at once", Fault{Unframed: true, Cut: AtOnce}, -1, 0, nil},
		{"unframed, ends after a pause", Fault{Unframed: true, Stall: 7, StallFor: time.Millisecond, Cut: 7}, -1, 7, nil},
		{"nothing at all", Fault{Empty: true}, 0, 0, nil},
		{"cut at once", Fault{Cut: AtOnce}, size, 0, io.ErrUnexpectedEOF},
		{"cut after 1", Fault{Cut: 1}, size, 1, io.ErrUnexpectedEOF},
		{"cut in a later write", Fault{Cut: writeSize + 3}, size, writeSize + 3, io.ErrUnexpectedEOF},
		{"cut when chunked", Fault{Cut: writeSize + 3, Chunked: true}, -1, writeSize + 3, io.ErrUnexpectedEOF},
		{"cut before the last chunk", Fault{Cut: size, Chunked: true}, -1, size, io.ErrUnexpectedEOF},
		{"cut past the end", Fault{Cut: size + 1}, size, size, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			s.put(c.fault)
			g := s.get("re_1")
			if g.length != c.length || !errors.Is(g.bodyErr, c.err) {
				t.Errorf("length %d, error %v, want %d, %v", g.length, g.bodyErr, c.length, c.err)
			}
			g.bodyErr = nil
			g.wantBytes(t, http.StatusOK, 0, c.body)
			r := s.last()
			if c.fault.LengthDelta < 0 {
				c.body = r.Bytes // surplus bytes may be sent or not
			}
			if r.Bytes != c.body {
				t.Errorf("%d bytes billed, want %d", r.Bytes, c.body)
			}
		})
	}
	for _, length := range []string{"-5", "9223372036854775808", "5, 6", "many"} {
		s.put(Fault{Length: length})
		if g, err := s.try("GET", prefix+"re_1/download"); err == nil {
			t.Errorf("Content-Length %s: net/http takes it, %+v", length, g.header)
		}
	}
}

// TestFaultReset distinguishes a reset from an orderly end. How much arrives before a reset is not certain, except for a
// header that was read.
func TestFaultReset(t *testing.T) {
	s := start(t, Asset{ID: "re_1", Size: 1 << 20})
	s.put(Fault{Drop: true, Reset: true})
	if _, err := s.try("GET", prefix+"re_1/download"); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("reset without an answer: %v", err)
	}
	s.put(Fault{Drop: true})
	if _, err := s.try("GET", prefix+"re_1/download"); !errors.Is(err, io.EOF) {
		t.Errorf("closed without an answer: %v", err)
	}
	if r := s.last(); r.Status != 0 || r.Bytes != 0 {
		t.Errorf("closed without an answer: logged as %+v", r)
	}
	s.put(Fault{Cut: 1000, Reset: true})
	g, err := s.try("GET", prefix+"re_1/download")
	if err == nil {
		err = g.bodyErr
	}
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("reset in the body: %v", err)
	}
	if n := s.last().Bytes; n != 1000 {
		t.Errorf("%d bytes billed, want 1000", n)
	}
}

// TestFaultStall reads up to the stall, checks that the server is still there, and goes away.
func TestFaultStall(t *testing.T) {
	const size = 2 * writeSize
	s := start(t, Asset{ID: "re_1", Size: size})
	for _, c := range []struct {
		fault Fault
		n     int64
	}{
		{Fault{Stall: AtOnce}, 0},
		{Fault{Stall: 5}, 5},
		{Fault{Stall: writeSize + 5, Chunked: true}, writeSize + 5},
		{Fault{Stall: size, Chunked: true}, size},
		{Fault{Stall: 7, LengthDelta: 9}, 7}, // bypasses net/http
	} {
		s.put(c.fault)
		r, err := s.open(t.Context(), "GET", prefix+"re_1/download")
		if err != nil {
			t.Fatal(err)
		}
		b := make([]byte, c.n)
		if _, err := io.ReadFull(r.Body, b); err != nil {
			t.Errorf("%+v: %v", c.fault, err)
		}
		if !bytes.Equal(b, bytesOf(t, "re_1", 0, 0, c.n)) {
			t.Errorf("%+v: wrong bytes", c.fault)
		}
		// Bytes are counted after they are written.
		if err := s.Wait(t.Context(), func(all []Request) bool { return all[0].Bytes == c.n }); err != nil {
			t.Fatal(err)
		}
		if rq := s.Requests()[0]; rq.Done {
			t.Errorf("%+v: ended by itself, %+v", c.fault, rq)
		}
		r.Body.Close()
		if rq := s.last(); rq.Bytes != c.n {
			t.Errorf("%+v: then logged as %+v", c.fault, rq)
		}
	}
}

// TestFaultHeaders tests headers that net/http refuses, or that are wrong.
func TestFaultHeaders(t *testing.T) {
	s := start(t, Asset{ID: "re_1", Size: 1000, ETag: "auto"})
	for name, f := range map[string]Fault{"control byte": {ControlHeader: true}, "endless": {EndlessHeader: true}} {
		s.put(f)
		if g, err := s.try("GET", prefix+"re_1/download"); err == nil {
			t.Errorf("%s: net/http takes it, %d", name, g.status)
		}
		s.idle()
	}
	s.put(Fault{IgnoreRange: true, Header: map[string]string{"accept-ranges": "bytes", "etag": "", "X-A": "b"}})
	g := s.get("re_1", "Range: bytes=5-")
	g.wantBytes(t, 200, 0, 1000)
	g.wantHeader(t, "Accept-Ranges", "bytes")
	g.wantHeader(t, "ETag", "")
	g.wantHeader(t, "X-A", "b")
}

// TestFaultRanges tests a 206 that is not what was requested.
func TestFaultRanges(t *testing.T) {
	s := start(t, Asset{ID: "re_1", Size: 1000})
	for _, c := range []struct {
		fault  Fault
		label  string
		off, n int64
	}{
		{Fault{Shift: 10}, "bytes 110-199/1000", 110, 90},
		{Fault{Shift: -10}, "bytes 90-199/1000", 90, 110},
		{Fault{Shift: -500}, "bytes 0-199/1000", 0, 200},
		{Fault{Shift: 500}, "bytes 600-600/1000", 600, 1},
		{Fault{Mislabel: 7}, "bytes 107-206/1000", 100, 100},
		{Fault{Header: map[string]string{"Content-Range": "pages 1-2"}}, "pages 1-2", 100, 100},
		{Fault{Header: map[string]string{"Content-Range": ""}}, "", 100, 100},
	} {
		s.put(c.fault)
		g := s.get("re_1", "Range: bytes=100-199")
		g.wantBytes(t, 206, c.off, c.n)
		g.wantHeader(t, "Content-Range", c.label)
		if r := s.last(); r.Start != c.off {
			t.Errorf("%+v: Start %d, want %d", c.fault, r.Start, c.off)
		}
	}
}

// TestFaultContent tests bytes that are not the asset's.
func TestFaultContent(t *testing.T) {
	const size = 2*writeSize + 9
	s := start(t, Asset{ID: "re_1", Size: size, ETag: "auto"})
	want := bytesOf(t, "re_1", 0, 0, size)

	s.put(Fault{CorruptAt: writeSize - 3, CorruptBytes: 5})
	g := s.get("re_1")
	for i := range g.body {
		if wrong := i >= writeSize-3 && i < writeSize+2; wrong != (g.body[i] != want[i]) {
			t.Fatalf("byte %d: wrong is %v, want %v", i, !wrong, wrong)
		}
	}

	s.put(Fault{Version: 3})
	g = s.get("re_1")
	g.wantHeader(t, "ETag", `"re_1-3"`)
	if !bytes.Equal(g.body, bytesOf(t, "re_1", 3, 0, size)) {
		t.Error("not the bytes of version 3")
	}

	s.put(Fault{Gzip: true})
	g = s.get("re_1")
	g.wantHeader(t, "Content-Encoding", "gzip")
	z, err := gzip.NewReader(bytes.NewReader(g.body))
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(z); err != nil || !bytes.Equal(b, want) {
		t.Errorf("compressed: %d bytes, %v", len(b), err)
	}
	if r := s.last(); r.Bytes != int64(len(g.body)) {
		t.Errorf("compressed: %d bytes billed, want %d", r.Bytes, len(g.body))
	}

	s.put()
	s.Update("re_1", func(a *Asset) { a.Content = strings.NewReader("short") })
	if g := s.get("re_1"); !errors.Is(g.bodyErr, io.ErrUnexpectedEOF) {
		t.Errorf("content shorter than the size: %v", g.bodyErr)
	}
}
