package fs

import "github.com/hanwen/go-fuse/v2/fuse"

// turns limits how many calls into the kernel that may take long are made at a time, since each
// holds a thread; nil: no limit.
type turns chan struct{}

// atOnce is the limit where threads are few.
const atOnce = 6

// reply is the result of a read; it takes a turn while it is written to the kernel.
type reply struct {
	fuse.ReadResult
	bytes []byte
	turns turns
	taken bool
}

func (t turns) reply(p []byte) fuse.ReadResult {
	// For a ReadResultData go-fuse would fill a pipe first, and then empty it again.
	r := fuse.ReadResultVector([][]byte{p})
	if t == nil {
		return r
	}
	return &reply{ReadResult: r, bytes: p, turns: t}
}

// Slices is called before the bytes are written, possibly twice. Done is always called.
func (r *reply) Slices() ([][]byte, fuse.Status) {
	if !r.taken {
		r.turns <- struct{}{}
		r.taken = true
	}
	return [][]byte{r.bytes}, fuse.OK
}

// Done ends the turn.
func (r *reply) Done() {
	if r.taken {
		<-r.turns
	}
	r.ReadResult.Done()
}
