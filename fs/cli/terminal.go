package cli

import (
	"os"

	"golang.org/x/sys/unix"
)

// terminal returns the width in columns of the terminal that f is, and whether
// it is one. A terminal that doesn't know its width has 80 columns.
func terminal(f *os.File) (width int, ok bool) {
	size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return 0, false
	}
	if size.Col == 0 {
		return 80, true
	}
	return int(size.Col), true
}
