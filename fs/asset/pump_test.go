package asset

import (
	"errors"
	"io"
	"testing"
)

// records is a body of TLS records, of which some are in the socket.
type records struct {
	size   int
	socket int // records that can be read without waiting
	waits  int
	err    error // at the end of what is in the socket
}

func (r *records) Read(p []byte) (int, error) {
	switch {
	case r.socket > 0:
		r.socket--
	case r.err != nil:
		return 0, r.err
	default:
		r.waits++
	}
	return min(r.size, len(p)), nil
}

func (r *records) Buffered() int { return r.socket * r.size }
func (r *records) Close() error  { return nil }

func TestGather(t *testing.T) {
	const size = 16 << 10
	for name, c := range map[string]struct {
		body  records
		want  int
		waits int
		err   error
	}{
		"all that has come":            {records{size: size, socket: 5}, 5 * size, 0, nil},
		"no more than there is place":  {records{size: size, socket: 100}, 8 * size, 0, nil},
		"the first one is waited for":  {records{size: size}, size, 1, nil},
		"an error at once":             {records{size: size, err: io.EOF}, 0, 0, io.EOF},
		"what came before an error":    {records{size: size, socket: 2, err: io.EOF}, 2 * size, 0, nil},
		"what never fits into a place": {records{size: 9 * size, socket: 1}, 8 * size, 0, nil},
	} {
		t.Run(name, func(t *testing.T) {
			n, err := gather(&c.body, make([]byte, 8*size))
			if n != c.want || !errors.Is(err, c.err) || c.body.waits != c.waits {
				t.Errorf("got %d bytes, %v, after %d waits; want %d, %v, after %d", n, err, c.body.waits, c.want, c.err, c.waits)
			}
		})
	}
}
