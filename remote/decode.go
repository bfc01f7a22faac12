package remote

import (
	"bufio"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"io"
)

// decode makes Read decompress the body if it knows the coding. Some servers compress
// their errors for clients that did not ask for it.
func (b *Body) decode(coding string) {
	var open func(io.Reader) (io.Reader, error)
	switch coding {
	case "gzip", "x-gzip":
		open = func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) }
	case "deflate":
		open = inflate
	default:
		return
	}
	b.rc = &decoded{Closer: b.rc, raw: b.rc, open: open}
}

// inflate reads deflate as HTTP has it, with the header of zlib. Some servers omit the
// header, and other clients accept that.
func inflate(r io.Reader) (io.Reader, error) {
	b := bufio.NewReader(r)
	head, err := b.Peek(2)
	if err != nil {
		return nil, err
	}
	if head[0]&0x0f == 8 && (int(head[0])<<8|int(head[1]))%31 == 0 { // RFC 1950, 2.2
		return zlib.NewReader(b)
	}
	return flate.NewReader(b), nil
}

// decoded is a body that is decompressed as it is read.
type decoded struct {
	io.Closer
	raw   io.Reader
	open  func(io.Reader) (io.Reader, error)
	plain io.Reader // nil before the first Read
}

// Read reads plain bytes.
func (d *decoded) Read(p []byte) (int, error) {
	if d.plain == nil {
		r, err := d.open(d.raw)
		if err != nil {
			return 0, err
		}
		d.plain = r
	}
	return d.plain.Read(p)
}
