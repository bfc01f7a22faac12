package asset

import (
	"context"
	"io"
	"testing"
	"time"

	"assetfs/fs/spool"
)

// stumbling is a source whose bodies return one byte first, and then all that is asked for.
type stumbling struct {
	size  int64
	reads *[]int64 // where they began
}

func (s stumbling) Open(context.Context, string, Request) (*Response, error) {
	return &Response{
		Info: Info{Name: "a.bin", Size: s.size, Header: true}, Ranged: true, End: s.size, Body: &stumblingBody{stumbling: s},
	}, nil
}

func (stumbling) Budget() Budget { return Budget{Available: 1, Worth: 5 * time.Second} }

type stumblingBody struct {
	stumbling
	off int64
}

func (b *stumblingBody) Read(p []byte) (int, error) {
	if b.off == b.size {
		return 0, io.EOF
	}
	*b.reads = append(*b.reads, b.off)
	n := min(int64(len(p)), b.size-b.off)
	if b.off == 0 {
		n = 1
	}
	b.off += n
	return int(n), nil
}

func (*stumblingBody) Stop() int    { return 0 }
func (*stumblingBody) Close() error { return nil }

// TestShortRead shows that one short read does not make two writes necessary for each later read of
// the kernel's.
func TestShortRead(t *testing.T) {
	const size = 8 * mib
	var reads []int64
	s := newTestStore(t, StoreOptions{Spool: spool.Options{Dry: true}}, Options{
		Source: stumbling{size, &reads}, ReadAhead: mib, StallTimeout: time.Minute, RetryFor: time.Minute,
	})
	r := s.Asset("re_1").Open()
	p := make([]byte, mib)
	for off := int64(0); off < size; off += mib {
		if _, err := r.ReadAt(t.Context(), p, off); err != nil {
			t.Fatal(err)
		}
	}
	end(r)
	for _, off := range reads[2:] {
		if off%(128<<10) != 0 {
			t.Errorf("a read of the body began at %d", off)
		}
	}
	t.Log(len(reads), "reads")
}
