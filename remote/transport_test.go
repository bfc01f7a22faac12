package remote

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"testing"
	"testing/synctest"
	"time"
)

// A server that closes a new connection at once has sent nothing malformed.
func TestClosedBeforeRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewClient(&url.URL{Scheme: "http", Host: "api.test"}, Options{
			Key: NewKey("", testKey),
			Dial: func(context.Context, string, string) (net.Conn, error) {
				near, far := net.Pipe()
				_ = far.Close()
				return &lateConn{near}, nil
			},
		})
		defer c.Close()
		_, download := c.Download(t.Context(), Request{ID: testID})
		_, metadata := c.Metadata(t.Context(), Reader, testID)
		for _, err := range []error{download, metadata} {
			if e := failure(t, err); !errors.Is(err, errCut) || !retries(e) {
				t.Error(err)
			}
		}
	})
}

// lateConn is a connection that net/http reads from before it writes.
type lateConn struct{ net.Conn }

func (c *lateConn) SetDeadline(at time.Time) error {
	if at.IsZero() { // by Client.follow, right before the request
		time.Sleep(time.Second)
	}
	return c.Conn.SetDeadline(at)
}

// So it is with a stream that a server of HTTP/2 ends.
func TestStreamReset(t *testing.T) {
	srv := quietTLS(t, func(_ http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 2 {
			t.Errorf("by %s", r.Proto)
		}
		panic(http.ErrAbortHandler)
	})
	_, err := newTestClient(t, srv.URL, Options{TLS: trust(srv)}).Metadata(t.Context(), Reader, testID)
	if e := failure(t, err); !errors.Is(err, errCut) || !retries(e) {
		t.Error(err)
	}
	for text, want := range map[string]error{
		"http2: server sent GOAWAY and closed the connection; LastStreamID=1, ErrCode=NO_ERROR, debug=\"\"": errCut,
		"http2: client connection lost":                                           errCut,
		"net/http: HTTP/1.x transport connection broken: malformed HTTP response": ErrMalformed,
	} {
		if e := classify(t.Context(), t.Context(), errors.New(text)); !errors.Is(e, want) {
			t.Error(e)
		}
	}
}
