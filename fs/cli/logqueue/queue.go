// Package logqueue writes a log without waiting for its reader. A Queue accepts lines at once,
// and one goroutine writes them; lines for which there is no room are dropped and counted. Its
// Handler logs the first few lines of a kind and counts the rest. It is a leaf.
package logqueue

import (
	"bytes"
	"io"
	"log/slog"
	"sync"
	"time"
)

// maxQueued bounds the queued lines, in bytes: a few thousand lines, with which a merely slow
// reader catches up.
const maxQueued = 1 << 20

// Queue is an io.Writer that never blocks. Each Write is one line, which is written whole and in
// order, or dropped. Close ends it.
type Queue struct {
	out     io.Writer
	wake    chan struct{} // holds one token if there may be work
	done    chan struct{} // closed after Close, when everything is written
	repeats repeats

	mu     sync.Mutex // guards the fields below; not held while formatting or writing
	lines  [][]byte
	size   int                   // bytes in lines
	lost   int                   // lines dropped after lines
	note   func(lost int) []byte // formats the line about lost ones; may be nil
	closed bool
}

var _ io.Writer = (*Queue)(nil)

// New starts a queue that writes to out, which may block forever.
func New(out io.Writer) *Queue {
	q := &Queue{out: out, wake: make(chan struct{}, 1), done: make(chan struct{})}
	go q.run()
	return q
}

// Handler returns a log handler that writes through the queue in the given format. Repeated
// lines of slog.LevelInfo and above are counted. It may be called once.
func (q *Queue) Handler(format func(io.Writer) slog.Handler) slog.Handler {
	q.mu.Lock()
	q.note = func(lost int) []byte {
		var line bytes.Buffer
		slog.New(format(&line)).Warn("log lines were lost: nobody read them in time", "lines", lost)
		return line.Bytes()
	}
	q.mu.Unlock()
	return &handler{Handler: format(q), repeats: &q.repeats}
}

// Write queues a line. It never fails, since nothing could be done about a log that can't be
// written.
func (q *Queue) Write(line []byte) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.closed:
		return len(line), nil
	case q.lost > 0 || q.size+len(line) > maxQueued:
		q.lost++
	default:
		q.lines = append(q.lines, bytes.Clone(line))
		q.size += len(line)
	}
	q.signal()
	return len(line), nil
}

// Close logs the counts of repeated lines. It returns when everything is written, or after
// limit. Later lines are dropped.
func (q *Queue) Close(limit time.Duration) {
	q.repeats.close()
	q.mu.Lock()
	q.closed = true
	q.signal()
	q.mu.Unlock()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-q.done:
	case <-timer.C:
	}
}

func (q *Queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default: // run will look anyway
	}
}

// run writes lines until Close.
func (q *Queue) run() {
	defer close(q.done)
	unsaid := 0 // lost lines that no note has mentioned yet
	for range q.wake {
		lines, lost, note, closed := q.take()
		unsaid += lost
		for _, line := range lines {
			if _, err := q.out.Write(line); err != nil {
				unsaid++ // a full disk may have room again
			}
		}
		if unsaid > 0 && note != nil {
			if _, err := q.out.Write(note(unsaid)); err == nil {
				unsaid = 0
			}
		}
		if closed {
			return
		}
	}
}

// take empties the queue.
func (q *Queue) take() (lines [][]byte, lost int, note func(int) []byte, closed bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	lines, lost = q.lines, q.lost
	q.lines, q.size, q.lost = nil, 0, 0
	return lines, lost, q.note, q.closed
}
