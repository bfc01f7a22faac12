package cli

import (
	"bytes"
	"fmt"
	"io"
	"slices"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// liveTerminal replaces the live lines on a terminal by new ones. The terminal may change its
// width at any time: after it becomes narrower, it shows an old line as several.
type liveTerminal struct {
	bytes.Buffer // to be drawn
	out          io.Writer
	size         func() (width, height int)
	columns      []int // of each line on the terminal
}

var _ mpb.ConsoleWriter = (*liveTerminal)(nil)

// IsTerminal returns true.
func (t *liveTerminal) IsTerminal() bool { return true }

// GetTermSize returns how long lines may be now, and how many.
func (t *liveTerminal) GetTermSize() (width, height int, err error) {
	width, height = t.size()
	return width, max(1, height-1), nil // the cursor is on the last line
}

// Flush draws the buffer, whose last lines are the live ones.
func (t *liveTerminal) Flush(lines int) error {
	width, _ := t.size()
	rows := 0
	for _, n := range t.columns {
		rows += max(1, (n+width-1)/width)
	}
	var page []byte
	if rows > 0 {
		page = fmt.Appendf(nil, "\x1b[%dA\r\x1b[J", rows)
	}
	all := bytes.Split(bytes.TrimSuffix(t.Bytes(), []byte("\n")), []byte("\n"))
	t.columns = t.columns[:0]
	for _, line := range all[max(0, len(all)-lines):] {
		t.columns = append(t.columns, columns(string(line)))
	}
	page = slices.Concat(page, t.Bytes())
	t.Reset()
	_, err := t.out.Write(page)
	return err
}

// columns returns the width of text without control characters on a terminal.
func columns(text string) int {
	_, n := (&decor.WC{}).Init().Format(text)
	return n
}
