//go:build !linux

package fakeapi

import (
	"net"
	"time"
)

// sendQueue is unknown on this system.
func sendQueue(*net.TCPConn) (int, bool) { return 0, false }

// sinceReceived is unknown, too.
func sinceReceived(*net.TCPConn) time.Duration { return 0 }
