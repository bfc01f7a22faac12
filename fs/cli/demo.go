package cli

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"time"

	"assetfs/remote"
	"assetfs/remote/fakeapi"
)

// serveDemo starts the embedded API on loopback and uses it for the mount.
func (a *app) serveDemo() (stop func(), err error) {
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	server := &http.Server{Handler: fakeapi.Demo(), ReadHeaderTimeout: time.Minute}
	go server.Serve(l) //nolint:errcheck // ends with Close
	a.base = &url.URL{Scheme: "http", Host: l.Addr().String()}
	a.libraryURL = a.base
	a.RateLimit = remote.RateLimit{}
	if !a.flags.Changed("list-wait") {
		a.ListWait = time.Minute // so that the first listing has all names on a busy machine, too
	}
	remove := func() {}
	if a.SpoolDir == "" {
		if a.SpoolDir, err = os.MkdirTemp("", "assetfs-demo-"); err != nil {
			server.Close()
			return nil, fmt.Errorf("no place for the spool (%w); choose one with --spool-dir", err)
		}
		remove = func() { os.RemoveAll(a.SpoolDir) }
	}
	return func() {
		server.Close()
		remove()
	}, nil
}
