package catalog

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"
)

// AwaitNames is for a listing of d. It waits until the names that d shows are known, but at most
// ListWait, and not if nothing more can be found out within that time. The search goes on afterwards. It
// fails only if ctx ends.
func (d *Dir) AwaitNames(ctx context.Context) error {
	c := d.c
	c.mu.Lock()
	now := time.Now()
	deadline := now.Add(c.o.ListWait)
	switch waited := c.listed.Add(c.o.ListWait); {
	case d == c.top:
		c.listed = now
	case d == c.links && now.Sub(waited) < c.o.ListWait:
		deadline = waited // programs that walk the tree have waited with the root
	}
	if d.holdsIDs() {
		c.seekLocked(true)
	}
	for _, l := range d.libraries() {
		l.openedLocked(now)
	}
	c.mu.Unlock()
	err := d.await(ctx, deadline, func() bool { return false })
	if !d.holdsIDs() {
		return err
	}
	c.giveNames(true)
	c.mu.Lock()
	if c.headers.running { // names are missing
		c.headers.hold = latest(c.headers.hold, time.Now().Add(firstRead))
	}
	c.mu.Unlock()
	return err
}

// seekLocked starts the sweeps because somebody asks for names.
func (c *Catalog) seekLocked(again bool) {
	c.headers.wanted = true
	c.calls.kickLocked(again)
	c.headers.kickLocked(again)
}

// await waits until done or the deadline, or until no name in d can be found before the deadline.
func (d *Dir) await(ctx context.Context, deadline time.Time, done func() bool) error {
	c := d.c
	timer := time.NewTimer(time.Until(deadline))
	defer timer.Stop()
	for {
		c.mu.Lock()
		changed, coming := c.changed, d.holdsIDs() && c.finderLocked().comingLocked(deadline) || d.unreadLocked()
		c.mu.Unlock()
		if done() || !coming {
			return nil
		}
		select {
		case <-changed:
		case <-timer.C:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// unreadLocked reports whether a library is being read whose list nobody has seen yet.
func (d *Dir) unreadLocked() bool {
	return slices.ContainsFunc(d.libraries(), func(l *library) bool { return l.busy && !l.known })
}

// Known returns a listed asset of d by its name or, in the root and in by-id, by its ID. It never waits.
func (d *Dir) Known(name string) *Asset {
	c := d.c
	if d == c.links {
		return c.Listed(name)
	}
	find := func(byID bool) *Asset {
		c.mu.Lock()
		defer c.mu.Unlock()
		a := d.names[FoldName(name)]
		// Of a name being given nobody knows yet.
		if a != nil && a.listedLocked() && a.name != "" && (c.o.Fold || a.name == name) {
			return a
		}
		if a, _ = c.findLocked(name); byID && a != nil && a.listedLocked() && a.dirLocked() == d {
			return a
		}
		return nil
	}
	if a := find(false); a != nil || d != c.top {
		return a
	}
	c.giveNames(false) // a read may have told a name that no listing has given yet
	return find(true)
}

// Lookup returns the asset of a directory entry. If it isn't known, an ID in the root is looked for on
// the network, and any name in the way that a listing would. It waits at most ListWait. All lookups of
// names share one deadline, so that typos, and the sidecar files that players look for, wait only once
// for each list. If there is no such asset it returns nil and no error.
func (d *Dir) Lookup(ctx context.Context, name string) (*Asset, error) {
	c := d.c
	a := d.Known(name)
	switch {
	case a != nil:
		return a, nil
	case d == c.links, d == c.top && c.o.Pattern.MatchString(name):
		return c.LookupID(ctx, name)
	case crawled(name):
		return nil, nil
	}
	now := time.Now()
	c.mu.Lock()
	for _, l := range d.libraries() { // nobody has opened the directory for this name
		if !l.known {
			l.openedLocked(now)
		}
	}
	nameless := d == c.top && slices.ContainsFunc(c.list, func(a *Asset) bool { return a.name == "" })
	if c.lookBy.IsZero() && (nameless || d.unreadLocked()) {
		c.lookBy = now.Add(c.o.ListWait)
		if d == c.top {
			c.seekLocked(false)
		}
	}
	deadline := c.lookBy
	c.mu.Unlock()
	if !now.Before(deadline) {
		return nil, nil
	}
	err := d.await(ctx, deadline, func() bool {
		a = d.Known(name)
		return a != nil
	})
	if a == nil && err == nil {
		c.giveNames(true)
		a = d.Known(name)
	}
	return a, err
}

// LookupID is Lookup for an ID. That no slot was free is no error: if nobody could be asked about the
// asset within ListWait, it is returned but not listed. Stat and Contact, which may wait longer, find
// out about it.
func (c *Catalog) LookupID(ctx context.Context, id string) (*Asset, error) {
	if a := c.Listed(id); a != nil {
		return a, nil
	}
	if !c.o.Pattern.MatchString(id) {
		return nil, nil
	}
	c.mu.Lock()
	a := c.meetLocked(id)
	c.mu.Unlock()
	wait, cancel := context.WithTimeoutCause(ctx, c.o.ListWait, ErrBusy)
	defer cancel()
	err := c.late(c.contact(wait, a, c.o.ListWait))
	c.mu.Lock()
	there := err == nil || a.seenLocked().uploading
	a.sought = !there && errors.Is(err, ErrBusy) && ctx.Err() == nil
	sought := a.sought
	c.mu.Unlock()
	switch {
	case there:
		c.show(a)
	case !sought:
		return nil, err
	}
	return a, nil
}

// foundOut lists an asset that LookupID could not ask about, when it is known to exist.
func (c *Catalog) foundOut(a *Asset) {
	c.mu.Lock()
	sought := a.sought
	a.sought = false
	c.mu.Unlock()
	if sought {
		c.show(a)
	}
}

// crawled reports whether desktops, indexers and other systems look for that name everywhere. Nobody
// waits for those.
func crawled(name string) bool {
	if strings.HasPrefix(name, ".") {
		return true
	}
	switch strings.ToLower(name) {
	case "autorun.inf", "autorun", "autorun.sh", "desktop.ini", "thumbs.db", "ehthumbs.db", "ehthumbs_vista.db",
		"folder.htt", "system volume information", "$recycle.bin", "recycler", "recycled", "lost+found",
		"bdmv", "video_ts", "audio_ts", "svcd", "vcd", "mpegav", "dcim":
		return true
	}
	return false
}
