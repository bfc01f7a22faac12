package remote

import (
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
)

// CheckBaseURL parses the root URL of an API. Each error is one line that says
// what to write instead, and never repeats a password or a query. Plain http is
// refused unless the host is loopback or insecureHTTP is set, because every
// request carries the key.
func CheckBaseURL(raw string, insecureHTTP bool) (*url.URL, error) {
	const example = "write it like https://host/path"
	u, err := url.Parse(strings.TrimSpace(raw))
	if err != nil {
		return nil, fmt.Errorf("bad base URL: %s", example)
	}
	shown := printable((&url.URL{Scheme: u.Scheme, Opaque: u.Opaque, Host: u.Host, Path: u.Path}).String())
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("base URL %q is neither http nor https: %s", shown, example)
	case u.Hostname() == "":
		return nil, fmt.Errorf("base URL %q names no host: %s", shown, example)
	case u.Port() != "" && !portNumber(u.Port()):
		return nil, fmt.Errorf("base URL %q has an impossible port: write one from 1 to 65535, or none", shown)
	case u.User != nil:
		return nil, fmt.Errorf("base URL %q must not hold a user or password: give the key with --api-key-file", shown)
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return nil, fmt.Errorf("base URL %q must not have a query or fragment: leave out what follows ? or #", shown)
	case u.Scheme == "http" && !insecureHTTP && !loopback(u.Hostname()):
		return nil, fmt.Errorf("base URL %q is plain http, which shows the key to the network: write https or add --insecure-http", shown)
	}
	u.Path, u.RawPath = strings.TrimRight(u.Path, "/"), strings.TrimRight(u.RawPath, "/")
	return u, nil
}

func portNumber(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && n > 0
}

func loopback(host string) bool {
	if ip := net.ParseIP(host); ip != nil {
		return ip.IsLoopback()
	}
	return strings.EqualFold(strings.TrimSuffix(host, "."), "localhost")
}

// below returns the URL of base and further segments of its path.
func below(base *url.URL, segments ...string) *url.URL {
	u := *base
	u.RawPath = base.EscapedPath()
	for _, s := range segments {
		u.Path += "/" + s
		u.RawPath += "/" + url.PathEscape(s)
	}
	return &u
}

// placeURL returns the URL that downloads a stored object by its bucket and blob.
// Slashes in the blob stay unescaped.
func placeURL(base *url.URL, bucket, blob string) *url.URL {
	u := below(base, opDownload)
	u.RawQuery = "bucket=" + url.QueryEscape(bucket) + "&blob=" + strings.ReplaceAll(url.QueryEscape(blob), "%2F", "/")
	return u
}

// callURL returns the URL of a call on an asset, base/id/op, with id as one segment.
func callURL(base *url.URL, id, op string) (*url.URL, error) {
	if id == "" || id == "." || id == ".." {
		return nil, fmt.Errorf("%q can't be an asset ID", id)
	}
	return below(base, id, op), nil
}
