package catalog

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"
)

// AwaitNames waits, for a listing of the root, until the names of all listed assets
// are known, but no longer than ListWait, and not when nothing more can be found
// out within that time. Finding out goes on behind it. It fails only when ctx ends.
func (c *Catalog) AwaitNames(ctx context.Context) error {
	c.mu.Lock()
	c.listed = time.Now()
	deadline := c.listed.Add(c.o.ListWait)
	libs := c.top.librariesLocked()
	c.mu.Unlock()
	return c.awaitNames(ctx, deadline, libs)
}

// AwaitLinks is AwaitNames for a listing of the links. One that comes right after a
// listing of the root, as of programs that walk the tree, has waited with that.
func (c *Catalog) AwaitLinks(ctx context.Context) error {
	c.mu.Lock()
	deadline := time.Now().Add(c.o.ListWait)
	if waited := c.listed.Add(c.o.ListWait); time.Since(waited) < c.o.ListWait {
		deadline = waited
	}
	c.mu.Unlock()
	return c.awaitNames(ctx, deadline, c.libs)
}

// awaitNames waits for the names of the listed IDs, and for the lists of libs.
func (c *Catalog) awaitNames(ctx context.Context, deadline time.Time, libs []*library) error {
	c.mu.Lock()
	c.seekLocked(true)
	c.openedLocked(libs)
	c.mu.Unlock()
	err := c.awaitAny(ctx, deadline, libs, func() bool { return false })
	c.giveNames(true)
	c.mu.Lock()
	if c.headers.running { // names are missing
		c.headers.hold = latest(c.headers.hold, time.Now().Add(firstRead))
	}
	c.mu.Unlock()
	return err
}

// seekLocked sets the sweeps to work because somebody asks for names.
func (c *Catalog) seekLocked(again bool) {
	c.headers.wanted = true
	c.calls.kickLocked(again)
	c.headers.kickLocked(again)
}

// awaitAny waits until done, or deadline, or until no name can be found before it,
// neither of listed IDs nor of libs.
func (c *Catalog) awaitAny(ctx context.Context, deadline time.Time, libs []*library, done func() bool) error {
	return c.await(ctx, deadline, func() bool {
		return c.finderLocked().comingLocked(deadline) || comingLocked(libs)
	}, done)
}

// await waits until done, or deadline, or until nothing is coming any more.
func (c *Catalog) await(ctx context.Context, deadline time.Time, comingLocked, done func() bool) error {
	timer := time.NewTimer(time.Until(deadline))
	defer timer.Stop()
	for {
		c.mu.Lock()
		changed, coming := c.changed, comingLocked()
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

// Known finds a listed asset by its name or ID. It never waits.
func (c *Catalog) Known(name string) *Asset {
	if a := c.top.Known(name); a != nil {
		return a
	}
	c.giveNames(false) // a read may have told a name that no listing has given yet
	if a := c.top.Known(name); a != nil {
		return a
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if a := c.byID[name]; a != nil && a.listedLocked() && a.dirLocked() == c.top {
		return a
	}
	return nil
}

// Lookup finds the asset of a directory entry. One that is not known is looked
// for: by its ID on the network, by its name as a listing would. It waits no
// longer than ListWait. It returns nil without an error if there is none.
func (c *Catalog) Lookup(ctx context.Context, name string) (*Asset, error) {
	if a := c.Known(name); a != nil {
		return a, nil
	}
	switch {
	case c.o.Pattern.MatchString(name):
		return c.LookupID(ctx, name)
	case crawled(name):
		return nil, nil
	}
	return c.lookFor(ctx, name)
}

// LookupID is Lookup of an ID alone. Waiting for our own turn is no error: an
// asset that nobody could be asked about within ListWait is returned without
// being listed. Stat and Contact, which may wait longer, find out about it.
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
	there := err == nil || a.uploading
	a.sought = !there && errors.Is(err, ErrBusy) && ctx.Err() == nil
	sought := a.sought
	c.mu.Unlock()
	switch {
	case there:
		c.lookedUp(a)
	case !sought:
		return nil, err
	}
	return a, nil
}

// lookedUp lists an asset that was looked up.
func (c *Catalog) lookedUp(a *Asset) {
	c.show(a)
	c.giveNames(false)
}

// foundOut lists an asset that LookupID could not ask about, now that it is known
// to be there.
func (c *Catalog) foundOut(a *Asset) {
	c.mu.Lock()
	sought := a.sought
	a.sought = false
	c.mu.Unlock()
	if sought {
		c.lookedUp(a)
	}
}

// lookFor waits until an asset has that name. All who do so share one deadline,
// so that sidecar names of players and typos wait once for each list.
func (c *Catalog) lookFor(ctx context.Context, name string) (*Asset, error) {
	now := time.Now()
	c.mu.Lock()
	libs := c.top.librariesLocked()
	if c.lookBy.IsZero() && (comingLocked(libs) || slices.ContainsFunc(c.list, func(a *Asset) bool { return a.name == "" })) {
		c.lookBy = now.Add(c.o.ListWait)
		c.seekLocked(false)
	}
	deadline := c.lookBy
	c.mu.Unlock()
	if !now.Before(deadline) {
		return nil, nil
	}
	var found *Asset
	err := c.awaitAny(ctx, deadline, libs, func() bool {
		c.giveNames(false)
		found = c.top.Known(name)
		return found != nil
	})
	if found != nil || err != nil {
		return found, err
	}
	c.giveNames(true)
	return c.top.Known(name), nil
}

// crawled reports whether name is one that desktops, indexers and other systems
// look for everywhere. Nobody waits for those.
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
