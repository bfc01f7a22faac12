package catalog

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
)

// giveNames gives names to listed assets whose own name has become known, in the order of the list,
// because that order decides clashes. Therefore it leaves out assets behind one that is being asked
// about, unless forced. If there is nothing new it costs next to nothing.
func (c *Catalog) giveNames(force bool) {
	if !c.news() {
		return
	}
	c.changeAfter(func() (record, show func()) {
		given := c.chooseLocked(force)
		if len(given) == 0 {
			return nil, nil
		}
		names := make(map[string]string, len(given))
		for a, name := range given {
			names[a.ID] = name
		}
		c.giving = true
		return func() { c.o.Names.SetNames(names) }, func() {
			for a, name := range given {
				a.alterLocked(func() { a.name = name })
			}
			c.giving = false
			c.notifyLocked()
		}
	})
}

// change calls show, which changes what is shown, and records the time.
func (c *Catalog) change(show func()) {
	c.changeAfter(func() (record, then func()) { return nil, show })
}

// changeAfter first calls record and then show, so that nobody sees what the next mount may not know.
// choose returns both, which may be nil. choose and show are called with the lock held.
func (c *Catalog) changeAfter(choose func() (record, show func())) {
	c.naming.Lock()
	c.mu.Lock()
	record, show := choose()
	if record != nil {
		c.mu.Unlock()
		record()
		c.mu.Lock()
	}
	if show != nil {
		show()
	}
	moved := map[string]string{}
	for _, d := range append(c.Dirs(), c.top, c.links) {
		if note := d.moveLocked(); note != "" {
			moved[d.note()] = note
		}
	}
	c.mu.Unlock()
	for name, note := range moved {
		_ = c.o.Notes.SetNote(name, note) // if it is lost, the directory seems changed after a restart
	}
	c.naming.Unlock()
	if len(moved) > 0 && c.o.Changed != nil {
		c.o.Changed()
	}
}

// news reports whether there may be a name to give, or a name being recorded to wait for.
func (c *Catalog) news() bool {
	c.learntMu.Lock()
	learnt := len(c.learnt)
	c.learntMu.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.giving || learnt+len(c.unnamed) > 0
}

// chooseLocked takes the names to give, and returns them.
func (c *Catalog) chooseLocked(force bool) map[*Asset]string {
	c.learntMu.Lock()
	maps.Copy(c.unnamed, c.learnt)
	clear(c.learnt)
	c.learntMu.Unlock()
	maps.DeleteFunc(c.unnamed, func(a *Asset, _ bool) bool { return a.name != "" || a.place < 0 })

	barrier := int32(math.MaxInt32)
	if !force {
		for a := range c.finderLocked().asking {
			if a.place >= 0 {
				barrier = min(barrier, a.place)
			}
		}
	}
	given := map[*Asset]string{}
	for _, a := range slices.SortedFunc(maps.Keys(c.unnamed), func(a, b *Asset) int { return cmp.Compare(a.place, b.place) }) {
		if a.place > barrier {
			break
		}
		info := a.infoLocked()
		delete(c.unnamed, a) // what is learnt later brings it back
		if info.Header || c.o.ByMetadata && info.Name != "" {
			given[a] = c.top.takeLocked(a, ownName(a.ID, info.Name, info.Type))
		}
	}
	return given
}

// finderLocked returns the sweep that finds names.
func (c *Catalog) finderLocked() *sweep {
	if c.o.ByMetadata {
		return c.calls
	}
	return c.headers
}

// ownName returns the name that an asset has if no other has the same.
func ownName(id, told, mediaType string) string {
	name := SafeName(told)
	if name == "" {
		name = SafeName(FallbackName(id, mediaType))
	}
	return cmp.Or(name, id)
}

// takeLocked takes a name for a in d, and returns it.
func (d *Dir) takeLocked(a *Asset, name string) string {
	own := name
	if d.takenLocked(a, name) {
		name = distinctName(own, a.ID)
	}
	if d.takenLocked(a, name) {
		name = a.ID // somebody names a file like that on purpose
	}
	for n := 2; d.heldLocked(a, name); n++ { // the IDs of videos don't match Pattern, or all names do
		name = distinctName(own, fmt.Sprintf("%s %d", a.ID, n))
	}
	d.holdLocked(a, name)
	return name
}

// holdLocked takes a name for a. It returns false if another asset has it.
func (d *Dir) holdLocked(a *Asset, name string) bool {
	fold := FoldName(name)
	if d.names[fold] == nil {
		d.names[fold] = a
	}
	return d.names[fold] == a
}

func (d *Dir) takenLocked(a *Asset, name string) bool {
	return d.heldLocked(a, name) || name != a.ID && (FoldName(name) == ByID || d.c.known.MatchString(name))
}

// heldLocked reports whether another asset has that name.
func (d *Dir) heldLocked(a *Asset, name string) bool {
	other := d.names[FoldName(name)]
	return other != nil && other != a
}

// yieldLocked makes the asset that has the ID of a as its name take another one, in this mount. An earlier
// one that gave it had another Pattern.
func (d *Dir) yieldLocked(a *Asset) {
	fold := FoldName(a.ID)
	other := d.names[fold]
	if other == nil || other == a {
		return
	}
	d.names[fold] = a
	other.alterLocked(func() { other.name = d.takeLocked(other, other.name) })
}
