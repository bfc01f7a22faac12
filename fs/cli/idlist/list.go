package idlist

import (
	"context"
	"log/slog"
	"os"
	"regexp"
	"slices"
	"time"
)

const (
	// every is how often a watched file is checked, by one stat.
	every = time.Second
	// settled is the age at which a file's time stamp identifies its version. Writes within
	// the resolution of the clock, two seconds on FAT, may leave the same stamp.
	settled = 2 * time.Second
)

// List is a file of asset IDs that people may edit at any time. Its methods must not be called
// concurrently.
type List struct {
	Name    string // of the file
	Pattern *regexp.Regexp
	Log     *slog.Logger // for bad lines

	ids   []string
	bad   []*BadLine
	stamp stamp
	lost  string // why the file can't be read, as last logged; "": it can
}

// stamp identifies a version of a file.
type stamp struct {
	info os.FileInfo // nil: none was read
	read time.Time   // when it was read
}

// Read reads the file and returns its IDs, in order. Bad lines are logged with their numbers and
// left out.
func (l *List) Read() ([]string, error) {
	_, err := l.read()
	return slices.Clone(l.ids), err
}

// Watch calls changed with the IDs in the file whenever they change, until ctx ends. It checks
// the file each second, and reads it at once when reread delivers. While it can't be read, the
// last IDs remain. Read must have been called before, and the file must not be a pipe.
func (l *List) Watch(ctx context.Context, reread <-chan struct{}, changed func(ids []string)) {
	for {
		now := time.Now()
		select { // at each full second; see ledger
		case <-ctx.Done():
			return
		case <-reread:
		case <-time.After(now.Truncate(every).Add(every).Sub(now)):
			if l.fresh() {
				continue
			}
		}
		other, err := l.read()
		if err != nil {
			l.lose(err)
			continue
		}
		l.lost = ""
		if other {
			changed(slices.Clone(l.ids))
		}
	}
}

// fresh reports whether the file is still the version that was read.
func (l *List) fresh() bool {
	info, err := os.Stat(l.Name)
	if err != nil {
		l.lose(err)
		return true // nothing to read
	}
	was := l.stamp.info
	return was != nil && l.lost == "" && os.SameFile(info, was) && info.Size() == was.Size() &&
		info.ModTime().Equal(was.ModTime()) && l.stamp.read.Sub(was.ModTime()) >= settled
}

// lose logs, once, why the file can't be read.
func (l *List) lose(err error) {
	if why := err.Error(); why != l.lost {
		l.lost = why
		l.Log.Warn("can't read the list of assets; the last one still applies", "error", err)
	}
}

// read reads the file and reports whether its IDs have changed.
func (l *List) read() (changed bool, err error) {
	// Stat comes first: a write in between then has a later stamp.
	info, err := os.Stat(l.Name)
	if err != nil {
		return false, err
	}
	now := time.Now()
	ids, bad, err := ReadFile(l.Name, l.Pattern)
	if err != nil {
		return false, err
	}
	l.stamp = stamp{info, now}
	if !slices.EqualFunc(bad, l.bad, func(a, b *BadLine) bool { return *a == *b }) {
		WarnBad(l.Log, bad)
		l.bad = bad
	}
	if slices.Equal(ids, l.ids) {
		return false, nil
	}
	l.ids = ids
	return true, nil
}

// maxWarnings bounds how many bad lines are logged for one reading.
const maxWarnings = 20

// WarnBad logs lines that are left out.
func WarnBad(log *slog.Logger, bad []*BadLine) {
	for i, line := range bad {
		if i == maxWarnings {
			log.Warn("more lines of the list of assets are left out", "lines", len(bad)-i)
			return
		}
		log.Warn("a line of the list of assets is left out", "error", line)
	}
}
