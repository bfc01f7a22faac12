package cli

import "golang.org/x/sys/unix"

// noAttr is the error of a file without the attribute.
const noAttr = unix.ENODATA
