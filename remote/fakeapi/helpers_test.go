package fakeapi

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// prefix is the path of a base URL.
const prefix = "/serve/api/v2/"

// patience ends a test that hangs. Otherwise nothing waits that long.
const patience = 20 * time.Second

// site is a Server on loopback, and a plain client that neither follows redirects nor keeps connections.
type site struct {
	*Server
	t      *testing.T
	url    string
	client *http.Client
}

func start(t *testing.T, assets ...Asset) *site {
	t.Helper()
	s := New(assets...)
	return &site{s, t, listen(t, s), client(t)}
}

func client(t *testing.T) *http.Client {
	transport := &http.Transport{DisableCompression: true, DisableKeepAlives: true, MaxResponseHeaderBytes: 64 << 10}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// listen serves h until the end of the test and returns its root URL.
func listen(t *testing.T, h http.Handler) string {
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// got is a response, seen by a client.
type got struct {
	status  int
	header  http.Header
	length  int64
	body    []byte
	bodyErr error
}

// open sends a request and returns the response with its body unread. header holds fields as "Name: value".
func (s *site) open(ctx context.Context, method, path string, header ...string) (*http.Response, error) {
	s.t.Helper()
	if !strings.Contains(path, "://") {
		path = s.url + path
	}
	r, err := http.NewRequestWithContext(ctx, method, path, http.NoBody)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, h := range header {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	return s.client.Do(r)
}

// try calls open and reads everything.
func (s *site) try(method, path string, header ...string) (got, error) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	r, err := s.open(ctx, method, path, header...)
	if err != nil {
		return got{}, err
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	return got{r.StatusCode, r.Header, r.ContentLength, b, err}, nil
}

// get downloads an asset, whatever the answer is.
func (s *site) get(id string, header ...string) got {
	s.t.Helper()
	g, err := s.try(http.MethodGet, prefix+id+"/download", header...)
	if err != nil {
		s.t.Fatalf("download %s: %v", id, err)
	}
	return g
}

// idle waits until all requests have ended.
func (s *site) idle() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	if err := s.WaitIdle(ctx); err != nil {
		s.t.Fatalf("WaitIdle: %v; %+v", err, s.Requests())
	}
}

// last returns the last request when all have ended.
func (s *site) last() Request {
	s.t.Helper()
	s.idle()
	all := s.Requests()
	if len(all) == 0 {
		s.t.Fatal("no request")
	}
	return all[len(all)-1]
}

// put gives re_1 these faults.
func (s *site) put(f ...Fault) {
	s.t.Helper()
	s.Update("re_1", func(a *Asset) { a.Faults = f })
	s.ResetLog()
}

// bytesOf returns bytes of a generated asset.
func bytesOf(t *testing.T, id string, version int, off, n int64) []byte {
	t.Helper()
	b := make([]byte, n)
	if _, err := Content(id, version).ReadAt(b, off); err != nil {
		t.Fatal(err)
	}
	return b
}

// wantBytes checks a whole response against bytes of re_1.
func (g got) wantBytes(t *testing.T, status int, off, n int64) {
	t.Helper()
	if g.status != status || g.bodyErr != nil {
		t.Errorf("status %d, body error %v, want %d and none", g.status, g.bodyErr, status)
	}
	if !bytes.Equal(g.body, bytesOf(t, "re_1", 0, off, n)) {
		t.Errorf("%d bytes, which are not the %d from %d on", len(g.body), n, off)
	}
}

// wantError checks a response that is an error object.
func (g got) wantError(t *testing.T, status int, code any, msg string) {
	t.Helper()
	if g.status != status || g.header.Get("Content-Type") != "application/json" {
		t.Errorf("status %d, type %s, want %d and JSON", g.status, g.header.Get("Content-Type"), status)
	}
	var o object
	if err := json.Unmarshal(g.body, &o); err != nil {
		t.Fatalf("%v in %q", err, g.body)
	}
	if n, ok := code.(int); ok {
		code = float64(n)
	}
	if want := (object{Code: code, Msg: msg, Failed: true}); o != want {
		t.Errorf("got %+v, want %+v", o, want)
	}
}

// wantHeader checks one field; "" means that it is absent.
func (g got) wantHeader(t *testing.T, name, want string) {
	t.Helper()
	if v := g.header.Get(name); v != want {
		t.Errorf("%s: got %q, want %q", name, v, want)
	}
}

// raw sends a GET byte for byte, and returns the answer byte for byte.
func (s *site) raw(target string) (string, error) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		return "", err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if _, err := io.WriteString(conn, "GET "+target+" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); err != nil {
		return "", err
	}
	b, err := io.ReadAll(conn)
	return string(b), err
}

// direct requests re_1 without a network.
func direct(t *testing.T, s *Server, op string) got {
	t.Helper()
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, prefix+"re_1/"+op, http.NoBody))
	return got{w.Code, w.Header(), int64(w.Body.Len()), w.Body.Bytes(), nil}
}
