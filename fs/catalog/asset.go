package catalog

import (
	"sync/atomic"

	"assetfs/fs/asset"
)

// An Asset is one asset that the catalog has met. Its methods may be called concurrently. There may be
// 100 000, so it is small.
type Asset struct {
	ID  string
	Ino uint64 // of the file

	c     *Catalog
	facts atomic.Pointer[Facts] // nil while it is asleep, see Awake

	// Catalog.mu guards what follows.
	name   string // of the directory entry, given for good; "" while none is
	place  int32  // in the list; -1 not listed
	looked bool   // listed because it was looked up in this mount
	sought bool   // looked up, and nobody could be asked about it yet
	*state        // nil while nobody has tried to find something out
	video  *video // what a library tells; nil: none
}

const (
	// firstIno is the first inode number that the catalog gives; the caller may use smaller ones.
	firstIno = 16
	// linkIno is added to the inode number of a file for that of its link.
	linkIno = 1 << 63
)

// LinkIno returns the inode number of the link in by-id.
func (a *Asset) LinkIno() uint64 { return a.Ino | linkIno }

// findLocked returns the asset of an ID, or nil, and the inode number that it has or would get: a hash,
// or the next number if that belongs to another ID.
func (c *Catalog) findLocked(id string) (a *Asset, ino uint64) {
	for h := hash(id); ; h++ {
		ino = max(firstIno, h&^linkIno)
		if a = c.assets[ino]; a == nil || a.ID == id {
			return a, ino
		}
	}
}

// meetLocked returns the asset of an ID; it makes a new one if necessary.
func (c *Catalog) meetLocked(id string) *Asset {
	a, ino := c.findLocked(id)
	if a == nil {
		a = new(Asset)
		c.beginLocked(a, id, ino)
	}
	return a
}

// beginLocked makes a the asset of a new ID.
func (c *Catalog) beginLocked(a *Asset, id string, ino uint64) {
	a.ID, a.Ino, a.c, a.place = id, ino, c, -1
	c.assets[ino] = a
}

// wakeLocked makes what an asset needs beyond being listed.
func (a *Asset) wakeLocked() Facts {
	if f := a.facts.Load(); f != nil {
		return *f
	}
	c := a.c
	facts := c.o.Facts(a.ID, func() {
		c.learntMu.Lock()
		defer c.learntMu.Unlock()
		c.learnt[a] = true
	})
	if a.video != nil {
		facts.Learn(a.video.info())
	}
	a.facts.Store(&facts)
	return facts
}

// Facts returns the facts about an asset. It wakes an asset that is asleep.
func (a *Asset) Facts() Facts {
	if f := a.facts.Load(); f != nil {
		return *f
	}
	a.c.mu.Lock()
	defer a.c.mu.Unlock()
	return a.wakeLocked()
}

// Awake returns the facts, or nil if the asset is asleep: it is listed, but nobody has opened it or found
// out anything beyond what its library tells. Most of 100 000 videos are asleep.
func (a *Asset) Awake() Facts {
	if f := a.facts.Load(); f != nil {
		return *f
	}
	return nil
}

// Info returns what is known of an asset, without waking it. The time of a video comes from its library.
func (a *Asset) Info() asset.Info {
	a.c.mu.Lock()
	defer a.c.mu.Unlock()
	return a.infoLocked()
}

func (a *Asset) infoLocked() asset.Info {
	info := asset.Info{Size: -1}
	if f := a.Awake(); f != nil {
		info = f.Info()
	} else if a.video != nil {
		return a.video.info()
	}
	if a.video != nil {
		info.ModTime, info.LastModified = a.video.info().ModTime, ""
	}
	return info
}

// IsVideo reports whether a library lists the asset, or has listed it.
func (a *Asset) IsVideo() bool {
	a.c.mu.Lock()
	defer a.c.mu.Unlock()
	return a.video != nil
}

func (a *Asset) listedLocked() bool { return a.place >= 0 || a.video != nil && a.video.listed }

// Name returns the name under which a directory shows a, and whether that is its own name and not the
// ID.
func (a *Asset) Name() (name string, own bool) {
	a.c.mu.Lock()
	defer a.c.mu.Unlock()
	return a.shownLocked(), a.name != ""
}

func (a *Asset) shownLocked() string {
	if a.name != "" {
		return a.name
	}
	return a.ID
}

// Path returns the path of a, relative to the root.
func (a *Asset) Path() string {
	a.c.mu.Lock()
	defer a.c.mu.Unlock()
	if d := a.dirLocked(); d.Name != "" {
		return d.Name + "/" + a.shownLocked()
	}
	return a.shownLocked()
}

// dirLocked returns the directory that shows a.
func (a *Asset) dirLocked() *Dir {
	if a.place < 0 && a.video != nil {
		return a.video.library.dir
	}
	return a.c.top
}

// housedLocked makes the name of a video lead to it in the directory that now shows it: the root while
// its ID is listed, otherwise its library. Another file may have taken that name there meanwhile.
func (a *Asset) housedLocked() {
	if a.video == nil {
		return
	}
	if d := a.dirLocked(); d.names[FoldName(a.name)] != a {
		a.alterLocked(func() { a.name = d.takeLocked(a, a.name) })
	}
}

// alterLocked lets f change whether a is listed, where it is shown, or its name.
func (a *Asset) alterLocked(f func()) {
	a.countLocked(-1)
	f()
	a.countLocked(1)
}

// countLocked adds a (n is 1), or removes it (-1), where it is shown.
func (a *Asset) countLocked(n int) {
	if a.listedLocked() {
		a.dirLocked().countLocked(a.shownLocked(), n)
		a.c.links.countLocked(a.ID, n)
	}
}

func hash(s string) uint64 {
	const offset, prime = 14695981039346656037, 1099511628211 // FNV-1a
	h := uint64(offset)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * prime
	}
	return h
}
