package catalog

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"
)

// giveNames gives names to listed assets whose own has become known, in the
// order of the list: within a batch that order decides clashes. So it leaves out
// those behind one that is being asked, unless forced. It costs next to nothing
// when there is nothing new.
func (c *Catalog) giveNames(force bool) {
	if !c.news() {
		return
	}
	c.naming.Lock()
	c.mu.Lock()
	given := c.chooseLocked(force)
	root := c.top.time
	sum := root.sum
	for a, name := range given {
		sum += hash(name) - hash(a.ID)
	}
	root.move(sum)
	note := formatTimes(root, c.links)
	c.giving = len(given) > 0
	c.mu.Unlock()
	if len(given) == 0 {
		c.naming.Unlock()
		return
	}
	names := map[string]string{}
	for a, name := range given {
		names[a.ID] = name
	}
	c.o.Record.Save(names, note)
	c.mu.Lock()
	for a, name := range given {
		a.name = name
	}
	c.top.time, c.giving = root, false
	c.notifyLocked()
	c.mu.Unlock()
	c.naming.Unlock()
	c.tellChanged()
}

// news reports whether there may be a name to give, or to wait for while it is
// recorded.
func (c *Catalog) news() bool {
	c.learntMu.Lock()
	learnt := len(c.learnt)
	c.learntMu.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.giving || learnt+len(c.unnamed) > 0
}

// chooseLocked returns the names to give, and has them taken.
func (c *Catalog) chooseLocked(force bool) map[*Asset]string {
	c.learntMu.Lock()
	maps.Copy(c.unnamed, c.learnt)
	clear(c.learnt)
	c.learntMu.Unlock()
	maps.DeleteFunc(c.unnamed, func(a *Asset, _ bool) bool { return a.name != "" || a.place < 0 })

	barrier := math.MaxInt
	if !force {
		for a := range c.finderLocked().asking {
			if a.place >= 0 {
				barrier = min(barrier, a.place)
			}
		}
	}
	given := map[*Asset]string{}
	for _, a := range slices.SortedFunc(maps.Keys(c.unnamed), func(a, b *Asset) int { return cmp.Compare(a.place, b.place) }) {
		info := a.wakeLocked().Info()
		told := info.Header || c.o.ByMetadata && info.Name != ""
		if told && a.place > barrier {
			continue
		}
		delete(c.unnamed, a) // what is learnt later brings it back
		if told {
			given[a] = c.top.takeLocked(a, ownName(a.ID, info.Name, info.Type))
		}
	}
	return given
}

// finderLocked is the sweep that finds names.
func (c *Catalog) finderLocked() *sweep {
	if c.o.ByMetadata {
		return c.calls
	}
	return c.headers
}

// ownName is the name that an asset would have if it were alone.
func ownName(id, told, mediaType string) string {
	name := SafeName(told)
	if name == "" {
		name = SafeName(FallbackName(id, mediaType))
	}
	return cmp.Or(name, id)
}

// takeLocked returns the name that a gets in d, and has it taken.
func (d *Dir) takeLocked(a *Asset, name string) string {
	if d.takenLocked(a, name) {
		name = distinctName(name, a.ID)
	}
	if d.takenLocked(a, name) {
		name = a.ID // somebody names a file like that on purpose
	}
	if fold := FoldName(name); d.names[fold] == nil {
		d.names[fold] = a
	}
	return name
}

func (d *Dir) takenLocked(a *Asset, name string) bool {
	c, fold := d.c, FoldName(name)
	if other := d.names[fold]; other != nil && other != a {
		return true
	}
	return name != a.ID && (fold == ByID || c.known.MatchString(name) || c.ids[fold])
}

// change lets f alter the list, and records when it was.
func (c *Catalog) change(f func()) {
	c.naming.Lock()
	c.mu.Lock()
	f()
	note, moved := c.moveLocked()
	c.mu.Unlock()
	if moved {
		c.o.Record.Save(nil, note)
	}
	c.naming.Unlock()
	if moved {
		c.tellChanged()
	}
}

// moveLocked notes when the names of the root and of by-id have changed, and returns
// that as it is recorded.
func (c *Catalog) moveLocked() (note string, moved bool) {
	var root, links uint64
	for _, a := range c.list {
		root += hash(a.shownLocked())
		links += hash(a.ID)
	}
	for _, l := range c.libs {
		if l.dir == c.top {
			root += l.names
		} else {
			root += hash(l.dir.Name)
		}
		links += l.ids
	}
	moved = c.top.time.move(root)
	moved = c.links.move(links) || moved
	return formatTimes(c.top.time, c.links), moved
}

func (c *Catalog) tellChanged() {
	if c.o.Changed != nil {
		c.o.Changed()
	}
}

// dirTime is when the list of names of a directory last changed. The zero value
// is that of a directory never seen.
type dirTime struct {
	sum uint64 // of the hashes of the names, so that their order does not count
	at  time.Time
}

// move notes that sum is that of the names now, and reports whether that is new.
func (d *dirTime) move(sum uint64) bool {
	if d.sum == sum && !d.at.IsZero() {
		return false
	}
	now := time.Now()
	if !now.After(d.at) {
		now = d.at.Add(1) // the clock was set back; who compares times must see it all the same
	}
	d.sum, d.at = sum, now
	return true
}

// formatTimes writes what parseTimes reads.
func formatTimes(root, links dirTime) string {
	return fmt.Sprintf("%x %d %x %d", root.sum, root.at.UnixNano(), links.sum, links.at.UnixNano())
}

// parseTimes returns zero values for a note that can't be read.
func parseTimes(note string) (root, links dirTime) {
	var rootAt, linksAt int64
	_, err := fmt.Sscanf(note, "%x %d %x %d", &root.sum, &rootAt, &links.sum, &linksAt)
	if err != nil {
		return dirTime{}, dirTime{}
	}
	root.at, links.at = time.Unix(0, rootAt), time.Unix(0, linksAt)
	return root, links
}

// Times returns when the lists of names in the root and in by-id last changed.
func (c *Catalog) Times() (root, links time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.top.time.at, c.links.at
}

func hash(s string) uint64 {
	const offset, prime = 14695981039346656037, 1099511628211 // FNV-1a
	h := uint64(offset)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * prime
	}
	return h
}
