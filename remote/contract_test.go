package remote_test

import (
	"errors"
	"io"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"assetfs/remote"
	"assetfs/remote/fakeapi"
)

// target is an API to test against the contract.
type target struct {
	client  *remote.Client
	id      string // an asset that exists, of at least 256 KiB
	unknown string // one that doesn't
}

// TestContract checks what assetfs relies on, against the fake API, and against a real one if ASSETFS_CONTRACT_URL,
// ASSETFS_CONTRACT_ASSET and MEMORIES_API_KEY are set. The real one gets three download requests, of which little is read.
func TestContract(t *testing.T) {
	fake := fakeapi.New(fakeapi.Asset{
		ID: "re_1", Name: "video.mp4", Type: "video/mp4", Size: 1 << 20, ETag: "auto",
		ModTime: time.Date(2025, 12, 29, 6, 8, 37, 0, time.UTC),
	})
	fake.Configure(func(c *fakeapi.Config) { c.Key = "sk-mavi-test" })
	for name, configure := range map[string]func(*fakeapi.Config){
		"Fake":        func(*fakeapi.Config) {},
		"NoRange":     func(c *fakeapi.Config) { c.NoRange = true },
		"OldDialect":  func(c *fakeapi.Config) { c.OldCodes, c.ErrorsOn200 = true, true },
		"WithLatency": func(c *fakeapi.Config) { c.Latency = 20 * time.Millisecond },
	} {
		t.Run(name, func(t *testing.T) {
			fake.Configure(func(c *fakeapi.Config) { *c = fakeapi.Config{Key: "sk-mavi-test"}; configure(c) })
			server := httptest.NewServer(fake)
			defer server.Close()
			contract(t, newTarget(t, server.URL, remote.NewKey("", "sk-mavi-test"), "re_1"))
		})
	}
	if base := os.Getenv("ASSETFS_CONTRACT_URL"); base != "" {
		t.Run("Real", func(t *testing.T) {
			contract(t, newTarget(t, base, remote.NewKey("", os.Getenv("MEMORIES_API_KEY")), os.Getenv("ASSETFS_CONTRACT_ASSET")))
		})
	}
}

func newTarget(t *testing.T, base string, key *remote.Key, id string) target {
	t.Helper()
	u, err := remote.CheckBaseURL(base, false)
	if err != nil {
		t.Fatal(err)
	}
	client := remote.NewClient(u, remote.Options{Key: key, RateLimit: remote.AutoRateLimit()})
	t.Cleanup(client.Close)
	return target{client, id, "re_1000000000000000000"}
}

func contract(t *testing.T, x target) {
	// The first request gives name and size, and shows whether Range works.
	first, err := x.client.Download(t.Context(), remote.Request{ID: x.id})
	if err != nil {
		t.Fatal(err)
	}
	head := make([]byte, 64<<10)
	if _, err := io.ReadFull(first.Body, head); err != nil {
		t.Error(err)
	}
	_ = first.Body.Close()
	if first.Info.Name == "" || first.Info.Type == "" || first.Info.Size <= 0 {
		t.Errorf("the header of a download tells %+v, want name, type and size", first.Info)
	}
	if first.Start != 0 || first.End != first.Info.Size {
		t.Errorf("body is [%d,%d) of %d bytes", first.Start, first.End, first.Info.Size)
	}

	// A range brings the same bytes, or everything from the start.
	second, err := x.client.Download(t.Context(), remote.Request{ID: x.id, Start: 1000, End: 2000})
	if err != nil {
		t.Fatal(err)
	}
	part := make([]byte, 2000-second.Start)
	if _, err := io.ReadFull(second.Body, part); err != nil {
		t.Error(err)
	}
	_ = second.Body.Close()
	if string(part) != string(head[second.Start:2000]) {
		t.Error("the range holds other bytes than the head")
	}
	if second.Partial != first.Partial || second.Partial && (second.Start != 1000 || second.End != 2000) {
		t.Errorf("asked for [1000,2000), got [%d,%d), partial %v", second.Start, second.End, second.Partial)
	}

	// An unknown asset is an error that says so.
	_, err = x.client.Download(t.Context(), remote.Request{ID: x.unknown})
	var e *remote.Error
	if !errors.As(err, &e) || !e.NotFound() || e.Msg == "" {
		t.Errorf("an unknown asset is %v, want an error that it was not found", err)
	} else if n, _ := e.Retry(); n != 0 {
		t.Errorf("%v is worth %d requests, want none", err, n)
	}

	// The metadata call agrees with the download, or does not exist.
	info, err := x.client.Metadata(t.Context(), remote.Reader, x.id)
	if errors.Is(err, remote.ErrNoMetadata) {
		t.Log("the API has no metadata call")
	} else if err != nil || info.Size != first.Info.Size {
		t.Errorf("metadata says %+v, %v; the download %+v", info, err, first.Info)
	}
}
