//go:build !linux

package fakeapi

import "net"

// sendQueue is not known here.
func sendQueue(*net.TCPConn) (int, bool) { return 0, false }
