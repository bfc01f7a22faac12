// Command fakeapi serves package fakeapi on loopback, for scripts such as bench.sh.
//
//	fakeapi [-listen 127.0.0.1:0]
//
// The first line on standard output is the address, http://HOST:PORT. The API's base URL is that address and /api; below
// /control/ stands fakeapi.Server.Control. It ends at SIGINT or SIGTERM, with status 0.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"assetfs/remote/fakeapi"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "loopback `ADDRESS`: the control calls read files for anybody")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := serve(ctx, *listen)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "fakeapi:", err)
		os.Exit(1)
	}
}

// serve serves until ctx ends; it does not wait for responses then.
func serve(ctx context.Context, address string) error {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return err
	}
	fake := fakeapi.New()
	mux := http.NewServeMux()
	mux.Handle("/api/", http.StripPrefix("/api", fake))
	mux.Handle("/control/", http.StripPrefix("/control", fake.Control()))
	server := &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	closed := context.AfterFunc(ctx, func() { server.Close() })
	defer closed()
	fmt.Println("http://" + l.Addr().String())
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
