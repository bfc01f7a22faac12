package cli

import (
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestStrangersAtTheDoor: who is of another user gets one answer whatever he says, takes nobody's place, and no process of another
// user is given commands, either.
func TestStrangersAtTheDoor(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("it takes root to be two users")
	}
	root := t.TempDir()
	dir, err := os.Open(root)
	if err == nil { // the directory of a spool keeps others out
		err = errors.Join(os.Chmod(root, 0o755), os.Chmod(filepath.Dir(root), 0o755))
	}
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	l, err := bind(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	d := &door{Listener: l, room: make(chan struct{}, 1)}
	in := make(chan net.Conn, 1)
	go func() {
		c, err := d.Accept()
		if err != nil {
			t.Error(err)
		}
		in <- c
	}()
	path := filepath.Join(dir.Name(), socketName)
	for range 3 {
		// A whole process would have to be able to reach the test's directory: a thread has its own user, too.
		answer := make(chan string)
		go func() {
			runtime.LockOSThread() // and ends with this goroutine
			fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
			if err != nil {
				t.Error(err)
			}
			if err := os.Chmod(path, 0o666); err != nil {
				t.Error(err)
			}
			if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, 65534, 65534, 65534); errno != 0 {
				t.Error(errno)
			}
			err = unix.Connect(fd, &unix.SockaddrUnix{Name: path})
			if err != nil {
				t.Errorf("connect as another user: %v", err)
			}
			f := os.NewFile(uintptr(fd), "socket")
			defer f.Close()
			said, _ := io.ReadAll(f)
			answer <- string(said)
		}()
		if said := <-answer; !strings.HasPrefix(said, "HTTP/1.1 403 ") || !strings.HasSuffix(said, errOtherUser.Error()+"\n") {
			t.Errorf("a stranger is answered %q", said)
		}
	}
	connect(t, path)
	if c := <-in; len(d.room) != 1 {
		t.Errorf("%d are in", len(d.room))
	} else {
		c.Close()
	}
}
