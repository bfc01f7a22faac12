// Package logqueue writes a log without making anybody wait for whoever reads
// it. A Queue takes lines at once, and one goroutine writes them; lines for
// which there is no room are dropped and counted. The Queue's Handler logs the
// first few lines of a kind and counts the rest. It is a leaf.
package logqueue

import (
	"bytes"
	"io"
	"log/slog"
	"sync"
	"time"
)

// maxQueued bounds the lines that wait to be written, in bytes: some thousand
// lines, which a reader that is merely slow catches up with.
const maxQueued = 1 << 20

// Queue is an io.Writer that never blocks. One Write is one line, written whole
// and in order, or dropped. Close ends it.
type Queue struct {
	out     io.Writer
	wake    chan struct{} // holds one token while there may be work
	done    chan struct{} // closed when everything is written, after Close
	repeats repeats

	mu     sync.Mutex // guards what follows; held neither while formatting nor while writing
	lines  [][]byte
	size   int                   // bytes in lines
	lost   int                   // lines dropped since lines were last taken: they would stand behind these
	note   func(lost int) []byte // formats the line about lost ones; nil: there is none
	closed bool
}

var _ io.Writer = (*Queue)(nil)

// New starts a queue that writes to out, which may block for ever.
func New(out io.Writer) *Queue {
	q := &Queue{out: out, wake: make(chan struct{}, 1), done: make(chan struct{})}
	go q.run()
	return q
}

// Handler returns the handler of a log that is written through the queue in the
// given format. Lines from slog.LevelInfo up that repeat are counted. It may be
// called once.
func (q *Queue) Handler(format func(io.Writer) slog.Handler) slog.Handler {
	q.mu.Lock()
	q.note = func(lost int) []byte {
		var line bytes.Buffer
		slog.New(format(&line)).Warn("lines of the log are lost: nobody took them in time", "lines", lost)
		return line.Bytes()
	}
	q.mu.Unlock()
	return &handler{Handler: format(q), repeats: &q.repeats}
}

// Write queues a line. It never fails: nobody can do anything about a log that
// can't be written.
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

// Close logs the counts of repeated lines and returns when everything is
// written, or after limit. What is written later is dropped.
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
	default: // it will look anyway
	}
}

// run writes lines until Close.
func (q *Queue) run() {
	defer close(q.done)
	unsaid := 0 // lost lines that no note has told of yet
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
