package catalog

import (
	"cmp"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// perRecord is how many videos a note holds: few enough that a new one costs little to record, and so
// many that there are only some hundred notes.
const perRecord = 256

// recordVersion begins each note. A note that begins differently is of another version, and is asked for
// again.
const recordVersion = "1"

func (l *library) recordName(n int) string { return fmt.Sprintf("library/%s/%d", l.scope, n) }

// recordsLocked returns the notes with those numbers, by name. names are names that are about to be
// given.
func (l *library) recordsLocked(numbers map[int]bool, names map[*Asset]string) map[string]string {
	records := map[string]string{}
	for n := range numbers {
		var b strings.Builder
		b.WriteString(recordVersion)
		for _, a := range l.videos[n*perRecord : min((n+1)*perRecord, len(l.videos))] {
			b.WriteByte('\n')
			v := a.video
			name, coming := names[a]
			if !coming {
				name = a.name
			}
			state := "gone"
			if coming || v.listed {
				state = "listed"
			}
			place := url.PathEscape(v.bucket) + "\t" + url.PathEscape(v.blob)
			b.WriteString(strings.Join([]string{a.ID, name, strconv.FormatInt(v.size, 10), strconv.FormatInt(v.millis, 10), place, state}, "\t"))
		}
		records[l.recordName(n)] = b.String()
	}
	return records
}

// fields is how many fields a line has.
const fields = 7

// save writes notes to the disk. What can't be written is looked for again at the next start.
func (l *library) save(records map[string]string) {
	for _, name := range slices.Sorted(maps.Keys(records)) {
		_ = l.c.o.Notes.SetNote(name, records[name])
	}
}

// loadLocked loads what an earlier mount has recorded.
func (l *library) loadLocked() {
	var records []string
	for {
		version, lines, _ := strings.Cut(l.c.o.Notes.Note(l.recordName(len(records))), "\n")
		if version != recordVersion {
			break
		}
		records = append(records, lines)
	}
	l.known = len(records) > 0
	n := perRecord * len(records)
	c := l.c
	c.assets, l.dir.names = grown(c.assets, n), grown(l.dir.names, n)
	l.videos = make([]*Asset, 0, n)
	for _, lines := range records {
		slab := make([]loaded, perRecord)
		for line := range strings.SplitSeq(lines, "\n") {
			if len(slab) == 0 {
				break // a note of ours is never so long
			}
			l.loadVideoLocked(line, &slab[0])
			slab = slab[1:]
		}
	}
}

// loaded is what one line becomes. Memory for many is allocated at once.
type loaded struct {
	asset Asset
	video video
}

// grown returns m with room for n more.
func grown[K comparable, V any](m map[K]V, n int) map[K]V {
	large := make(map[K]V, len(m)+n)
	maps.Copy(large, m)
	return large
}

// loadVideoLocked loads one line into space. A line that can't be read leaves its slot empty.
func (l *library) loadVideoLocked(line string, space *loaded) {
	c := l.c
	space.asset.video = &space.video
	l.videos = append(l.videos, &space.asset)
	var text [fields]string
	for i := range text {
		text[i], line, _ = strings.Cut(line, "\t")
	}
	id, name := text[0], text[1]
	size, err1 := strconv.ParseInt(text[2], 10, 64)
	millis, err2 := strconv.ParseInt(text[3], 10, 64)
	bucket, err3 := url.PathUnescape(text[4])
	blob, err4 := url.PathUnescape(text[5])
	a, ino := c.findLocked(id)
	listed := text[6] == "listed"
	elsewhere := a != nil && a.video != nil && !listed // it may have moved from one library to another
	unsafe := id == "" || name == "" || SafeName(id) != id || SafeName(name) != name
	if unsafe || size < -1 || cmp.Or(err1, err2, err3, err4) != nil || elsewhere {
		return
	}
	if a == nil {
		a = &space.asset
		c.beginLocked(a, id, ino)
	} else {
		a.leaveLocked()
	}
	l.videos[len(l.videos)-1] = a
	a.video = &space.video
	*a.video = video{library: l, bucket: bucket, blob: blob, size: size, millis: millis, slot: int32(len(l.videos) - 1)}
	if a.name = name; !l.dir.holdLocked(a, name) {
		a.name = l.dir.takeLocked(a, name)
	}
	if f := a.Awake(); f != nil {
		f.Learn(a.video.info())
	}
	a.alterLocked(func() { a.video.listed = listed })
}
