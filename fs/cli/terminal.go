package cli

import (
	"os"

	"golang.org/x/sys/unix"
)

// terminal returns the width of the terminal f in columns, and whether f is a terminal. If the width is
// unknown, it is 80.
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

// terminalSize returns the size of the terminal on standard error, or a usual one if unknown.
func terminalSize() (width, height int) {
	const usualWidth, usualHeight = 80, 24
	size, err := unix.IoctlGetWinsize(int(os.Stderr.Fd()), unix.TIOCGWINSZ)
	if err != nil || size.Col == 0 || size.Row == 0 {
		return usualWidth, usualHeight
	}
	return int(size.Col), int(size.Row)
}
