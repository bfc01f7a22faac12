package integration_test

import (
	"net"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// cmdNotify implements "notify start" and "notify LINE".
func cmdNotify(ts *testscript.TestScript, neg bool, args []string) {
	st := of(ts)
	if neg || len(args) != 1 || (args[0] == "start") != (st.notify == nil) {
		usage(ts, "notify start, then notify LINE")
	}
	if st.notify == nil {
		addr := &net.UnixAddr{Name: ts.MkAbs(".notify"), Net: "unixgram"}
		c, err := net.ListenUnixgram(addr.Net, addr)
		ts.Check(err)
		st.notify = c
		ts.Setenv("NOTIFY_SOCKET", addr.Name)
		return
	}
	ts.Check(st.notify.SetReadDeadline(time.Now().Add(readyLimit)))
	datagram := make([]byte, 4096)
	n, err := st.notify.Read(datagram)
	ts.Check(err)
	if got := string(datagram[:n]); got != args[0] {
		ts.Fatalf("systemd was told %q, want %q", got, args[0])
	}
}
