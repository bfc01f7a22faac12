package integration_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// logLine is the format in which each server logs a request: METHOD PATH PROTOCOL "RANGE" STATUS BYTES.
var logLine = regexp.MustCompile(`(?m)^([A-Z]+) (\S+) (\S+) "[^"]*" (\d+) (\d+|-)$`)

// count implements "server requests|billed NAME [FIELD...] [MIN..]MAX": the number of requests in the server's log with all these
// fields, or the bytes that it sent for them. Fields are an asset's ID, download or metadata, a status, a protocol. If the log was
// already read with the same at, which is not "", it can't have changed and is not read again.
func (s *server) count(verb, at string, args []string) error {
	if len(args) == 0 {
		return errors.New("usage: server requests|billed NAME [FIELD...] [MIN..]MAX")
	}
	fields, limit := args[:len(args)-1], args[len(args)-1]
	low, high, err := bounds(limit)
	if err != nil {
		return err
	}
	if at == "" || at != s.at {
		if s.text, err = s.log(); err != nil {
			return err
		}
		s.at = at
	}
	var got int64
	var counted strings.Builder
	for _, m := range logLine.FindAllStringSubmatch(s.text[s.forgot:], -1) {
		has := append(strings.Split(m[2], "/"), m[1], m[3], m[4])
		if strings.Contains(m[2], marker) || slices.ContainsFunc(fields, func(f string) bool { return !slices.Contains(has, f) }) {
			continue
		}
		fmt.Fprintln(&counted, m[0])
		if verb == "requests" {
			got++
			continue
		}
		bytes, err := strconv.ParseInt(m[5], 10, 64)
		if err != nil && m[5] != "-" {
			return err
		}
		got += bytes
	}
	if got < low || got > high {
		return fmt.Errorf("%s: %d, want %s:\n%s", verb, got, limit, counted.String())
	}
	return nil
}

// bounds reads MIN..MAX, MIN.. or N.
func bounds(s string) (low, high int64, err error) {
	first, last, open := strings.Cut(s, "..")
	low, err = size(first)
	if err != nil || !open {
		return low, low, err
	}
	if last == "" {
		return low, math.MaxInt64, nil
	}
	high, err = size(last)
	return low, high, err
}

// marker begins the IDs whose requests mark the end of a log.
const marker = "re_9999"

// log returns the server's log when everything requested so far is in it: the server has noticed which clients have gone, and a
// request made after that is in the log. Servers log when a response ends, and some write a few seconds later.
func (s *server) log() (string, error) {
	name := filepath.Join(s.Dir, "access.log")
	text, err := os.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	if s.cmd == nil || s.noMarker() {
		return string(text), err
	}
	s.asked++
	end := marker + strconv.Itoa(s.asked)
	for start := time.Now(); time.Since(start) < readyLimit; {
		busy, err := s.busy()
		if err != nil {
			return "", err
		}
		if !busy {
			if err := s.ask(end); err != nil {
				return "", err
			}
		}
		for asked := time.Now(); time.Since(asked) < time.Second; time.Sleep(20 * time.Millisecond) {
			text, err = os.ReadFile(name)
			if err != nil && !errors.Is(err, os.ErrNotExist) {
				return "", err
			}
			if strings.Contains(string(text), end+"/") {
				return string(text), nil
			}
		}
	}
	return "", fmt.Errorf("its log does not come to rest:\n%s", text)
}

// noMarker reports whether this is a forward proxy, which has no paths.
func (s *server) noMarker() bool { return filepath.Base(s.Dir) == "squid" }

// lateLog reports whether another program writes the log, which starts some time after the server.
func (s *server) lateLog() bool { return filepath.Base(s.Dir) == "varnish" }

// busy reports whether a client has closed a connection that the server still has open.
func (s *server) busy() (bool, error) {
	port, err := strconv.Atoi(s.Port)
	if err != nil {
		return false, err
	}
	table, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		return false, err
	}
	// "sl: local_address remote_address state", and 08 is CLOSE_WAIT.
	return regexp.MustCompile(fmt.Sprintf(`(?m)^ *\d+: [0-9A-F]{8}:%04X [0-9A-F]{8}:[0-9A-F]{4} 08 `, port)).Match(table), nil
}

// ask requests the download of an asset. Any answer will do.
func (s *server) ask(id string) error {
	ctx, cancel := context.WithTimeout(context.Background(), readyLimit)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url()+"/"+id+"/download", nil)
	if err != nil {
		return err
	}
	transport := &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}
