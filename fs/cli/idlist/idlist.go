// Package idlist reads lists of asset IDs, one a line with # comments, and notices when the file
// of a list changes. It is a leaf.
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
	// maxLine bounds a line of a list, in bytes; an ID has about twenty.
	maxLine = 4096
	// maxList bounds a list, in bytes: three million IDs of twenty bytes.
	maxList = 64 << 20
)

// A BadLine is a line of a list that is not an asset ID.
type BadLine struct {
	Source  string // file name, or "-" for standard input
	Line    int    // from 1
	Text    string // without the comment; long ones are cut
	Pattern string // which an ID must match
}

func (e *BadLine) Error() string {
	return fmt.Sprintf("%s:%d: %.80q is not an asset ID; write one that matches %s (see --id-pattern)", e.Source, e.Line, e.Text, e.Pattern)
}

// A TooLongError means that a list is too large to be one.
type TooLongError struct {
	Source string
	Limit  int // bytes
}

func (e *TooLongError) Error() string {
	return fmt.Sprintf("%s: longer than %d bytes", e.Source, e.Limit)
}

// Anchored compiles a user's pattern of IDs so that it must match the whole ID.
func Anchored(pattern string) (*regexp.Regexp, error) {
	if _, err := regexp.Compile(pattern); err != nil {
		return nil, err // it could close our parenthesis, and match less than the whole
	}
	return regexp.Compile(anchor + pattern + end)
}

const anchor, end = "^(?:", ")$"

// Valid reports whether id matches the pattern and can be a file name: it must not contain "/"
// or NUL, be "." or "..", or have more than 255 bytes.
func Valid(pattern *regexp.Regexp, id string) bool {
	const nameMax = 255
	return pattern.MatchString(id) && id != "" && id != "." && id != ".." && len(id) <= nameMax && !strings.ContainsAny(id, "/\x00")
}

// written returns the pattern as the user wrote it.
func written(pattern *regexp.Regexp) string {
	return strings.TrimSuffix(strings.TrimPrefix(pattern.String(), anchor), end)
}

// Read returns the IDs of a list in order, each once, and separately the lines that are not IDs.
// err is an error of r; the other results are then what was read before it.
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
			_, long, err = lines.ReadLine() // the next ReadLine returns the error again
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

// ReadFile calls Read for a file.
func ReadFile(name string, pattern *regexp.Regexp) ([]string, []*BadLine, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	return Read(f, name, pattern)
}
