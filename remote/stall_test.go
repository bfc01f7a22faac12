package remote

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// Wherever a server stops, the wait is bounded and the error says so. But a body belongs to its reader, who may pause as long
// as it likes.
func TestStalls(t *testing.T) {
	const timeout = 20 * time.Second
	for _, tc := range []struct {
		name   string
		header string // then nothing more
		status int
	}{
		{"no header", "", 0},
		{"error without its body", "HTTP/1.1 402 X\r\nContent-Length: 10\r\n\r\n", 402},
		{"success that must be looked at", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			release := make(chan struct{})
			c, _, stop := bubble(t, func(w http.ResponseWriter, _ *http.Request) {
				conn, _, err := http.NewResponseController(w).Hijack()
				if err != nil {
					t.Error(err)
					return
				}
				_, _ = io.WriteString(conn, tc.header)
				<-release
				_ = conn.Close()
			}, Options{ResponseTimeout: timeout})
			defer stop()
			defer close(release)
			_, err := c.Download(t.Context(), Request{ID: testID})
			e := failure(t, err)
			if e.Status != tc.status || tc.status == 0 && (!errors.Is(err, ErrStalled) || !retries(e)) {
				t.Errorf("%s: %v, want status %d or a temporary ErrStalled", tc.name, err, tc.status)
			}
			if d := time.Since(began); d != timeout {
				t.Errorf("%s: took %v, want %v", tc.name, d, timeout)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		c, _, stop := bubble(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "10")
			w.WriteHeader(http.StatusPaymentRequired)
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}, Options{ResponseTimeout: timeout})
		defer stop()
		ctx, cancel := context.WithTimeout(t.Context(), timeout/2)
		defer cancel()
		if _, err := c.Download(ctx, Request{ID: testID}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("whoever gives up before the error's body has come gets %v", err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		c, _, stop := bubble(t, func(w http.ResponseWriter, _ *http.Request) {
			attach(w, "x")
			for range 10 {
				_, _ = io.WriteString(w, "x")
				_ = http.NewResponseController(w).Flush()
				time.Sleep(10 * timeout)
			}
		}, Options{ResponseTimeout: timeout})
		defer stop()
		if _, body, err := fetch(t, c, Request{}); err != nil || len(body) != 10 {
			t.Errorf("a slow body: %q, %v", body, err)
		}
	})
}

// A body lives as long as the ctx of its request, and Close ends a Read.
func TestBodyEnds(t *testing.T) {
	open := func(t *testing.T, ctx context.Context) (*Body, func()) {
		c, _, stop := bubble(t, func(w http.ResponseWriter, r *http.Request) {
			attach(w, "x")
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "abc")
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}, Options{})
		resp, err := c.Download(ctx, Request{ID: testID})
		if err != nil {
			t.Fatal(err)
		}
		// It does not wait for more than has come.
		if n, err := resp.Body.Read(make([]byte, 10)); n != 3 || err != nil {
			t.Fatal(n, err)
		}
		return resp.Body, stop
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		b, stop := open(t, ctx)
		defer stop()
		for range 2 { // the error stays
			_, err := b.Read(make([]byte, 10))
			if e := failure(t, err); !errors.Is(err, context.DeadlineExceeded) || retries(e) {
				t.Errorf("got %v, want ctx's deadline", err)
			}
		}
		_ = b.Close()
	})
	synctest.Test(t, func(t *testing.T) {
		b, stop := open(t, t.Context())
		defer stop()
		time.AfterFunc(time.Second, func() { _ = b.Close() })
		_, err := b.Read(make([]byte, 10))
		if e := failure(t, err); !errors.Is(err, errClosed) || retries(e) {
			t.Errorf("got %v, want a closed download", err)
		}
	})
}

// A film with a name is an asset by its header alone: a server may take long for the first byte.
func TestNameIsEnough(t *testing.T) {
	const film = "HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\n" + attachment
	for _, header := range []string{
		film + "Content-Length: 1000000\r\n\r\n",
		film + "Transfer-Encoding: chunked\r\n\r\n",
		strings.Replace(film, "200", "206", 1) + "Content-Length: 10\r\nContent-Range: bytes 0-9/1000000\r\n\r\n",
	} {
		synctest.Test(t, func(t *testing.T) {
			c, _, stop := bubble(t, func(w http.ResponseWriter, _ *http.Request) {
				conn, _, err := http.NewResponseController(w).Hijack()
				if err != nil {
					t.Error(err)
					return
				}
				_, _ = io.WriteString(conn, header)
				_, _ = io.Copy(io.Discard, conn)
				_ = conn.Close()
			}, Options{})
			defer stop()
			began := time.Now()
			resp, err := c.Download(t.Context(), Request{ID: testID})
			if err != nil || time.Since(began) > 0 {
				t.Errorf("%q: %v after %v", header, err, time.Since(began))
			}
			if err == nil {
				_ = resp.Body.Close()
			}
		})
	}
}

// Who gives up while an answer is looked at learns nothing from its first half.
func TestGivenUpWhileLookedAt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _, stop := bubble(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "500")
			_, _ = io.WriteString(w, `{"code":500,"msg":"x`)
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}, Options{})
		defer stop()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := c.Download(ctx, Request{ID: testID})
		if !errors.Is(err, context.DeadlineExceeded) || failure(t, err).Code != "" {
			t.Errorf("got %v", err)
		}
	})
}
