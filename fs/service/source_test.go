package service

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"assetfs/fs/asset"
	"assetfs/fs/catalog"
	"assetfs/remote"
)

// single is a server that serves one request at a time.
type single struct{ busy sync.Mutex }

func (s *single) Dial(context.Context, string, string) (net.Conn, error) {
	near, far := net.Pipe()
	go s.serve(far)
	return near, nil
}

// serve answers one request: a download for as long as somebody reads it, a free call when no download is running.
func (s *single) serve(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	line, err := in.ReadString('\n')
	if err != nil {
		return
	}
	go func() { _, _ = io.Copy(io.Discard, in) }()
	for !s.busy.TryLock() {
		time.Sleep(10 * time.Millisecond)
	}
	defer s.busy.Unlock()
	if !strings.Contains(line, "/download ") {
		answer := `{"code":200,"data":{"total":1,"resource":[{"asset_id":"re_1","file_size":"67108864","original_filename":"x"}],"total_count":0,"videos":[]},"success":true}`
		_, _ = fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", len(answer), answer)
		return
	}
	_, err = io.WriteString(conn, "HTTP/1.1 206 Partial Content\r\nContent-Disposition: attachment; filename=x\r\nETag: \"1\"\r\n"+
		"Content-Range: bytes 0-67108863/67108864\r\nContent-Length: 67108864\r\n\r\n")
	for b := make([]byte, 64<<10); err == nil; {
		_, err = conn.Write(b)
	}
}

// A server that serves one request at a time answers a free call only once a paused download has given way.
func TestFreeCallsAreHurried(t *testing.T) {
	for name, call := range map[string]func(context.Context, *Source) error{
		"metadata": func(ctx context.Context, s *Source) error {
			_, err := s.Metadata(ctx, false, "re_1")
			return err
		},
		"list": func(ctx context.Context, s *Source) error {
			_, err := s.ListVideos(ctx, "default", func([]catalog.Video) {})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				base := &url.URL{Scheme: "http", Host: "api.test"}
				client := remote.NewClient(base, remote.Options{Key: remote.NewKey("", "secret"), Library: base, Dial: new(single).Dial})
				store, err := asset.OpenStore(t.TempDir(), base.String(), asset.StoreOptions{})
				if err != nil {
					t.Fatal(err)
				}
				api := &Source{Client: client, Log: slog.New(slog.DiscardHandler), Store: store, Place: func(string) (bucket, blob string, err error) { return }}
				store.Serve(&asset.Options{Source: api, ReadAhead: 1 << 20, StallTimeout: time.Minute, RetryFor: time.Minute})
				r := store.Asset("re_1").Open()
				if _, err := r.ReadAt(t.Context(), make([]byte, 1<<20), 0); err != nil {
					t.Fatal(err)
				}
				time.Sleep(3 * time.Second)
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				if err := call(ctx, api); err != nil {
					t.Error(err)
				}
				r.Close()
				store.CloseAssets()
				client.Close()
				if err := store.Close(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}
