package remote

import (
	"context"
	"sync"
	"time"
)

const (
	// refusedKey is how long a refused key is not tried again: long enough for a program that
	// tries three times. An error of the server must not make a key useless for good.
	refusedKey = 5 * time.Second
	// refusedIdle is the same for calls that nobody waits for.
	refusedIdle = 5 * time.Minute
)

// verdict is what the API says of the key, to calls of one kind. A key that has not been
// accepted yet is wrong once it is refused. One that has been accepted must be refused for
// severalAssets in a row, like other trouble (see gate).
type verdict struct {
	mu       sync.Mutex // guards the fields below
	key      string
	accepted bool                // a call with key was answered
	by       map[string]struct{} // assets in a row for which it was refused instead
	refusal  *Error              // why it is taken to be wrong; nil: it is not
	at       time.Time           // when it was last refused
}

// heard learns from the answer to a call on an asset with key; fail is nil for a good one.
func (v *verdict) heard(key, id string, fail *Error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if key != v.key {
		v.key = key
		v.forgetLocked()
	}
	switch {
	case fail == nil, fail.api && fail.away == "" && !fail.unauthorized() && !fail.limits():
		v.forgetLocked()
		v.accepted = true
	case fail.unauthorized() && !fail.foreign:
		if v.by == nil {
			v.by = map[string]struct{}{}
		}
		v.by[id] = struct{}{}
		if !v.accepted || len(v.by) >= severalAssets {
			v.refusal, v.at = fail, time.Now()
		}
	}
}

// refuses returns the error of a call of class that would be refused for its key, nil if it
// may succeed.
func (v *verdict) refuses(key string, class Class) *Error {
	v.mu.Lock()
	defer v.mu.Unlock()
	lasts := refusedKey
	if class == Background {
		lasts = refusedIdle
	}
	e := v.refusal
	if e == nil || key == "" || key != v.key || time.Since(v.at) >= lasts {
		return nil
	}
	return &Error{Status: e.Status, Code: e.Code, Msg: e.Msg, Err: ErrKeyRefused}
}

func (v *verdict) forget() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.forgetLocked()
}

func (v *verdict) forgetLocked() { v.accepted, v.by, v.refusal = false, nil, nil }

// key returns the key for a call of class, or why no such call can succeed before there is
// another. v is that of its kind.
func (c *Client) key(v *verdict, class Class) (string, *Error) {
	key, err := c.o.Key.get()
	fail := v.refuses(key, class)
	if fail != nil && c.o.Key.changed(key) {
		key, err = c.o.Key.get()
		fail = nil
	}
	if err != nil {
		return "", &Error{Err: err}
	}
	return key, fail
}

// withKey sends a call with the key. It sends it again if the rate limit refuses it, which is no
// fault of the asset: it then waits at the gate, or fails with ErrNoSlot if nobody waits for it.
// If the key is refused, it is sent once more with another one, if there is one now.
func withKey[T any](ctx context.Context, c *Client, kind callKind, class Class, send func(key string) (T, *Error)) (answer T, fail *Error) {
	for refused := false; ; {
		key, fail := c.key(kind.verdict, class)
		if fail != nil {
			return answer, fail
		}
		answer, fail := send(key)
		switch {
		case fail == nil:
			return answer, nil
		case fail.limits() && ctx.Err() == nil:
			if class == Background {
				return answer, noSlot(fail)
			}
		case fail.unauthorized() && !refused && c.o.Key.changed(key):
			refused = true
		default:
			return answer, fail
		}
	}
}
