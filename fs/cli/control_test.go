package cli

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// The path of a socket has about a hundred bytes at most, but the spool's path may be longer. A socket that a killed mount
// left is replaced; any other file is not.
func TestBind(t *testing.T) {
	deep := filepath.Join(t.TempDir(), strings.Repeat("directory/", 20))
	if err := os.MkdirAll(deep, 0o700); err != nil {
		t.Fatal(err)
	}
	dir, err := os.Open(deep)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	path := filepath.Join(deep, socketName)
	for _, when := range []string{"at first", "beside what a killed mount left"} {
		l, err := bind(dir)
		if err != nil {
			t.Fatalf("%s: %v", when, err)
		}
		info, err := os.Stat(path)
		if err != nil || info.Mode() != os.ModeSocket|0o600 {
			t.Errorf("%s: the socket is %v, %v; want one that only its owner may use", when, info.Mode(), err)
		}
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "unix", within(dir, socketName))
		if err != nil {
			t.Fatalf("%s: %v", when, err)
		}
		taken, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		if got := peer(taken); got.uid != os.Geteuid() {
			t.Errorf("%s: the process at the other end is %+v, want one of user %d", when, got, os.Geteuid())
		}
		taken.Close()
		conn.Close()
		l.(*net.UnixListener).SetUnlinkOnClose(false)
		l.Close()
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if l, err := bind(dir); err == nil {
		l.Close()
		t.Error("a file was taken for a socket that somebody left")
	}
}

// Only the mount's user and root may give commands, whatever the socket's mode allows.
func TestOtherUsersAreRefused(t *testing.T) {
	h := (&commander{}).handler()
	for _, path := range []string{"GET /v1/status", "POST /v1/plan", "POST /v1/fetch", "POST /v1/free", "POST /v1/pin", "POST /v1/unpin"} {
		method, url, _ := strings.Cut(path, " ")
		for _, who := range []any{process{uid: os.Geteuid() + 1}, process{uid: -1}, nil} {
			r := httptest.NewRequestWithContext(context.WithValue(t.Context(), peerKey{}, who), method, url, strings.NewReader("{}"))
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != http.StatusForbidden || strings.TrimSpace(w.Body.String()) != errOtherUser.Error() {
				t.Errorf("%s of user %v: %d %q, want 403", path, who, w.Code, w.Body)
			}
		}
	}
}

// Unknown commands are refused in one line.
func TestUnknownCommands(t *testing.T) {
	h := (&commander{}).handler()
	for path, want := range map[string]int{"GET /v2/status": 404, "POST /v1/later": 404, "DELETE /v1/status": 405, "POST /v1/free": 400} {
		method, url, _ := strings.Cut(path, " ")
		r := httptest.NewRequestWithContext(context.WithValue(t.Context(), peerKey{}, process{uid: os.Geteuid()}), method, url, strings.NewReader("no JSON"))
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != want || strings.Count(w.Body.String(), "\n") != 1 {
			t.Errorf("%s: %d %q, want %d and one line", path, w.Code, w.Body, want)
		}
	}
}

// stranger answers as no mount of ours does.
type stranger string

func (s stranger) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusForbidden, Body: io.NopCloser(strings.NewReader(string(s)))}, nil
}

// The answer of another user's mount is escaped for the terminal, and is one line.
func TestAnswerIsEscaped(t *testing.T) {
	c := &client{}
	c.http.Transport = stranger("no\x1b[2J\nassetfs: all is well\n")
	_, err := c.call(t.Context(), http.MethodGet, "/v1/status", nil)
	if want := `no\u001b[2J\u000aassetfs: all is well`; err == nil || err.Error() != want {
		t.Errorf("the error is %q, want %q", err, want)
	}
}

// Lines of a list that are no IDs must not be forgotten: fetch would succeed without them. An ID comes back from the mount as it
// was sent, although JSON holds only valid text.
func TestListedTargets(t *testing.T) {
	target := &target{path: map[string]string{}}
	long := strings.Repeat("x", 300)
	if err := target.addListed(strings.NewReader("re_1\n# two\n\nre_1\r\na/b\n..\n" + long + "\nre_\xff\nre_2 # three\n")); err != nil {
		t.Fatal(err)
	}
	slices.Sort(target.ids)
	if want := []string{"..", "a/b", "re_1", "re_2", "re_\ufffd", long}; !slices.Equal(target.ids, want) {
		t.Errorf("the targets are %q, want %q", target.ids, want)
	}
	if err := target.addListed(iotest.ErrReader(io.ErrClosedPipe)); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("a list that can't be read: %v", err)
	}
}
