package fakeapi

import (
	"encoding/binary"
	"errors"
	"hash/fnv"
	"io"
	"math"
	"strconv"
)

// blockWords is the size of a block of content in 8-byte words: 16 KiB, which stays in the
// first-level cache while a page is filled from it.
const blockWords = 2048

const blockSize = 8 * blockWords

// content is endless. Word w of block k is base[w] XOR key(k), so bytes at a wrong offset
// are noticed.
type content struct {
	seed uint64
	base [blockWords]uint64
}

// Content returns the bytes of one version of an asset. They are the same for the same
// arguments in every run. The reader never ends, allocates nothing, and is safe for
// concurrent use; the caller knows the size.
func Content(id string, version int) io.ReaderAt {
	h := fnv.New64a()
	_, _ = io.WriteString(h, id+"\x00"+strconv.Itoa(version)) // a hash never fails
	c := &content{seed: mix(h.Sum64())}
	for w := range c.base {
		c.base[w] = mix(c.seed + uint64(w)*golden)
	}
	return c
}

// golden is 2^64 divided by the golden ratio; its multiples are spread evenly.
const golden = 0x9e3779b97f4a7c15

// mix is the output function of SplitMix64. It makes neighbouring numbers unrelated.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

var errNegativeOffset = errors.New("fakeapi: negative offset")

// ReadAt fills all of p. It fails only for offsets outside of an int64.
func (c *content) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, errNegativeOffset
	}
	n := len(p)
	if int64(n) > math.MaxInt64-off {
		return 0, io.EOF
	}
	for len(p) > 0 {
		in := int(off % blockSize)
		m := min(len(p), blockSize-in)
		c.fill(p[:m], in, mix(^c.seed+uint64(off/blockSize)*golden))
		p, off = p[m:], off+int64(m)
	}
	return n, nil
}

// fill writes the bytes of a block, starting at its byte in.
func (c *content) fill(p []byte, in int, key uint64) {
	if skip := in % 8; skip != 0 {
		var word [8]byte
		binary.LittleEndian.PutUint64(word[:], c.base[in/8]^key)
		m := copy(p, word[skip:])
		p, in = p[m:], in+m
	}
	words := c.base[in/8:]
	for len(p) >= 32 && len(words) >= 4 {
		d, s := p[:32:32], words[:4:4]
		binary.LittleEndian.PutUint64(d[0:], s[0]^key)
		binary.LittleEndian.PutUint64(d[8:], s[1]^key)
		binary.LittleEndian.PutUint64(d[16:], s[2]^key)
		binary.LittleEndian.PutUint64(d[24:], s[3]^key)
		p, words = p[32:], words[4:]
	}
	for len(p) > 0 {
		var word [8]byte
		binary.LittleEndian.PutUint64(word[:], words[0]^key)
		p, words = p[copy(p, word[:]):], words[1:]
	}
}
