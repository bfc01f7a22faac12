package spool

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"

	"assetfs/fs/ranges"
)

// control calls do with the descriptor of f, which stays open meanwhile. It
// returns os.ErrClosed if f is closed.
func control(f *os.File, do func(fd int) error) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var derr error
	err = conn.Control(func(fd uintptr) {
		for {
			if derr = do(int(fd)); !errors.Is(derr, unix.EINTR) {
				return
			}
		}
	})
	if err != nil {
		return os.ErrClosed // the only reason; the error itself is not that one
	}
	return derr
}

// statfs describes the file system of a directory.
func statfs(dir *os.File) (unix.Statfs_t, error) {
	var st unix.Statfs_t
	err := control(dir, func(fd int) error { return unix.Fstatfs(fd, &st) })
	return st, err
}

// available is the number of bytes that this user may still write.
func available(st *unix.Statfs_t) int64 {
	blocks := min(st.Bavail, 1<<40)        // 4 PiB of the smallest blocks, so that the product fits
	return int64(blocks) * int64(st.Bsize) //nolint:unconvert // 32 bits on macOS
}

// blockSize is the unit in which room is taken and freed: the file system's own
// block, so that what is punched out is a hole, but no less than 4 KiB (a page)
// and no more than 1 MiB.
func blockSize(st *unix.Statfs_t) int64 {
	size := int64(st.Bsize) //nolint:unconvert // 32 bits on macOS
	n := int64(4096)
	for n < size && n < 1<<20 {
		n *= 2
	}
	return n
}

// holesIn returns the parts of set that are holes of f. Where the file system
// can't tell, there are none.
func holesIn(f *os.File, set []ranges.Range) ranges.Set {
	var holes ranges.Set
	for _, r := range set {
		for off := r.Start; off < r.End; {
			hole, err := f.Seek(off, seekHole)
			if err != nil || hole >= r.End {
				break
			}
			data, err := f.Seek(hole, seekData)
			if err != nil || data > r.End { // ENXIO: a hole up to the end
				data = r.End
			}
			holes.Add(ranges.Range{Start: hole, End: data})
			off = max(data, off+1)
		}
	}
	return holes
}
