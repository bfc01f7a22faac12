package spool

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// indexVersion is that of the framing. What is newer can't be read.
const indexVersion = 1

const (
	magic     = "assetfs\n"
	headerLen = 16
)

// header is what an index begins with: a name, the version, their CRC32C.
func header() []byte {
	b := append(make([]byte, 0, headerLen), magic...)
	b = binary.LittleEndian.AppendUint32(b, indexVersion)
	return binary.LittleEndian.AppendUint32(b, checksum(nil, b))
}

// VersionError means that a newer assetfs wrote the spool. Nothing in it was
// touched.
type VersionError struct {
	Dir     string
	Version uint32
}

func (e *VersionError) Error() string {
	return fmt.Sprintf("spool directory %s was written by a newer assetfs (format %d, this one reads %d): use that one or give another --spool-dir", e.Dir, e.Version, indexVersion)
}

// newer returns the version that head, the header of an index, names if that is
// of a newer program, else 0. A flipped bit makes no newer version: its checksum
// is still that of ours.
func newer(head []byte) uint32 {
	if len(head) < headerLen || !bytes.HasPrefix(head, []byte(magic)) {
		return 0
	}
	version := binary.LittleEndian.Uint32(head[len(magic):])
	if version <= indexVersion || bytes.Equal(head[headerLen-4:], header()[headerLen-4:]) {
		return 0
	}
	return version
}
