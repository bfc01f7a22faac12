package cli

import (
	"bytes"
	"fmt"
	"io"
	"slices"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// liveTerminal draws live lines in place of those drawn before, on a terminal that
// may have another width at any time: one that has become narrower shows a line that
// stands there as several.
type liveTerminal struct {
	bytes.Buffer // what is to be drawn
	out          io.Writer
	size         func() (width, height int)
	columns      []int // of each line that stands there
}

var _ mpb.ConsoleWriter = (*liveTerminal)(nil)

// IsTerminal is what it is.
func (t *liveTerminal) IsTerminal() bool { return true }

// GetTermSize tells how long lines may be now, and how many.
func (t *liveTerminal) GetTermSize() (width, height int, err error) {
	width, height = t.size()
	return width, max(1, height-1), nil // the cursor stands below
}

// Flush draws what was written, whose last lines are the live ones.
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

// columns is how wide a terminal shows text without controls.
func columns(text string) int {
	_, n := (&decor.WC{}).Init().Format(text)
	return n
}
