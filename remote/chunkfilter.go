package remote

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// framingState says what a filterConn expects next, apart from bytes that it passes on.
type framingState int

const (
	inHeader framingState = iota
	chunkSize
	chunkEnd // behind the data of a chunk
	chunkTrailer
)

// everything is more bytes than a body has.
const everything = math.MaxInt64

// filterChunks rewrites the framing of chunks in what has come so far: net/http refuses line feeds
// alone, quoted or long extensions, and odd or long trailers, which curl and browsers read. Nobody
// needs extensions and trailers, so they are left out.
func (c *filterConn) filterChunks() {
	for {
		data := c.raw[:min(c.plain, int64(len(c.raw)))]
		c.mended = append(c.mended, data...)
		c.raw = c.raw[len(data):]
		c.plain -= int64(len(data)) // while some is missing, nothing has come behind it
		text, rest, ok := bytes.Cut(c.raw, []byte("\n"))
		if !ok {
			if len(c.raw) > maxHeader {
				c.err = malformed(0, "a line between chunks of more than %d bytes", maxHeader)
			}
			return
		}
		c.raw = rest
		line := strings.TrimSuffix(string(text), "\r")
		switch {
		case c.next == chunkSize:
			size, _, _ := strings.Cut(line, ";")
			n, err := strconv.ParseUint(strings.TrimRight(size, blanks), 16, 60)
			switch {
			case err != nil:
				c.err = malformed(0, "a chunk of size %q", bounded(size))
				return
			case n == 0:
				c.next = chunkTrailer
			default:
				c.mended = fmt.Appendf(c.mended, "%x\r\n", n)
				c.plain, c.next = int64(n), chunkEnd
			}
		case c.next == chunkEnd && line == "":
			c.mended = append(c.mended, "\r\n"...)
			c.next = chunkSize
		case c.next == chunkEnd:
			c.err = malformed(0, "%q behind a chunk", bounded(line))
			return
		case line == "": // the trailer has ended
			c.mended = append(append(c.mended, "0\r\n\r\n"...), c.raw...)
			c.raw, c.plain, c.next = nil, everything, inHeader
			return
		}
	}
}
