package catalog

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// perRecord is how many videos a note holds: few enough that one that is new costs
// little to record, and many enough that there are some hundred notes.
const perRecord = 256

// recordVersion begins each note. What begins otherwise is of a newer version, and is
// asked for anew.
const recordVersion = "1"

func (l *library) recordName(n int) string { return fmt.Sprintf("library/%s/%d", l.scope, n) }

func (l *library) timeName() string { return "library/" + l.scope }

// recordsLocked returns the notes of those numbers, by name. names are those that are
// about to be given.
func (l *library) recordsLocked(numbers map[int]bool, names map[*Asset]string) map[string]string {
	records := map[string]string{}
	for _, n := range slices.Sorted(maps.Keys(numbers)) {
		var b strings.Builder
		b.WriteString(recordVersion)
		for _, a := range l.videos[n*perRecord : min((n+1)*perRecord, len(l.videos))] {
			name, coming := names[a]
			if !coming {
				name = a.name
			}
			b.WriteByte('\n')
			if a.video.library == l { // else it has moved to another one
				a.video.write(&b, a.ID, name, coming || a.video.listed)
			}
		}
		records[l.recordName(n)] = b.String()
	}
	return records
}

// fields is how many a line has.
const fields = 7

// write writes a line that readVideo reads.
func (v *video) write(b *strings.Builder, id, name string, listed bool) {
	state := "gone"
	if listed {
		state = "listed"
	}
	for i, text := range [fields]string{id, name, strconv.FormatInt(v.size, 10), strconv.FormatInt(v.millis, 10), v.bucket, v.blob, state} {
		if i > 0 {
			b.WriteByte('\t')
		}
		if strings.ContainsAny(text, "\t\n\\") {
			text = escaper.Replace(text)
		}
		b.WriteString(text)
	}
}

var (
	escaper   = strings.NewReplacer("\t", `\t`, "\n", `\n`, `\`, `\\`)
	unescaper = strings.NewReplacer(`\t`, "\t", `\n`, "\n", `\\`, `\`)
)

// save puts notes on disk. What can't be written is looked for again at the next start.
func (l *library) save(records map[string]string) {
	for _, name := range slices.Sorted(maps.Keys(records)) {
		_ = l.c.o.Notes.SetNote(name, records[name])
	}
}

// loadLocked takes over what an earlier mount has recorded.
func (l *library) loadLocked() {
	var records []string
	for {
		version, lines, ok := strings.Cut(l.c.o.Notes.Note(l.recordName(len(records))), "\n")
		if !ok || version != recordVersion {
			break
		}
		records = append(records, lines)
	}
	l.known = len(records) > 0
	n := perRecord * len(records)
	c := l.c
	c.byID, c.inos, l.dir.names = grown(c.byID, n), grown(c.inos, 2*n), grown(l.dir.names, n)
	l.videos = make([]*Asset, 0, n)
	for _, lines := range records {
		slab := make([]loaded, 0, perRecord)
		for line := range strings.SplitSeq(lines, "\n") {
			slab = l.loadVideoLocked(line, slab)
		}
	}
	if l.dir != l.c.top {
		var at int64
		if _, err := fmt.Sscanf(l.c.o.Notes.Note(l.timeName()), "%x %d", &l.dir.time.sum, &at); err == nil {
			l.dir.time.at = time.Unix(0, at)
		}
	}
}

// loaded is what one line makes. Memory for many is taken at once.
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

// loadVideoLocked takes over one line, into slab. One that can't be read leaves its slot to
// nobody.
func (l *library) loadVideoLocked(line string, slab []loaded) []loaded {
	c := l.c
	var text [fields]string
	for i := range text {
		var more bool
		text[i], line, more = strings.Cut(line, "\t")
		if more != (i < fields-1) {
			break
		}
		if strings.Contains(text[i], `\`) {
			text[i] = unescaper.Replace(text[i])
		}
	}
	id, name := text[0], text[1]
	size, err := strconv.ParseInt(text[2], 10, 64)
	millis, err2 := strconv.ParseInt(text[3], 10, 64)
	a := c.byID[id]
	if id == "" || err != nil || err2 != nil || size < -1 || SafeName(name) != name || a != nil && a.video != nil {
		l.videos = append(l.videos, l.nobody())
		return slab
	}
	slab = append(slab, loaded{})
	space := &slab[len(slab)-1]
	if a == nil {
		a = &space.asset
		c.beginLocked(a, id)
	}
	a.video = &space.video
	*a.video = video{library: l, bucket: text[4], blob: text[5], size: size, millis: millis, slot: len(l.videos)}
	l.videos = append(l.videos, a)
	if l.dir.names[FoldName(name)] == nil {
		l.dir.names[FoldName(name)] = a
	} else {
		name = l.dir.takeLocked(a, name)
	}
	a.name = name
	if f := a.facts.Load(); f != nil {
		(*f).Learn(a.video.info())
	}
	if text[6] == "listed" {
		l.showLocked(a)
	}
	return slab
}

// nobody keeps a slot for which there is no video.
func (l *library) nobody() *Asset { return &Asset{c: l.c, place: -1, video: &video{}} }
