package remote

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"time"
)

const (
	// maxRedirects is how many redirects one request follows.
	maxRedirects = 5
	// maxSent is how often net/http may send one request. It sends it again if the server ends a
	// kept connection, or a stream of HTTP/2 that it has not looked at; without end and without
	// a pause if each new connection ends like that (GOAWAY).
	maxSent = 2
)

// outgoing is a request without its URL. One with a body is a POST.
type outgoing struct {
	header http.Header
	body   []byte
	seen   func(*http.Response) // called with the response before it is judged; may be nil
	close  bool                 // tell the server that the connection ends with the answer
}

// follow sends a request and follows redirects without changing its method, even for 303.
// The key is sent only to the scheme, host and port of u, and never again after a redirect
// elsewhere; net/http would send it to another port, or from https to http. onConn is
// called with the connection of each hop, and reports whether the request is to be written. away is the host of the
// last hop, "" if that is u's and no hop before went elsewhere. Errors never contain a query,
// which may be a signature. The caller closes the response's body.
func (c *Client) follow(ctx context.Context, rt http.RoundTripper, u *url.URL, o outgoing, key string, onConn func(net.Conn) bool) (resp *http.Response, away string, err error) {
	var filter *filterConn
	sent := 0
	ctx, cancel := context.WithCancel(ctx) // ends with its parent, like the body
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) {
		filter, _ = i.Conn.(*filterConn)
		_ = i.Conn.SetDeadline(time.Time{}) // what it was for connecting
		if sent++; sent > maxSent || !onConn(i.Conn) {
			cancel()
			if !speaksHTTP2(i.Conn) { // net/http would write it all the same
				_ = i.Conn.Close()
			}
		}
	}})
	origin, trusted := u, true
	asked := map[string]bool{}
	for hops := 0; ; hops++ {
		if trusted = trusted && sameOrigin(origin, u); !trusted {
			away = u.Host
		}
		req := o.request(ctx)
		req.URL, req.Host = u, u.Host
		if u.Opaque != "" && u.Scheme == "http" && c.proxyOf(req) != nil {
			whole := *u
			whole.Opaque = "//" + u.Host + u.Opaque // a proxy needs the whole URL
			req.URL = &whole
		}
		if trusted {
			req.Header.Set("Authorization", key)
		}
		sent = 0
		// Not by http.Client, whose errors contain the URL.
		resp, err := rt.RoundTrip(req)
		if sent > maxSent {
			err = &Error{Err: &detailError{"the server ends each one before it answers", errCut}, temporary: true}
		}
		if err != nil {
			return nil, away, c.named(req, err)
		}
		if filter != nil {
			resp.TLS = filter.state()
		}
		if resp.StatusCode == http.StatusBadRequest && u.Opaque != "" {
			// The server rejects a bare %: try the escaped form.
			_ = resp.Body.Close()
			escaped := *u
			escaped.Opaque = ""
			u = &escaped
			continue
		}
		if !redirects(resp) {
			return resp, away, nil
		}
		_ = resp.Body.Close()     // nobody needs the body of a redirect
		if hops >= maxRedirects { // the second try of a bare % counts, too
			return nil, away, malformed(resp.StatusCode, "more than %d redirects", maxRedirects)
		}
		asked[u.String()] = true
		if u, err = redirectTarget(u, resp); err != nil {
			return nil, away, err
		}
		if asked[u.String()] { // each time around would be billed as a request
			return nil, away, malformed(resp.StatusCode, "redirects in a circle")
		}
	}
}

// request returns the request of one hop.
func (o outgoing) request(ctx context.Context) *http.Request {
	method, body := http.MethodGet, io.Reader(http.NoBody)
	if o.body != nil {
		method, body = http.MethodPost, bytes.NewReader(o.body)
	}
	req, _ := http.NewRequestWithContext(ctx, method, "", body) // fails only for another method or URL
	req.Header, req.Close = o.header.Clone(), o.close
	return req
}

// redirects reports whether resp sends the client elsewhere. Without a Location it is an answer.
func redirects(resp *http.Response) bool {
	switch resp.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
		http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return resp.Header.Get("Location") != ""
	}
	return false
}

func redirectTarget(from *url.URL, resp *http.Response) (*url.URL, error) {
	bad := func(why string) (*url.URL, error) { return nil, malformed(resp.StatusCode, "%s", why) }
	location := resp.Header.Get("Location")
	to, err := from.Parse(escapeLocation(location))
	if err != nil {
		return bad("a redirect whose Location is not a URL")
	}
	if path := to.EscapedPath(); strings.Contains(path, bare) && !strings.Contains(location, bare) {
		// net/http sends Opaque unchanged.
		to.Opaque = strings.ReplaceAll(path, bare, "%")
		to.RawPath = strings.ReplaceAll(path, bare, "%25")
		to.Path, _ = url.PathUnescape(to.RawPath) // it is valid
	}
	switch {
	case to.Scheme != "http" && to.Scheme != "https" || to.Hostname() == "":
		return bad("a redirect to what is neither http nor https")
	case from.Scheme == "https" && to.Scheme == "http":
		return bad("a redirect from https to plain http")
	}
	return to, nil
}

// bare marks a % that escapes nothing. No server sends this sequence itself.
const bare = "%00"

// escapeLocation turns a Location field into a valid URL, as curl does: blanks and bytes
// that are not ASCII are escaped, and a % in the path that escapes nothing becomes bare.
func escapeLocation(s string) string {
	s, _, _ = strings.Cut(s, "#")
	var b strings.Builder
	query := false
	for i := range len(s) {
		switch c := s[i]; {
		case c == ' ' && query:
			b.WriteByte('+')
		case c <= ' ' || c >= 0x7f:
			fmt.Fprintf(&b, "%%%02x", c)
		case c == '%' && !query && !escape(s[i:]):
			b.WriteString(bare)
		default:
			query = query || c == '?'
			b.WriteByte(c)
		}
	}
	return b.String()
}

// escape reports whether s begins with a percent escape.
func escape(s string) bool {
	const hex = "0123456789abcdefABCDEF"
	return len(s) >= 3 && strings.IndexByte(hex, s[1]) >= 0 && strings.IndexByte(hex, s[2]) >= 0
}

// sameOrigin reports whether a and b have the same scheme, host and port.
func sameOrigin(a, b *url.URL) bool {
	return a.Scheme == b.Scheme && strings.EqualFold(a.Hostname(), b.Hostname()) && port(a) == port(b)
}

func port(u *url.URL) string {
	if p := u.Port(); p != "" {
		return p
	}
	if u.Scheme == "https" {
		return "443"
	}
	return "80"
}
