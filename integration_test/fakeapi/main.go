// Command fakeapi serves package fakeapi on loopback, for scripts such as bench.sh.
//
//	fakeapi [-listen 127.0.0.1:0] [-tls FILE]
//
// The first line on standard output is the address, http://HOST:PORT, or https://HOST:PORT with -tls, which writes the certificate
// that clients must trust to FILE. The base URL of the API is that address and /api. SIGINT and SIGTERM end the command with status 0.
//
// /control/ is served by fakeapi.Server.Control, for curl. Names are those of the Go fields, in any case:
//
//	curl -X PUT  $A/control/asset  -d '{"id":"re_1","name":"a.bin","size":1000000,"etag":"turns"}'
//	curl -X PUT  $A/control/asset  -d '{"id":"re_2","text":"hello","faults":[{"times":1,"status":503,"form":"gateway"}]}'
//	curl -X PUT  $A/control/config -d '{"latency":"80ms","downloads":{"rates":"1/s,12/m"},"metadata":{"rates":"1/s","mode":"bucket"}}'
//	curl -X PUT  $A/control/config -d '{"downloads":{"rates":"1/s","other":"1/2s","refusal":"400","retryAfter":true}}'
//	curl -X PUT  $A/control/config -d '{"portal":511}'
//	curl         $A/control/requests   each request: what was asked, the status, the bytes, whether a limit refused it
//	curl         $A/control/refused    {"download":0,"metadata":0}
//	curl         $A/control/billed     {"Acknowledged":1000000,"Billed":1048576}: what clients certainly had, and what was written
//	curl         $A/control/idle       waits until no request is running
//	curl -X POST $A/control/reset      forgets the requests
package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"math/big"
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
	trust := flag.String("tls", "", "serve https, and write the certificate to `FILE`")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := serve(ctx, *listen, *trust)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "fakeapi:", err)
		os.Exit(1)
	}
}

// serve serves until ctx ends. It does not wait for running responses.
func serve(ctx context.Context, address, trust string) error {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return err
	}
	fake := fakeapi.New()
	mux := http.NewServeMux()
	mux.Handle("/api/", http.StripPrefix("/api", fake))
	mux.Handle("/control/", http.StripPrefix("/control", fake.Control()))
	server := &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute, Protocols: new(http.Protocols)}
	server.Protocols.SetHTTP1(true)
	l = fakeapi.Watch(server, l)
	scheme := "http"
	if trust != "" {
		scheme = "https"
		certificate, err := selfSigned(trust)
		if err != nil {
			return err
		}
		l = tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS13})
	}
	closed := context.AfterFunc(ctx, func() { server.Close() })
	defer closed()
	fmt.Println(scheme + "://" + l.Addr().String())
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// selfSigned makes a certificate for 127.0.0.1 that is valid for a day, and writes it to file for clients to trust.
func selfSigned(file string) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "fakeapi"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		return tls.Certificate{}, err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, os.WriteFile(file, text, 0o644)
}
