package fs

import "github.com/hanwen/go-fuse/v2/fuse"

// turns are taken where a call into the kernel may last, since each one under way
// holds a thread: nil is for any number at a time.
type turns chan struct{}

// atOnce is how many are under way where there are few threads.
const atOnce = 6

// reply is what a read returns: it takes a turn to go to the kernel.
type reply struct {
	fuse.ReadResult
	bytes []byte
	turns turns
	taken bool
}

func (t turns) reply(p []byte) fuse.ReadResult {
	// For a ReadResultData go-fuse fills a pipe first, and drains it in vain.
	r := fuse.ReadResultVector([][]byte{p})
	if t == nil {
		return r
	}
	return &reply{ReadResult: r, bytes: p, turns: t}
}

// Slices is called before the bytes are written, perhaps twice, and Done in any case.
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
