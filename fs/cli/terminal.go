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

// terminalSize is that of the terminal on standard error, and a usual one of a terminal
// that doesn't know its own.
func terminalSize() (width, height int) {
	const usualWidth, usualHeight = 80, 24
	size, err := unix.IoctlGetWinsize(int(os.Stderr.Fd()), unix.TIOCGWINSZ)
	if err != nil || size.Col == 0 || size.Row == 0 {
		return usualWidth, usualHeight
	}
	return int(size.Col), int(size.Row)
}
