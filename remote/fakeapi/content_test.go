package fakeapi

import (
	"bytes"
	"io"
	"math"
	"math/rand/v2"
	"testing"
)

// sequential reads the first n bytes in one go.
func sequential(t *testing.T, c io.ReaderAt, n int64) []byte {
	t.Helper()
	b := make([]byte, n)
	if m, err := c.ReadAt(b, 0); m != len(b) || err != nil {
		t.Fatalf("ReadAt(%d, 0) = %d, %v", n, m, err)
	}
	return b
}

func TestContentAtAnyOffset(t *testing.T) {
	const size = 5*blockSize + 321
	want := sequential(t, Content("re_1", 1), size)
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 5000 {
		off := rnd.Int64N(size)
		n := rnd.Int64N(min(size-off, 3*blockSize)) + 1
		if rnd.IntN(2) == 0 {
			n = min(n, 40)
		}
		got := make([]byte, n)
		if m, err := Content("re_1", 1).ReadAt(got, off); int64(m) != n || err != nil {
			t.Fatalf("ReadAt(%d, %d) = %d, %v", n, off, m, err)
		}
		if !bytes.Equal(got, want[off:off+n]) {
			t.Fatalf("ReadAt(%d, %d) differs from a sequential read", n, off)
		}
	}
}

// TestContentDiffers compares each 8-byte word with all others: bytes at a wrong offset must be noticed, even if it is wrong
// by whole blocks.
func TestContentDiffers(t *testing.T) {
	const size = 64 * blockSize
	seen := map[string]int{}
	for name, c := range map[string]io.ReaderAt{
		"re_1 version 0": Content("re_1", 0), "re_1 version 1": Content("re_1", 1), "re_10": Content("re_10", 0),
	} {
		b := sequential(t, c, size)
		for off := 0; off < size; off += 8 {
			word := string(b[off : off+8])
			if at, ok := seen[word]; ok {
				t.Fatalf("%s: the word at %d was seen at %d", name, off, at)
			}
			seen[word] = off
		}
	}
}

func TestContentLimits(t *testing.T) {
	c, b := Content("re_1", 0), make([]byte, 10)
	if _, err := c.ReadAt(b, -1); err == nil {
		t.Error("ReadAt(-1) did not fail")
	}
	if n, err := c.ReadAt(b, math.MaxInt64-10); n != 10 || err != nil {
		t.Errorf("ReadAt(MaxInt64-10) = %d, %v", n, err)
	}
	if _, err := c.ReadAt(b, math.MaxInt64-9); err == nil {
		t.Error("ReadAt past MaxInt64 did not fail")
	}
}

// TestContentIsFixed makes sure that the bytes never change, since spools of older runs hold them.
func TestContentIsFixed(t *testing.T) {
	got := sequential(t, Content("re_1", 0), 8)
	if want := []byte{0xf4, 0xf9, 0x6f, 0x07, 0x3b, 0xf7, 0xc7, 0xa8}; !bytes.Equal(got, want) {
		t.Errorf("got %#v, want %#v", got, want)
	}
}

func BenchmarkContent(b *testing.B) {
	c, p := Content("re_1", 0), make([]byte, writeSize)
	b.SetBytes(writeSize)
	for i := range b.N {
		if _, err := c.ReadAt(p, int64(i)*writeSize+3); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkNewContent(b *testing.B) {
	for range b.N {
		Content("re_1", 0)
	}
}
