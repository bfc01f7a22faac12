//go:build !linux

package fakeapi

import "net"

// sendQueue is unknown on this system.
func sendQueue(*net.TCPConn) (int, bool) { return 0, false }
