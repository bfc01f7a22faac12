package catalog

import (
	"fmt"
	"time"
)

// A Dir is a directory: the root, a library, or by-id.
type Dir struct {
	Name string // in the root; "" is the root itself
	Ino  uint64 // of a library's

	c *Catalog

	// Catalog.mu guards what follows.
	names   map[string]*Asset // by folded name; a name once given stays taken
	sum     uint64            // of the hashes of the names that it shows, so that their order does not count
	timed   uint64            // sum at that time
	changed time.Time         // when sum last changed; zero: never seen
}

// ByID is the name of the directory of links.
const ByID = "by-id"

// newDir returns an empty directory with its recorded time.
func newDir(c *Catalog, name string) *Dir {
	d := &Dir{c: c, Name: name, names: map[string]*Asset{}}
	var nanos int64
	if _, err := fmt.Sscanf(c.o.Notes.Note(d.note()), "%x %d", &d.timed, &nanos); err == nil {
		d.changed = time.Unix(0, nanos)
	}
	return d
}

// note returns the name of the note with the directory's time.
func (d *Dir) note() string { return "directory/" + d.Name }

// countLocked adds an asset that the directory shows under a name (n is 1), or removes it (-1).
func (d *Dir) countLocked(name string, n int) {
	d.sum += uint64(n) * mixed(hash(name))
}

// mixed makes hashes independent of each other, so that sums of them are equal only by chance. (Those of names that
// differ only in the last digit are multiples of one number.) It is the end of MurmurHash3.
func mixed(h uint64) uint64 {
	h = (h ^ h>>33) * 0xff51afd7ed558ccd
	h = (h ^ h>>33) * 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}

// moveLocked updates the time if the list of names has changed, and returns it as it is recorded; "" if
// nothing has changed.
func (d *Dir) moveLocked() string {
	if d.timed == d.sum && !d.changed.IsZero() {
		return ""
	}
	now := time.Now().Round(0) // without the clock that is never set back
	if !now.After(d.changed) {
		now = d.changed.Add(1) // the clock was set back; who compares times must see it all the same
	}
	d.timed, d.changed = d.sum, now
	return fmt.Sprintf("%x %d", d.timed, now.UnixNano())
}

// Changed returns when the list of names last changed.
func (d *Dir) Changed() time.Time {
	d.c.mu.Lock()
	defer d.c.mu.Unlock()
	return d.changed
}

// holdsIDs reports whether the directory shows assets that are listed by ID.
func (d *Dir) holdsIDs() bool { return d == d.c.top || d == d.c.links }

// libraries returns the libraries whose videos the directory shows.
func (d *Dir) libraries() []*library {
	var libs []*library
	for _, l := range d.c.libs { // which never change
		if l.dir == d || d == d.c.links {
			libs = append(libs, l)
		}
	}
	return libs
}

// An Entry is an asset and the name under which a directory shows it.
type Entry struct {
	*Asset
	Name string // its own or, while that is unknown, the ID
}

// Entries returns the assets that the directory shows.
func (d *Dir) Entries() []Entry {
	c := d.c
	c.mu.Lock()
	defer c.mu.Unlock()
	var list []Entry
	if d.holdsIDs() {
		for _, a := range c.list {
			list = append(list, Entry{a, a.shownLocked()})
		}
	}
	for _, l := range d.libraries() {
		for _, a := range l.videos {
			if a.video.listed && a.place < 0 {
				list = append(list, Entry{a, a.shownLocked()})
			}
		}
	}
	return list
}

// Entries returns the listed assets of all directories.
func (c *Catalog) Entries() []Entry { return c.links.Entries() }

// Root returns the directory of listed IDs and, if there is only one, of the library.
func (c *Catalog) Root() *Dir { return c.top }

// Links returns the directory with a link for each listed asset.
func (c *Catalog) Links() *Dir { return c.links }

// Dirs returns the directories of the libraries, if there are several.
func (c *Catalog) Dirs() []*Dir {
	var dirs []*Dir
	for _, l := range c.libs { // which never change
		if l.dir != c.top {
			dirs = append(dirs, l.dir)
		}
	}
	return dirs
}
