package remote

import (
	"context"
	"errors"
	"net"
	"os"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// Too few descriptors in this process say nothing about the host, so they must not stop all downloads.
func TestOwnShortage(t *testing.T) {
	socket := func(err error) error {
		return &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("socket", err)}
	}
	noName := &net.DNSError{Err: "no such host", Name: "example.com", IsNotFound: true}
	check := func(what string, err error, ours bool) {
		t.Helper()
		got := classify(context.Background(), context.Background(), err)
		if errors.Is(got, ErrUnreachable) == ours || errors.Is(got, syscall.EMFILE) != ours || got.troubles() == ours {
			t.Errorf("%s: %v, our own shortage: %t", what, got, ours)
		}
	}
	check("no descriptor", socket(syscall.EMFILE), true)
	check("none in the system", socket(syscall.ENFILE), true)
	check("refused", socket(syscall.ECONNREFUSED), false)
	check("no such name", noName, false)

	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 0, Max: limit.Max}); err != nil {
		t.Fatal(err)
	}
	got := classify(context.Background(), context.Background(), noName)
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if errors.Is(got, ErrUnreachable) || !errors.Is(got, syscall.EMFILE) {
		t.Errorf("a lookup without descriptors: %v", got)
	}
}
