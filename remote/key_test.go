package remote

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func keyFile(t *testing.T, content string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "key")
	writeKey(t, name, content)
	return name
}

func writeKey(t *testing.T, name, content string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// A new key is noticed once, whoever has read it in between.
func TestKeyRenewed(t *testing.T) {
	name := keyFile(t, "one")
	k := NewKey(name, "")
	check := func(what string, want bool) {
		t.Helper()
		if got := k.Renewed(); got != want {
			t.Errorf("%s: renewed %t", what, got)
		}
	}
	if v, err := k.get(); v != "one" {
		t.Fatal(v, err)
	}
	writeKey(t, name, "on") // by an editor, which has not finished
	if v, err := k.get(); v != "one" {
		t.Error(v, err)
	}
	writeKey(t, name, "one")
	check("first", true)
	check("as read first", false)
	writeKey(t, name, "two\n")
	if !k.changed("one") {
		t.Error("a refusal does not find the other key")
	}
	check("another", true)
	check("the same", false)
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	check("gone", false)
	writeKey(t, name, "two")
	check("back", false)
	k.forget()
	writeKey(t, name, "three")
	check("another, when forgotten", true)
	if v, _ := k.get(); v != "three" {
		t.Errorf("the key is %s", v)
	}
}

// A key from a pipe is read once, and kept: after a refusal, when it is forgotten, and by who looks for changes.
func TestKeyFromPipe(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	go func() { _ = os.WriteFile(fifo, []byte("one\n"), 0) }() // there is one writer, ever
	k := NewKey(fifo, "")
	for range 2 {
		if v, err := k.get(); v != "one" {
			t.Fatal(v, err)
		}
		k.forget()
	}
	if k.changed("one") || !k.Renewed() || k.Renewed() {
		t.Error("it has changed")
	}
}

func TestKey(t *testing.T) {
	for _, tc := range []struct{ name, file, fallback, want string }{
		{"file", "sk-1\n", "sk-2", "sk-1"},
		{"empty file", " \n", "sk-2", "sk-2"},
		{"no file", "", " sk-2\n", "sk-2"},
		{"none", "", "", ""},
		{"byte order mark", "\ufeffsk-1\r\n", "sk-2", "sk-1"},
		{"UTF-16", "\xff\xfes\x00k\x00", "sk-2", ""},
		{"two lines", "sk-1\nsk-2", "sk-3", ""},
		{"control byte", "sk\x01", "", ""},
		{"not ASCII", "skü", "", ""},
		{"too long", strings.Repeat("x", maxKey+1), "", ""},
	} {
		name := ""
		if tc.file != "" {
			name = keyFile(t, tc.file)
		}
		got, err := NewKey(name, tc.fallback).get()
		if got != tc.want || errors.Is(err, ErrNoKey) != (tc.want == "") {
			t.Errorf("%s: %q, %v, want %q", tc.name, got, err, tc.want)
		}
		if err != nil && tc.file != "" && strings.Contains(err.Error(), tc.file) {
			t.Errorf("%s: the error shows the key: %v", tc.name, err)
		}
	}
	_, err := NewKey(filepath.Join(t.TempDir(), "missing"), "sk-2").get()
	if !errors.Is(err, ErrNoKey) || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: %v, want ErrNoKey and why", err)
	}
	if _, err := NewKey(t.TempDir(), "sk-2").get(); !errors.Is(err, ErrNoKey) || !errors.Is(err, syscall.EISDIR) {
		t.Errorf("a directory: %v, want ErrNoKey and why", err)
	}
	if _, err := NewKey(keyFile(t, "\xfe\xff\x00s\x00k"), "").get(); !errors.Is(err, ErrNoKey) || !strings.Contains(err.Error(), "UTF-16") {
		t.Errorf("UTF-16: %v", err)
	}
	c := NewClient(&url.URL{Scheme: "https", Host: "api.test"}, Options{})
	c.ForgetFailures()
	if _, err := c.Download(t.Context(), Request{ID: testID}); !errors.Is(err, ErrNoKey) {
		t.Errorf("a client without a key: %v", err)
	}
}

func TestKeyNeverShown(t *testing.T) {
	k := NewKey("", testKey)
	if _, err := k.get(); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&b, verb+" "+verb+"\n", k, Options{Key: k})
	}
	slog.New(slog.NewTextHandler(&b, nil)).Info("x", "key", k, "options", Options{Key: k})
	slog.New(slog.NewJSONHandler(&b, nil)).Info("x", "key", k, "options", Options{Key: k})
	if strings.Count(b.String(), redacted) < 9 || strings.Contains(b.String(), testKey) || strings.Contains(b.String(), fmt.Sprintf("%x", testKey)) {
		t.Errorf("the key is in %s", b.String())
	}
}

// After the key's file has changed, the new key is used when the old one is refused, once. What was refused is not sent again
// within 5 s.
func TestKeyReadAgain(t *testing.T) {
	name := keyFile(t, "old")
	valid := "new"
	var seen []string
	c := start(t, func(w http.ResponseWriter, r *http.Request) {
		key := r.Header.Get("Authorization")
		seen = append(seen, key)
		if key != valid {
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(w, `{"code":401,"msg":"bad key `+key+`","success":false}`)
			return
		}
		attach(w, "x")
	}, Options{Key: NewKey(name, ""), RateLimit: RateLimit{Rates: []Rate{twelveMore}}})

	_, _, err := fetch(t, c, Request{})
	if e := failure(t, err); e.Number() != 401 || retries(e) || e.Msg != "bad key (key)" {
		t.Errorf("unchanged: %v", err)
	}
	writeKey(t, name, "new\n")
	if _, _, err := fetch(t, c, Request{}); err != nil {
		t.Errorf("changed: %v", err)
	}
	valid = "newest"
	writeKey(t, name, "wrong")
	if _, _, err := fetch(t, c, Request{}); failure(t, err).Number() != 401 {
		t.Errorf("changed to a wrong one: %v", err)
	}
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	if _, _, err := fetch(t, c, Request{}); failure(t, err).Number() != 401 {
		t.Errorf("removed: %v, want what the server said of the key in use", err)
	}
	if got, want := strings.Join(seen, " "), "old new new wrong"; got != want {
		t.Errorf("sent %q, want %q", got, want)
	}
	if s := c.Stats(); s.Requests != 4 || s.Left != 8 {
		t.Errorf("stats %+v: each try is a request", s)
	}
}

// A key that changes all the time is tried once more, and for no other refusal. Whatever the server repeats of it is hidden.
func TestKeyChangesAlways(t *testing.T) {
	calls := map[string]func(*Client) error{
		"download": func(c *Client) error {
			_, _, err := fetch(t, c, Request{})
			return err
		},
		"metadata": func(c *Client) error {
			_, err := c.Metadata(t.Context(), Reader, testID)
			return err
		},
	}
	for call, ask := range calls {
		for status, want := range map[int]int{http.StatusUnauthorized: 2, http.StatusPaymentRequired: 1} {
			name, hits := keyFile(t, "key0"), 0
			c := start(t, func(w http.ResponseWriter, r *http.Request) {
				hits++
				writeKey(t, name, fmt.Sprint("key", hits))
				w.WriteHeader(status)
				if hits > 9 {
					status = http.StatusPaymentRequired
				}
				_, _ = fmt.Fprintf(w, `{"code":%d,"msg":"not with %s"}`, status, r.Header.Get("Authorization"))
			}, Options{Key: NewKey(name, "")})
			if e := failure(t, ask(c)); e.Msg != "not with (key)" || hits != want {
				t.Errorf("%s, %d: %v after %d requests, want %d", call, status, e, hits, want)
			}
		}
	}
}

func TestForgetFailuresReadsKey(t *testing.T) {
	name := keyFile(t, "old")
	var key string
	c := start(t, func(w http.ResponseWriter, r *http.Request) {
		key = r.Header.Get("Authorization")
		attach(w, "x")
	}, Options{Key: NewKey(name, "")})
	for _, want := range []string{"old", "new"} {
		if _, _, err := fetch(t, c, Request{}); err != nil || key != want {
			t.Errorf("sent %q, %v, want %q", key, err, want)
		}
		writeKey(t, name, "new")
		c.ForgetFailures()
	}
}

// A text cut in the middle of the key does not show the key's beginning.
func TestHide(t *testing.T) {
	const key = "sk-mavi-0123456789"
	for text, want := range map[string]string{
		"bad " + key + "!":         "bad (key)!",
		"bad sk-mavi-01...":        "bad (key)...",
		"bad sk-mavi-01234567...":  "bad (key)...",
		"bad request, and more...": "bad request, and more...",
		"bad sk-mavi-01":           "bad sk-mavi-01",
	} {
		if got := hide(text, key); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
		if got := hide(text, ""); got != text {
			t.Errorf("without a key %q becomes %q", text, got)
		}
	}
}
