package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"assetfs/fs/service"
)

// answering takes commands in a directory, of no mount: what commands do is tested elsewhere.
func answering(t *testing.T) (socket string) {
	t.Helper()
	dir := t.TempDir()
	c, err := listen(&service.Service{}, dir, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.close)
	return filepath.Join(dir, socketName)
}

func connect(t *testing.T, socket string) net.Conn {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// send writes a text again and again until the other end has had enough, and returns how many bytes that took and what it says.
func send(t *testing.T, conn net.Conn, first, again string, most int) (sent int, said string) {
	t.Helper()
	all, err := conn.Write([]byte(first))
	for piece := []byte(strings.Repeat(again, 64<<10/len(again))); err == nil && all < most; {
		var n int
		n, err = conn.Write(piece)
		all += n
	}
	if err == nil {
		t.Errorf("%d bytes were taken", all)
	}
	answer, _ := io.ReadAll(conn) // it may have been cut
	return all, string(answer)
}

// TestEndlessRequests: who never stops asking is stopped, and others are served meanwhile.
func TestEndlessRequests(t *testing.T) {
	socket := answering(t)
	for name, test := range map[string]struct {
		first, again string
		most         int
	}{
		"line":   {"GET /", "x", 1 << 20},
		"field":  {"GET /v1/x HTTP/1.1\r\nHost: a\r\nX: ", "x", 1 << 20},
		"fields": {"GET /v1/x HTTP/1.1\r\nHost: a\r\n", "X: y\r\n", 1 << 20},
		"list":   {"POST /v1/free HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000000\r\n\r\n{\"ids\":[", `"re_1",`, 2 * maxAsked},
		"string": {"POST /v1/free HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000000\r\n\r\n{\"ids\":[\"", "x", 2 * maxAsked},
	} {
		t.Run(name, func(t *testing.T) {
			if _, said := send(t, connect(t, socket), test.first, test.again, test.most); said != "" && !strings.HasPrefix(said, "HTTP/1.1 4") {
				t.Errorf("the answer is %.200q", said)
			}
			other := connect(t, socket)
			fmt.Fprintf(other, "POST /v1/free HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx")
			line := make([]byte, len("HTTP/1.1 400"))
			if _, err := io.ReadFull(other, line); err != nil || string(line) != "HTTP/1.1 400" {
				t.Errorf("beside it: %q, %v", line, err)
			}
		})
	}
}

// TestSlowRequest: who takes too long to ask holds a connection for so long and no longer.
func TestSlowRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		l := &one{conn: far, closed: make(chan struct{})}
		var got []string
		server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { got, _ = (&commander{}).ids(w, r) })}
		go server.Serve(l) //nolint:errcheck // ends with Close
		begin := time.Now()
		done := make(chan struct{})
		go func() {
			defer close(done)
			fmt.Fprintf(near, "POST /v1/free HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n")
			for {
				if _, err := near.Write([]byte(" ")); err != nil {
					return
				}
				time.Sleep(time.Second)
			}
		}()
		answer, err := io.ReadAll(near)
		if !strings.HasPrefix(string(answer), "HTTP/1.1 400") || got != nil || time.Since(begin) > askedWithin+time.Second {
			t.Errorf("after %v: %q, %v", time.Since(begin), answer, err)
		}
		near.Close()
		server.Close()
		<-done
	})
}

// one is a listener for one connection.
type one struct {
	conn   net.Conn
	closed chan struct{}
}

func (o *one) Accept() (net.Conn, error) {
	if c := o.conn; c != nil {
		o.conn = nil
		return c, nil
	}
	<-o.closed
	return nil, net.ErrClosed
}

func (o *one) Close() error {
	close(o.closed)
	return nil
}
func (o *one) Addr() net.Addr { return &net.UnixAddr{} }

// TestManyConnections: so many are let in at a time, whoever else comes waits outside, and comes in when there is room.
func TestManyConnections(t *testing.T) {
	dir, err := os.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	l, err := bind(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	d := &door{Listener: l, room: make(chan struct{}, 2)}
	came := make(chan net.Conn)
	go func() {
		for {
			c, err := d.Accept()
			if err != nil {
				close(came)
				return
			}
			came <- c
		}
	}()
	for range 5 {
		connect(t, filepath.Join(dir.Name(), socketName))
	}
	first := <-came
	second := <-came
	if len(d.room) != 2 {
		t.Errorf("%d are in", len(d.room))
	}
	first.Close()
	first.Close() // as net/http may
	third := <-came
	second.Close()
	third.Close()
	(<-came).Close()
	(<-came).Close()
	for files, want := range map[uint64]int{0: 4, filesLeast: 8, 1024: 128, 1 << 40: 256} {
		if got := atATime(files); got != want {
			t.Errorf("of %d open files %d connections, want %d", files, got, want)
		}
	}
}

// TestDoorLeavesNothing ends a server while somebody waits outside.
func TestDoorLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	c, err := listen(&service.Service{}, dir, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	for range atATime(openFiles()) + 3 {
		connect(t, filepath.Join(dir, socketName))
	}
	c.close() // it returns
	if _, err := os.Lstat(filepath.Join(dir, socketName)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is left: %v", err)
	}
}

// TestBindFollowsNoLink: what stands in the socket's place is neither used nor changed, but a socket that was left.
func TestBindFollowsNoLink(t *testing.T) {
	for name, put := range map[string]func(dir, place string) error{
		"link to nowhere": func(dir, place string) error { return os.Symlink(filepath.Join(dir, "nothing"), place) },
		"link to a file": func(dir, place string) error {
			return errors.Join(os.WriteFile(filepath.Join(dir, "precious"), []byte("x"), 0o644), os.Symlink(filepath.Join(dir, "precious"), place))
		},
		"link to itself": func(_, place string) error { return os.Symlink(place, place) },
		"link to a socket": func(dir, place string) error {
			l, err := net.Listen("unix", filepath.Join(dir, "other")) //nolint:noctx // of a test
			if err != nil {
				return err
			}
			l.(*net.UnixListener).SetUnlinkOnClose(false)
			return errors.Join(l.Close(), os.Chmod(filepath.Join(dir, "other"), 0o644), os.Symlink(filepath.Join(dir, "other"), place))
		},
		"directory": func(_, place string) error { return os.Mkdir(place, 0o755) },
		"pipe":      func(_, place string) error { return syscall.Mkfifo(place, 0o644) },
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			place := filepath.Join(root, socketName)
			if err := put(root, place); err != nil {
				t.Fatal(err)
			}
			before := tree(t, root)
			dir, err := os.Open(root)
			if err != nil {
				t.Fatal(err)
			}
			defer dir.Close()
			if l, err := bind(dir); err == nil {
				l.Close()
				t.Error("it was taken for a place of ours")
			}
			if after := tree(t, root); after != before {
				t.Errorf("there was\n%sand now there is\n%s", before, after)
			}
		})
	}
}

// tree lists a directory with modes.
func tree(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(&b, e.Name(), info.Mode())
	}
	return b.String()
}

// TestJSONOnATerminal: JSON that is shown as it is does nothing to a terminal, and says the same.
func TestJSONOnATerminal(t *testing.T) {
	s := &service.Status{LastError: "a\x1b[2J\u202e\u009b\u2028\x7f é 漢字 😀 \U000e0041 <&>\n\t", Mountpoint: "/m\u200b"}
	var shown, raw bytes.Buffer
	if err := errors.Join(encode(plainJSON{&shown}, s), encode(&raw, s)); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(shown.String()) {
		if line = strings.TrimSuffix(line, "\n"); printable(line) != line {
			t.Errorf("%q", line)
		}
	}
	var got, want service.Status
	if err := errors.Join(decode(&shown, &got), decode(&raw, &want)); err != nil || got.LastError != s.LastError || got.Mountpoint != want.Mountpoint {
		t.Errorf("%q, %q, %v", got.LastError, got.Mountpoint, err)
	}
}
