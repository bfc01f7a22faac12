// Package idlist reads lists of asset IDs, one a line, # begins a comment, and
// notices when the file of a list changes. It is a leaf.
package idlist

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
)

const (
	// maxLine bounds a line of a list, in bytes; an ID is some twenty.
	maxLine = 4096
	// maxList bounds a list, in bytes: a million IDs of twenty bytes, thrice.
	maxList = 64 << 20
)

// A BadLine is a line of a list that is not an asset ID.
type BadLine struct {
	Source  string // file name, or "-" for standard input
	Line    int    // from 1
	Text    string // without comment; the beginning of a long one
	Pattern string // what an ID has to match
}

func (e *BadLine) Error() string {
	return fmt.Sprintf("%s:%d: %.80q is not an asset ID; write one that matches %s (see --id-pattern)", e.Source, e.Line, e.Text, e.Pattern)
}

// A TooLongError means that a list is no list: it is larger than any could be.
type TooLongError struct {
	Source string
	Limit  int // bytes
}

func (e *TooLongError) Error() string {
	return fmt.Sprintf("%s: longer than %d bytes; is it a list of asset IDs?", e.Source, e.Limit)
}

// Anchored compiles what users write as the pattern of IDs so that it has to
// match the whole of one.
func Anchored(pattern string) (*regexp.Regexp, error) {
	return regexp.Compile(anchor + pattern + end)
}

const anchor, end = "^(?:", ")$"

// Valid reports whether id matches the pattern and can be the name of a file, as
// it must: "/" and NUL can't, nor can ".", ".." and more than 255 bytes.
func Valid(pattern *regexp.Regexp, id string) bool {
	const nameMax = 255
	return pattern.MatchString(id) && id != "" && id != "." && id != ".." && len(id) <= nameMax && !strings.ContainsAny(id, "/\x00")
}

// written is the pattern as users write it.
func written(pattern *regexp.Regexp) string {
	return strings.TrimSuffix(strings.TrimPrefix(pattern.String(), anchor), end)
}

// Read returns the IDs of a list in order, each once. Lines that are no IDs are
// left out and returned beside; err is what reading itself met, and then the
// rest is what was read until then.
func Read(r io.Reader, source string, pattern *regexp.Regexp) (ids []string, bad []*BadLine, err error) {
	limited := &io.LimitedReader{R: r, N: maxList + 1}
	lines := bufio.NewReaderSize(limited, maxLine)
	seen := map[string]bool{}
	for n := 1; ; n++ {
		line, long, err := lines.ReadLine()
		if err == io.EOF {
			return ids, bad, nil
		}
		if err != nil {
			return ids, bad, fmt.Errorf("%s:%d: %w", source, n, err)
		}
		text := string(line)
		for long && err == nil {
			_, long, err = lines.ReadLine() // an error shows again at the next line
		}
		if limited.N == 0 {
			return ids, bad, &TooLongError{source, maxList}
		}
		id, _, _ := strings.Cut(strings.TrimPrefix(text, "\ufeff"), "#")
		id = strings.TrimSpace(id)
		switch {
		case id == "" || seen[id]:
		case !Valid(pattern, id):
			bad = append(bad, &BadLine{source, n, id, written(pattern)})
		default:
			seen[id] = true
			ids = append(ids, id)
		}
	}
}

// ReadFile is Read of a file.
func ReadFile(name string, pattern *regexp.Regexp) ([]string, []*BadLine, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	return Read(f, name, pattern)
}
