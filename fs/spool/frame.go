package spool

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
)

// indexVersion is that of the framing. What is newer can't be read.
const indexVersion = 1

const (
	magic     = "assetfs\n"
	headerLen = 16
	frameLen  = 8
	// MaxRecord bounds a record in bytes, and what a damaged length can make us
	// read.
	MaxRecord = 1 << 20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

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

// AppendFrame appends a record to b: the length of its payload and the CRC32C of
// length and payload, both 32 bits, little endian, then the payload, which
// payload appends. One above MaxRecord is left out.
func AppendFrame(b []byte, payload func([]byte) []byte) []byte {
	start := len(b)
	b = payload(append(b, make([]byte, frameLen)...))
	body := b[start+frameLen:]
	if len(body) > MaxRecord {
		return b[:start]
	}
	binary.LittleEndian.PutUint32(b[start:], uint32(len(body)))
	binary.LittleEndian.PutUint32(b[start+4:], checksum(b[start:start+4], body))
	return b
}

func checksum(length, body []byte) uint32 {
	return crc32.Update(crc32.Checksum(length, castagnoli), castagnoli, body)
}

var (
	// errHeader means that the header is damaged. What follows it counts.
	errHeader = errors.New("damaged header")
	// errRecord means that a record is damaged; what stands before it counts.
	errRecord = errors.New("damaged record")
)

// replay calls apply with each payload of the index in, valid until it returns. An
// error is errHeader, errRecord, a *VersionError, or one of in; what was read
// counts, up to good.
func replay(in io.Reader, apply func(payload []byte)) (good int64, err error) {
	r := bufio.NewReaderSize(in, 1<<16)
	head := make([]byte, headerLen)
	var broken error
	switch n, err := io.ReadFull(r, head); {
	case n == 0 && errors.Is(err, io.EOF):
		return 0, nil
	case err != nil && !errors.Is(err, io.ErrUnexpectedEOF):
		return 0, err
	case newer(head[:n]) > 0:
		return 0, &VersionError{Version: newer(head)}
	case !bytes.Equal(head[:n], header()):
		broken = errHeader
	}
	good = headerLen
	var buf []byte
	for {
		payload, err := readFrame(r, &buf)
		switch {
		case errors.Is(err, io.EOF):
			if broken != nil && good == headerLen {
				good = 0
			}
			return good, broken
		case err != nil:
			if broken != nil && good == headerLen {
				return 0, broken // nothing of it is ours
			}
			return good, fmt.Errorf("at byte %d: %w", good, err)
		}
		apply(payload)
		good += int64(frameLen + len(payload))
	}
}

// readFrame returns the next payload, valid until the next call; io.EOF after
// the last one.
func readFrame(in *bufio.Reader, buf *[]byte) ([]byte, error) {
	var head [frameLen]byte
	n, err := io.ReadFull(in, head[:])
	switch {
	case n == 0 && errors.Is(err, io.EOF):
		return nil, io.EOF
	case errors.Is(err, io.ErrUnexpectedEOF):
		return nil, errRecord
	case err != nil:
		return nil, err
	}
	length := binary.LittleEndian.Uint32(head[:])
	if length == 0 || length > MaxRecord {
		return nil, errRecord
	}
	if int(length) > cap(*buf) {
		*buf = make([]byte, max(length, 4096))
	}
	payload := (*buf)[:length]
	if _, err := io.ReadFull(in, payload); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			err = errRecord
		}
		return nil, err
	}
	if checksum(head[:4], payload) != binary.LittleEndian.Uint32(head[4:]) {
		return nil, errRecord
	}
	return payload, nil
}

// Replay calls apply with each record that is there, valid until it returns,
// and makes the journal ready to be appended to: what is behind the first damaged
// record is cut off. It returns false if something was damaged, and a
// *VersionError if a newer assetfs wrote the journal. Call it once.
func (j *Journal) Replay(apply func(payload []byte)) (whole bool, err error) {
	good, err := replay(j.f, apply)
	var version *VersionError
	switch {
	case err == nil:
		whole = true
	case errors.As(err, &version):
		version.Dir = j.d.path
		return false, version
	case errors.Is(err, errHeader), errors.Is(err, errRecord):
		j.d.o.Log.Warn("spool index damaged: what follows is forgotten", "dir", j.d.path, "error", err, "good", good)
	default:
		return false, fmt.Errorf("read the spool index: %w", err)
	}
	if good > 0 && errors.Is(err, errHeader) {
		if _, err := j.f.WriteAt(header(), 0); err != nil {
			return false, err
		}
	}
	if err := j.f.Truncate(good); err != nil {
		return false, err
	}
	j.size, j.base = good, good
	if good == 0 {
		j.queue = header()
	}
	return whole, nil
}

func (d *Dir) openJournal() (*Journal, error) {
	f, err := d.root.OpenFile(indexName, os.O_RDWR|os.O_CREATE|noFollow, 0o600)
	if err != nil {
		return nil, err
	}
	return &Journal{d: d, f: f, syncing: make(chan struct{}, 1), turn: make(chan struct{}, 1)}, nil
}
