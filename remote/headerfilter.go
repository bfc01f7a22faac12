package remote

import (
	"bytes"
	"cmp"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
)

// filterConn is a connection for HTTP/1. It holds the header of a response back until that is
// complete, and mends what net/http refuses a whole response for while curl and browsers don't.
// Headers of interim answers (1xx) are left out. The bytes of the body are not changed and cost
// nothing, but the framing of chunks is. Neither is anything that does not begin like HTTP.
type filterConn struct {
	net.Conn
	asked  atomic.Bool  // a request was written since the last header
	next   framingState // of what comes behind plain
	plain  int64        // bytes that are passed on as they are
	raw    []byte       // what has come and was not understood yet
	line   int          // index in raw of the last line of the header
	mended []byte       // to be delivered before anything else
	err    error        // to be delivered after that
	passed atomic.Int64 // bytes of bodies that were read, including their framing
}

func (c *filterConn) Write(p []byte) (int, error) {
	c.asked.Store(true)
	return c.Conn.Write(p)
}

func (c *filterConn) Read(p []byte) (n int, err error) {
	for len(c.mended) == 0 && c.err == nil && len(p) > 0 {
		if c.plain > 0 {
			p = p[:min(int64(len(p)), c.plain)]
		}
		n, err = c.Conn.Read(p) // net/http waits here while it keeps the connection
		if c.asked.CompareAndSwap(true, false) {
			c.next, c.plain, c.raw, c.line = inHeader, 0, nil, 0
		}
		if c.plain > 0 {
			c.plain -= int64(n)
			c.passed.Add(int64(n))
			if failsTLS(err) {
				err = &causeError{errCut, err} // TLS had been agreed on: what came was damaged
			}
			return n, err
		}
		c.raw, c.err = append(c.raw, p[:n]...), err
		if c.next == inHeader {
			c.filterHeader()
		} else {
			c.filterChunks()
		}
	}
	if len(c.mended) == 0 {
		return 0, c.err
	}
	n = copy(p, c.mended)
	c.mended = c.mended[n:]
	return n, nil
}

// filterHeader looks for the end of the header in what has come so far. A header that is cut off
// is not delivered: net/http would find fault with its last line instead.
func (c *filterConn) filterHeader() {
	const proto = "HTTP/"
	for {
		begin := string(c.raw[:min(len(c.raw), len(proto))])
		end := c.headerEnd()
		switch {
		case !strings.EqualFold(begin, proto[:len(begin)]), end < 0 && len(c.raw) > maxHeader:
			c.plain, c.mended, c.raw = everything, c.raw, nil // net/http will refuse it
			return
		case end < 0:
			if errors.Is(c.err, io.EOF) && len(c.raw) > 0 {
				c.err = io.ErrUnexpectedEOF
			}
			return
		}
		header, rest := c.raw[:end], c.raw[end:]
		if c.line, c.raw = 0, rest; interim(header) {
			continue
		}
		mended, err := mendHeader(header)
		if err != nil {
			c.err = err
			return
		}
		if c.mended = mended; bytes.HasSuffix(mended, []byte(inChunks+"\r\n")) {
			c.next = chunkSize
			c.filterChunks()
			return
		}
		c.mended = append(c.mended, rest...)
		c.raw, c.plain = nil, everything
		c.passed.Add(int64(len(rest)))
		return
	}
}

// headerEnd returns the length of the header in c.raw, -1 if it is not complete.
func (c *filterConn) headerEnd() int {
	for {
		n := bytes.IndexByte(c.raw[c.line:], '\n')
		if n < 0 {
			return -1
		}
		blank := n == 0 || n == 1 && c.raw[c.line] == '\r'
		if c.line += n + 1; blank {
			return c.line
		}
	}
}

// state returns the state of TLS, nil without it: net/http does not see it through the filter.
func (c *filterConn) state() *tls.ConnectionState {
	t, ok := c.Conn.(*tls.Conn)
	if !ok {
		return nil
	}
	s := t.ConnectionState()
	return &s
}

// interim reports whether another header follows this one.
func interim(header []byte) bool {
	line, _, _ := bytes.Cut(header, []byte("\n"))
	words := strings.Fields(string(line))
	return len(words) > 1 && words[1][0] == '1' && words[1] != "101"
}

// mendHeader returns a complete header as net/http accepts it. Control bytes, and what is no
// token in a name, are replaced. A line without a colon becomes a field without a value, a field
// that goes on in further lines becomes one line, and http in small letters becomes HTTP. All
// fields that say where the body ends become the one that counts.
func mendHeader(header []byte) ([]byte, error) {
	lines := strings.Split(strings.TrimRight(string(header), "\r\n"), "\n")
	var fields []field
	for _, line := range lines[1:] {
		line = strings.TrimSuffix(line, "\r")
		if goesOn := strings.TrimLeft(line, blanks); len(goesOn) < len(line) {
			if len(fields) > 0 {
				fields[len(fields)-1].value += " " + goesOn
			}
			continue
		}
		name, value, _ := strings.Cut(line, ":")
		fields = append(fields, field{replace(strings.TrimRight(name, blanks), token), value})
	}
	framed, err := framing(fields)
	if err != nil {
		return nil, err
	}
	version, status, _ := strings.Cut(replace(strings.TrimSuffix(lines[0], "\r"), printing), " ")
	if version = strings.ToUpper(version); version != "HTTP/1.0" || framed == inChunks { // net/http knows no chunks in 1.0
		version = "HTTP/1.1"
	}
	out := append(make([]byte, 0, len(header)+len(framed)), version+" "+status+"\r\n"...)
	for _, f := range fields {
		if !f.is("Content-Length") && !f.is("Transfer-Encoding") && !f.is("Trailer") { // the last may be refused, too
			out = append(out, cmp.Or(f.name, string(replacement))+": "+replace(strings.Trim(f.value, blanks), printing)+"\r\n"...)
		}
	}
	return append(out, framed+"\r\n"...), nil
}

// field is a field of a header.
type field struct{ name, value string }

func (f field) is(name string) bool { return strings.EqualFold(f.name, name) }

const (
	blanks = " \t"
	// replacement replaces bytes that are not allowed. It is allowed in names and values, and
	// browsers use it in the names of downloads.
	replacement = '_'
	inChunks    = "Transfer-Encoding: chunked\r\n"
)

// replace replaces the bytes that are not allowed.
func replace(s string, allowed func(byte) bool) string {
	b := []byte(s)
	for i, c := range b {
		if !allowed(c) {
			b[i] = replacement
		}
	}
	return string(b)
}

func printing(c byte) bool { return c >= ' ' && c != 0x7f || c == '\t' }

// framing returns the line that says where the body ends (RFC 9112, 6.3); "" if only the end of
// the connection does. Chunks come before any length. A length may be given several times as long
// as it is the same one (RFC 9110, 8.6). Of two lengths neither can be trusted: the wrong one
// would cut the asset short, or add bytes that are not its own.
func framing(fields []field) (string, error) {
	framed := ""
	for _, word := range listed(fields, "Transfer-Encoding") {
		switch strings.ToLower(word) {
		case "chunked":
			framed = inChunks
		case "identity":
		default:
			return "", malformed(0, "Transfer-Encoding %q was not asked for", word)
		}
	}
	if framed != "" {
		return framed, nil
	}
	first := uint64(0)
	for i, word := range listed(fields, "Content-Length") {
		n, err := strconv.ParseUint(word, 10, 63)
		switch {
		case err != nil:
			return "", malformed(0, "Content-Length %q is impossible", word)
		case i == 0:
			first = n
		case n != first:
			return "", malformed(0, "two different lengths, %d and %d (Content-Length)", first, n)
		}
		framed = "Content-Length: " + strconv.FormatUint(n, 10) + "\r\n"
	}
	return framed, nil
}

// listed returns the words of all fields of that name, whose values are lists.
func listed(fields []field, name string) (words []string) {
	for _, f := range fields {
		if !f.is(name) {
			continue
		}
		for word := range strings.SplitSeq(f.value, ",") {
			if word = strings.Trim(word, blanks); word != "" {
				words = append(words, word)
			}
		}
	}
	return words
}
