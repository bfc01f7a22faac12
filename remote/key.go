package remote

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
)

// maxKey bounds a key file, in bytes. A key has a few dozen.
const maxKey = 4096

// Key is the API key. It is read when first needed, and again after a request is answered
// 401, unless it came from a pipe. It never appears in formatted output.
type Key struct {
	file     string
	fallback string
	only     atomic.Pointer[string] // the key, if file can't be read again

	mu    sync.Mutex // guards the fields below; held during the read, so that only one runs
	value string
	seen  string // the value at the last call of Renewed
}

// NewKey returns a key that is read from file. If file is "" or the file is empty, the key
// is fallback; if that is "" too, there is no key.
func NewKey(file, fallback string) *Key {
	return &Key{file: file, fallback: fallback}
}

// get returns the key, or an error that wraps ErrNoKey.
func (k *Key) get() (string, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.value != "" {
		return k.value, nil
	}
	v, err := k.read()
	k.value = v
	return v, err
}

// Renewed reads the key again and reports whether it has changed since the last call. If it
// can't be read, it has not.
func (k *Key) Renewed() bool {
	v, err := k.read() // not locked: the disk may hang, and requests must not
	k.mu.Lock()
	defer k.mu.Unlock()
	if err != nil || v == k.seen {
		return false
	}
	k.value, k.seen = v, v
	return true
}

// Check reads the key and returns why there is none. The error is ErrNoKey itself if there
// is neither file nor fallback, or both are empty.
func (k *Key) Check() error {
	_, err := k.get()
	return err
}

// Secret returns the key, for another process.
func (k *Key) Secret() (string, error) { return k.get() }

// changed reads the key again after the server refused used, and reports whether it is
// another one now. If it can't be read, it is not.
func (k *Key) changed(used string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if v, err := k.read(); err == nil {
		k.value = v
	}
	return k.value != used
}

// forget makes the key be read again when it is next needed.
func (k *Key) forget() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.value = ""
}

func (k *Key) read() (string, error) {
	if v := k.only.Load(); v != nil {
		return *v, nil
	}
	v, again, err := readKeyFile(k.file)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrNoKey, err) // one line
	}
	if v == "" {
		v, again = strings.TrimSpace(k.fallback), true
	}
	if v == "" {
		return "", ErrNoKey
	}
	// A header can't carry these characters, and net/http would print the value.
	if strings.ContainsFunc(v, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", &detailError{"it holds a space, a line break or a character that is not ASCII", ErrNoKey}
	}
	if !again {
		k.only.Store(&v)
	}
	return v, nil
}

// readKeyFile returns the text in a file, and whether it can be read again: a pipe can't, and to
// open one may wait forever.
func readKeyFile(name string) (key string, again bool, err error) {
	if name == "" {
		return "", true, nil
	}
	f, err := os.Open(name)
	if err != nil {
		return "", false, err
	}
	defer func() { _ = f.Close() }() // only read
	info, err := f.Stat()
	if err != nil {
		return "", false, err
	}
	b, err := io.ReadAll(io.LimitReader(f, maxKey+1))
	if err != nil {
		return "", false, err
	}
	if len(b) > maxKey {
		return "", false, fmt.Errorf("the key file is longer than %d bytes", maxKey)
	}
	if bytes.HasPrefix(b, []byte("\xff\xfe")) || bytes.HasPrefix(b, []byte("\xfe\xff")) {
		return "", false, errors.New("the key file begins with a byte order mark of UTF-16; save it as plain text")
	}
	return strings.TrimSpace(string(trimBOM(b))), info.Mode().IsRegular(), nil
}

const redacted = "(key)"

// Format hides the key from every verb of fmt.
func (k *Key) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, redacted) }

// LogValue hides the key from slog.
func (k *Key) LogValue() slog.Value { return slog.StringValue(redacted) }

// hide removes the key from text that a server sent back, even if bounded has cut it.
func hide(text, key string) string {
	if key == "" {
		return text
	}
	text = strings.ReplaceAll(text, key, redacted)
	if cut, ok := strings.CutSuffix(text, ellipsis); ok {
		for n := min(len(key), len(cut)); n >= 4; n-- {
			if strings.HasSuffix(cut, key[:n]) {
				return cut[:len(cut)-n] + redacted + ellipsis
			}
		}
	}
	return text
}
