package cli

import (
	"fmt"
	"io"
)

// grade says how much a finding matters.
type grade int

// Grades.
const (
	fine grade = iota
	odd        // a mount works, but not as well as it could, or not for long
	bad        // a mount does not work, or can read nothing new
)

func (g grade) String() string { return [...]string{"ok", "warning", "fault"}[g] }

// finding is the result of one check, and what to do about it.
type finding struct {
	grade grade
	what  string // one or two words
	text  string // one line
}

func ok(what, format string, args ...any) finding {
	return finding{fine, what, fmt.Sprintf(format, args...)}
}

func warning(what, format string, args ...any) finding {
	return finding{odd, what, fmt.Sprintf(format, args...)}
}

func fault(what, format string, args ...any) finding {
	return finding{bad, what, fmt.Sprintf(format, args...)}
}

// write writes the finding as a line, escaped so that a terminal only shows it.
func (f finding) write(w io.Writer) {
	fmt.Fprintf(w, "%-8s %-12s %s\n", f.grade, f.what, printable(f.text))
}
