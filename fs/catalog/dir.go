package catalog

import "time"

// A Dir is a directory of assets: the root, or that of a library.
type Dir struct {
	Name string // in the root; "" is the root itself
	Ino  uint64 // 0 for the root

	c *Catalog

	// Catalog.mu guards what follows.
	names map[string]*Asset // by folded name; a name once given stays taken
	time  dirTime
}

func newDir(c *Catalog, name string) *Dir { return &Dir{c: c, Name: name, names: map[string]*Asset{}} }

// Known finds a listed asset of the directory by its name. It never waits.
func (d *Dir) Known(name string) *Asset {
	c := d.c
	c.mu.Lock()
	defer c.mu.Unlock()
	a := d.names[FoldName(name)]
	// Of a name being given nobody knows yet.
	if a == nil || !a.listedLocked() || a.name == "" || !c.o.Fold && a.name != name {
		return nil
	}
	return a
}

// Changed returns when the list of names last changed.
func (d *Dir) Changed() time.Time {
	d.c.mu.Lock()
	defer d.c.mu.Unlock()
	return d.time.at
}

// librariesLocked returns the libraries whose videos stand in d.
func (d *Dir) librariesLocked() []*library {
	var libs []*library
	for _, l := range d.c.libs {
		if l.dir == d {
			libs = append(libs, l)
		}
	}
	return libs
}

// An Entry is an asset as a directory shows it.
type Entry struct {
	*Asset
	Name string // its own or, while that is unknown, the ID
}

// Entries returns the assets that the directory lists.
func (d *Dir) Entries() []Entry {
	c := d.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if d == c.top {
		return entriesLocked(c.list, d.librariesLocked())
	}
	return entriesLocked(nil, d.librariesLocked())
}

// Entries returns the listed assets of all directories.
func (c *Catalog) Entries() []Entry {
	c.mu.Lock()
	defer c.mu.Unlock()
	return entriesLocked(c.list, c.libs)
}

// entriesLocked returns those listed, in order, and the videos of libs.
func entriesLocked(listed []*Asset, libs []*library) []Entry {
	n := len(listed)
	for _, l := range libs {
		n += l.listed
	}
	list := make([]Entry, 0, n)
	for _, a := range listed {
		list = append(list, Entry{a, a.shownLocked()})
	}
	for _, l := range libs {
		for _, a := range l.videos {
			if v := a.video; v.listed && v.library == l && a.place < 0 {
				list = append(list, Entry{a, a.shownLocked()})
			}
		}
	}
	return list
}

// Root is the directory of listed IDs and, if there is but one, of the library.
func (c *Catalog) Root() *Dir { return c.top }

// Dirs returns the directories of the libraries, where there are several.
func (c *Catalog) Dirs() []*Dir {
	var dirs []*Dir
	for _, l := range c.libs { // which never change
		if l.dir != c.top {
			dirs = append(dirs, l.dir)
		}
	}
	return dirs
}

// dirLocked returns the directory in which a stands.
func (a *Asset) dirLocked() *Dir {
	if a.place < 0 && a.video != nil {
		return a.video.library.dir
	}
	return a.c.top
}

// housedLocked sees to it that the name of a video leads to it where it stands now:
// that is the root while its ID is listed, else its library. In the other directory
// a file of that name may have come meanwhile.
func (a *Asset) housedLocked() {
	if a.video == nil || a.name == "" {
		return
	}
	d := a.dirLocked()
	if d.names[FoldName(a.name)] == a {
		return
	}
	name := d.takeLocked(a, a.name)
	if a.video.listed {
		a.video.library.names += hash(name) - hash(a.name)
	}
	a.name = name
}

// Path returns where a stands, from the root.
func (a *Asset) Path() string {
	a.c.mu.Lock()
	defer a.c.mu.Unlock()
	if d := a.dirLocked(); d.Name != "" {
		return d.Name + "/" + a.shownLocked()
	}
	return a.shownLocked()
}
