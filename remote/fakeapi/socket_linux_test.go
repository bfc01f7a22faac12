package fakeapi

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// around is a listener around a watched one.
type around struct{ net.Listener }

type aroundConn struct{ net.Conn }

func (l around) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return aroundConn{c}, err
}

func (c aroundConn) NetConn() net.Conn { return c.Conn }

// watchedSite is a site whose connections are watched.
func watchedSite(t *testing.T, secure bool, assets ...Asset) *site {
	s := New(assets...)
	web := httptest.NewUnstartedServer(s)
	web.Listener = around{Watch(web.Config, web.Listener)}
	if secure {
		web.StartTLS()
	} else {
		web.Start()
	}
	t.Cleanup(web.Close)
	c := web.Client()
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &site{s, t, web.URL, c}
}

// eventually polls for what the kernels do, of which nobody is notified.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for tick := time.Tick(time.Millisecond); !ok(); {
		select {
		case <-tick:
		case <-ctx.Done():
			t.Fatal(what)
		}
	}
}

// TestAcknowledgedWhole tests answers that clients read to the end: everything is acknowledged.
func TestAcknowledgedWhole(t *testing.T) {
	for _, secure := range []bool{false, true} {
		for _, f := range []Fault{{}, {Chunked: true}} {
			const size = 3*writeSize + 7
			s := watchedSite(t, secure, Asset{ID: "re_1", Size: size, Faults: []Fault{f}})
			for range 2 { // the second time on the same connection
				s.get("re_1").wantBytes(t, http.StatusOK, 0, size)
			}
			eventually(t, fmt.Sprintf("TLS %v, %+v: not all is acknowledged", secure, f), func() bool { return s.Acknowledged() == 2*size })
			if n := s.Billed(); n != 2*size {
				t.Errorf("Billed() = %d", n)
			}
		}
	}
}

// TestAcknowledgedPart tests a client that reads 1 MiB, pauses, and goes away. What its kernel has by then lies between what
// is acknowledged and what is billed.
func TestAcknowledgedPart(t *testing.T) {
	const read = 1 << 20
	s := watchedSite(t, false, Asset{ID: "re_1", Size: 1 << 30})
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", s.url[len("http://"):])
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET "+prefix+"re_1/download HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(conn)
	for line := ""; line != "\r\n"; {
		if line, err = r.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := io.CopyN(io.Discard, r, read); err != nil {
		t.Fatal(err)
	}
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		t.Fatal("not TCP")
	}
	received := func() int64 { return read + int64(r.Buffered()) + int64(receiveQueue(t, tcp)) }

	// When the receive buffer is full, nothing comes any more.
	quiet, last := 0, int64(0)
	eventually(t, "it never ends", func() bool {
		acknowledged, n := s.Acknowledged(), received()
		if acknowledged > n {
			t.Fatalf("%d bytes are acknowledged, of which %d came", acknowledged, n)
		}
		if n != last {
			quiet = 0
		}
		quiet, last = quiet+1, n
		return quiet == 100
	})
	got := received()
	conn.Close()
	s.idle()
	acknowledged, billed := s.Acknowledged(), s.Billed()
	if acknowledged > got || got > billed {
		t.Errorf("acknowledged %d, received %d, billed %d", acknowledged, got, billed)
	}
	if acknowledged < got-maxHeld-4096 { // 4096 for a header
		t.Errorf("acknowledged %d of %d received", acknowledged, got)
	}
	t.Logf("read %d, acknowledged %d, received %d, billed %d", read, acknowledged, got, billed)
}

func receiveQueue(t *testing.T, c *net.TCPConn) int {
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	if err := raw.Control(func(fd uintptr) { n, err = unix.IoctlGetInt(int(fd), unix.SIOCINQ) }); err != nil {
		t.Fatal(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// late is a listener that accepts nothing before it is opened, as on a busy machine.
type late struct {
	net.Listener
	open chan struct{}
}

func (l late) Accept() (net.Conn, error) {
	<-l.open
	return l.Listener.Accept()
}

// TestArrived: a request arrives when the kernel has it, however late it is answered.
func TestArrived(t *testing.T) {
	s := New(Asset{ID: "re_1", Size: 1})
	web := httptest.NewUnstartedServer(s)
	open := make(chan struct{})
	web.Listener = late{Watch(web.Config, web.Listener), open}
	web.Start()
	t.Cleanup(web.Close)
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", web.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	before := time.Now()
	if _, err := io.WriteString(conn, "GET "+prefix+"re_1/download HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	time.Sleep(100 * time.Millisecond) // several ticks of the kernel
	opened := time.Now()
	close(open)
	if _, err := io.Copy(io.Discard, conn); err != nil {
		t.Fatal(err)
	}
	const tick = 10 * time.Millisecond
	if got := s.Requests()[0].Time; got.Before(before.Add(-2*tick)) || !got.Before(opened) {
		t.Errorf("arrived %v after it was sent; it was accepted after %v", got.Sub(before), opened.Sub(before))
	}
}
