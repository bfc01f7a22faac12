package remote

import (
	"context"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
)

// maxRedirects is how many redirects one request follows.
const maxRedirects = 5

// follow sends a GET and follows redirects. The key goes to the scheme, host and
// port of u alone, and after the first hop elsewhere to nobody: net/http would
// send it to another port and down to http. onConn is told each hop's
// connection, before the request is written to it. Errors never hold a query,
// which may be a signature. The caller closes the response's body.
func (c *Client) follow(ctx context.Context, rt http.RoundTripper, u *url.URL, h http.Header, key string, onConn func(net.Conn)) (*http.Response, error) {
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(i httptrace.GotConnInfo) { onConn(i.Conn) },
	})
	origin, trusted := u, true
	for hops := 0; ; hops++ {
		trusted = trusted && sameOrigin(origin, u)
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "", http.NoBody)
		if err != nil {
			return nil, err
		}
		req.URL, req.Host, req.Header = u, u.Host, h.Clone()
		if trusted && key != "" {
			req.Header.Set("Authorization", key)
		}
		// Not http.Client, whose errors print the URL.
		resp, err := rt.RoundTrip(req)
		if err != nil {
			return nil, err
		}
		if !redirects(resp) {
			return resp, nil
		}
		_ = resp.Body.Close() // a redirect's body is nothing to anybody
		if hops == maxRedirects {
			return nil, malformed(resp.StatusCode, "more than %d redirects", maxRedirects)
		}
		if u, err = redirectTarget(u, resp); err != nil {
			return nil, err
		}
	}
}

func redirects(resp *http.Response) bool {
	switch resp.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
		http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	}
	return false
}

func redirectTarget(from *url.URL, resp *http.Response) (*url.URL, error) {
	bad := func(why string) (*url.URL, error) { return nil, malformed(resp.StatusCode, "%s", why) }
	location := resp.Header.Get("Location")
	if location == "" {
		return bad("a redirect without Location")
	}
	to, err := from.Parse(location)
	if err != nil {
		return bad("a redirect whose Location is no URL")
	}
	switch {
	case to.Scheme != "http" && to.Scheme != "https" || to.Hostname() == "":
		return bad("a redirect to what is neither http nor https")
	case from.Scheme == "https" && to.Scheme == "http":
		return bad("a redirect from https to plain http")
	}
	to.User, to.Fragment, to.RawFragment = nil, "", ""
	return to, nil
}

// sameOrigin tells that a and b have scheme, host and port in common.
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
