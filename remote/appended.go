package remote

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	// appendedMost is how long an error is at most that is looked for behind an asset's bytes. A
	// trace of Java's has some 10 KiB.
	appendedMost = 16 << 10
	// appendedTries bounds how many objects are read to find its beginning.
	appendedTries = 32
)

// errorKeys are the keys with which the objects of the API and its gateway begin.
var errorKeys = []string{
	"code", "msg", "data", "success", "failed", "timestamp", "path", "status", "error", "requestId", "message",
}

// fatalError is how PHP begins to say why a script ended, with html_errors and without: at its
// max_execution_time, for example.
var fatalError = []string{"<br />\n<b>Fatal error</b>: ", "\nFatal error: "}

// appended returns where in b an error may begin that takes the place of the rest of an asset,
// len(b) if there is none. b is what has come so far, so the error may be incomplete.
//
// A Java server that fails in the middle of an asset can't take back the header. Spring calls
// the program's error handler all the same, which writes its object behind the bytes that were
// sent. Only then does the connection end, or nothing more comes.
func appended(b []byte) int {
	from := max(0, len(b)-appendedMost)
	from += 1 + bytes.LastIndexByte(b[from:], 0) // no error has such bytes, but most assets have many
	var begins []int
	for i := from; i < len(b); i++ {
		next := bytes.IndexByte(b[i:], '{')
		if next < 0 {
			break
		}
		if i += next; beginsError(b[i:]) {
			begins = append(begins, i)
		}
	}
	for _, i := range begins[max(0, len(begins)-appendedTries):] {
		if lastsToEnd(b[i:]) {
			return i
		}
	}
	for _, words := range fatalError {
		if i := bytes.Index(b[from:], []byte(words)); i >= 0 && !binary(b[from+i:]) {
			return from + i
		}
		for n := min(len(words)-1, len(b)); n > 0; n-- {
			if bytes.HasSuffix(b, []byte(words[:n])) {
				return len(b) - n
			}
		}
	}
	return len(b)
}

// beginsError reports whether b, which begins with a brace, begins like an error, as far as it
// goes.
func beginsError(b []byte) bool {
	rest := bytes.TrimLeft(b[1:], " \t\r\n")
	if len(rest) == 0 || rest[0] != '"' {
		return len(rest) == 0
	}
	key, _, whole := strings.Cut(string(rest[1:min(len(rest), 32)]), `"`)
	return slices.ContainsFunc(errorKeys, func(k string) bool {
		return k == key || !whole && strings.HasPrefix(k, key)
	})
}

// lastsToEnd reports whether b is one JSON object, or the beginning of one.
func lastsToEnd(b []byte) bool {
	b = slices.Clone(b)
	for i, c := range b {
		if c < ' ' { // see parseErrorObject
			b[i] = ' '
		}
	}
	d := json.NewDecoder(bytes.NewReader(b))
	var object json.RawMessage
	err := d.Decode(&object)
	if err == nil {
		return len(bytes.TrimSpace(b[d.InputOffset():])) == 0
	}
	return errors.Is(err, io.ErrUnexpectedEOF)
}

// holdBack takes from p, the last bytes that have come, those that may be an error, and returns
// how many are left. What comes next decides what they are.
func (b *Body) holdBack(p []byte) int {
	i := appended(p)
	b.suspect = slices.Clone(p[i:])
	return i
}

// resolve waits for what follows the bytes that are held back. Unless it fails, some of them
// are the asset's.
func (b *Body) resolve() *Error {
	if b.stopped {
		return &Error{Err: errClosed} // nothing may follow
	}
	buf := slices.Grow(b.suspect, 4<<10)
	n, err := b.fill(buf[len(buf):cap(buf)])
	buf = buf[:len(buf)+n]
	if errors.Is(err, io.EOF) && !b.failed(buf) {
		b.left.CompareAndSwap(-1, int64(len(buf)))
	}
	if left := b.left.Load(); left >= 0 && int64(len(buf)) >= left { // this is all
		b.peeked, b.suspect = buf, nil
		return nil
	}
	b.peeked = buf[:b.holdBack(buf)]
	if len(b.peeked) == 0 && err != nil { // else it will come again
		return b.cut(err)
	}
	return nil
}

// failed reports whether a body without a length, of which p are the last bytes, ends with an
// error. Then its end proves nothing: the chunks of a server that can't go on end like any
// others. Behind text an error may be part of the asset, which may be a log.
func (b *Body) failed(p []byte) bool {
	i := appended(p)
	o := parseErrorObject(p[i:])
	return o.replaces() && codeNumber(o.code) != 0 && (binary(p[:i]) || i == 0 && b.binary)
}

// binary reports whether b does not end like text.
func binary(b []byte) bool {
	b = b[max(0, len(b)-64):]
	for range utf8.UTFMax - 1 {
		if len(b) > 0 && !utf8.RuneStart(b[0]) {
			b = b[1:] // its beginning is missing
		}
	}
	return !utf8.Valid(b) || bytes.IndexByte(b, 0) >= 0
}

// cut returns the error of a body that err ended too early, with the server's own words if
// those are what is held back.
func (b *Body) cut(err error) *Error {
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	e := b.classify(err)
	if o := parseErrorObject(b.suspect); e.temporary && (o.api || o.gateway) {
		e.Code, e.Msg = o.code, hide(o.msg, b.key)
		if !b.began { // it is the whole answer
			e.Status = b.status
		}
	}
	if words := scriptWords(b.suspect); e.temporary && strings.HasPrefix(words, "Fatal error: ") {
		e.Msg = hide(words, b.key)
	}
	b.suspect = nil
	return e
}
