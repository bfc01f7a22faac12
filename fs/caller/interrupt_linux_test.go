package caller

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
)

// TestInterruptMasks tells which pending signals end a read, also of a user in thousands of groups.
func TestInterruptMasks(t *testing.T) {
	bit := func(s syscall.Signal) uint64 { return 1 << (s - 1) }
	tests := []struct {
		name                             string
		thread, shared, blocked, ignored uint64
		want                             bool
	}{
		{"nothing", 0, 0, 0, 0, false},
		{"Ctrl-C that dd handles", 0, bit(syscall.SIGINT), 0, 0, true},
		{"kill", bit(syscall.SIGKILL), 0, 0, 0, true},
		{"Go's preemption", bit(syscall.SIGURG), 0, 0, 0, false},
		{"an interval timer", 0, bit(syscall.SIGALRM) | bit(syscall.SIGPROF), 0, 0, false},
		{"a child that ended", 0, bit(syscall.SIGCHLD), 0, 0, false},
		{"Ctrl-Z", 0, bit(syscall.SIGTSTP), 0, 0, false},
		{"a debugger, a background job", bit(syscall.SIGSTOP), bit(syscall.SIGTTIN) | bit(syscall.SIGTTOU), 0, 0, false},
		{"Ctrl-Z and Ctrl-C", 0, bit(syscall.SIGTSTP) | bit(syscall.SIGINT), 0, 0, true},
		{"a real-time signal", 1 << 33, 0, 0, 0, false},
		{"a timer and Ctrl-C", 0, bit(syscall.SIGALRM) | bit(syscall.SIGINT), 0, 0, true},
		{"blocked", 0, bit(syscall.SIGINT), bit(syscall.SIGINT), 0, false},
		{"ignored", 0, bit(syscall.SIGTERM), 0, bit(syscall.SIGTERM), false},
	}
	for _, tt := range tests {
		status := fmt.Sprintf("Name:\tdd\nGroups:\t%s\nSigQ:\t0/96000\nSigPnd:\t%016x\nShdPnd:\t%016x\nSigBlk:\t%016x\nSigIgn:\t%016x\nSigCgt:\t0000000000000002\n",
			strings.Repeat("1000000 ", 10_000), tt.thread, tt.shared, tt.blocked, tt.ignored)
		if got := pending(status); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

// TestUnseen: a thread that can't be looked at is not taken for one that is gone.
func TestUnseen(t *testing.T) {
	for _, tt := range []struct {
		name         string
		tid          uint32
		ended, known bool
	}{
		{"in another pid namespace", 0, false, false},
		{"this one", uint32(syscall.Gettid()), false, true},
		{"gone", 1 << 22, true, true}, // the most that a pid can be (PID_MAX_LIMIT)
	} {
		if ended, known := interrupted(tt.tid); ended != tt.ended || known != tt.known {
			t.Errorf("%s: ended %t, known %t; want %t, %t", tt.name, ended, known, tt.ended, tt.known)
		}
	}
}
