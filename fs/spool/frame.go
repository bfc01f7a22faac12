package spool

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// indexVersion is the version of the format. Newer ones can't be read.
const indexVersion = 1

const (
	magic     = "assetfs\n"
	headerLen = 16
	frameLen  = 8
	// MaxRecord limits the length of a record, in bytes, and so how much is read after a damaged
	// length.
	MaxRecord = 1 << 20
)

// header returns what an index begins with: a name, the version, and their CRC32C.
func header() []byte {
	b := append(make([]byte, 0, headerLen), magic...)
	b = binary.LittleEndian.AppendUint32(b, indexVersion)
	return binary.LittleEndian.AppendUint32(b, checksum(b))
}

// newer returns the version in head, the header of an index, if a newer program wrote it, otherwise 0.
// A flipped bit does not look like a newer version, because the checksum is still that of ours.
func newer(head []byte) uint32 {
	if len(head) < headerLen || !bytes.HasPrefix(head, []byte(magic)) || bytes.Equal(head[headerLen-4:], header()[headerLen-4:]) {
		return 0
	}
	if version := binary.LittleEndian.Uint32(head[len(magic):]); version > indexVersion {
		return version
	}
	return 0
}

// AppendFrame appends a record to b: the length of its payload and the CRC32C of length and payload,
// both 32 bits in little endian, and then the payload, which payload appends. A record above
// MaxRecord is left out.
func AppendFrame(b []byte, payload func([]byte) []byte) []byte {
	start := len(b)
	b = payload(append(b, make([]byte, frameLen)...))
	frame := b[start:]
	if len(frame) > frameLen+MaxRecord {
		return b[:start]
	}
	binary.LittleEndian.PutUint32(frame, uint32(len(frame)-frameLen))
	binary.LittleEndian.PutUint32(frame[4:], checksum(frame[:4], frame[frameLen:]))
	return b
}

func checksum(parts ...[]byte) (sum uint32) {
	for _, p := range parts {
		sum = crc32.Update(sum, crc32.MakeTable(crc32.Castagnoli), p)
	}
	return sum
}

// errDamaged means that the header or a record is damaged.
var errDamaged = errors.New("damaged")

// replay calls apply with each record of dir's index; a record is valid until apply returns. If it
// returns errDamaged, the records before good are right, even after a damaged header, since they have
// checksums of their own.
func replay(in io.Reader, dir string, apply func(payload []byte)) (good int64, err error) {
	r := bufio.NewReaderSize(in, frameLen+MaxRecord)
	head, err := r.Peek(headerLen)
	if len(head) == 0 && errors.Is(err, io.EOF) {
		return 0, nil
	}
	if version := newer(head); version > 0 {
		return 0, fmt.Errorf("spool directory %s was written by a newer assetfs (format %d, this one reads %d): use that one or give another --spool-dir", dir, version, indexVersion)
	}
	whole := bytes.Equal(head, header())
	_, err = r.Discard(headerLen)
	good = headerLen
	for err == nil {
		var frame []byte
		if frame, err = next(r); err == nil {
			apply(frame[frameLen:])
			good += int64(len(frame))
			_, err = r.Discard(len(frame))
		}
	}
	switch {
	case errors.Is(err, io.EOF) && whole:
		return good, nil
	case !errors.Is(err, io.EOF) && !errors.Is(err, errDamaged):
		return good, fmt.Errorf("read the spool index: %w", err)
	}
	return good, errDamaged
}

// next returns the next frame, valid until more is read; io.EOF after the last.
func next(r *bufio.Reader) ([]byte, error) {
	frame, err := r.Peek(frameLen)
	if err == nil {
		length, sum := binary.LittleEndian.Uint32(frame), binary.LittleEndian.Uint32(frame[4:])
		if length == 0 || length > MaxRecord { // no record is empty
			return nil, errDamaged
		}
		if frame, err = r.Peek(frameLen + int(length)); err == nil && checksum(frame[:4], frame[frameLen:]) != sum {
			return nil, errDamaged
		}
	}
	if len(frame) > 0 && errors.Is(err, io.EOF) {
		return nil, errDamaged
	}
	return frame, err
}
