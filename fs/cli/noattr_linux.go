package cli

import "golang.org/x/sys/unix"

// noAttr is what a file without an attribute answers.
const noAttr = unix.ENODATA
