package catalog

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

const (
	// lookEvery is the least time between two looks at a library that nobody has
	// asked for, failedEvery where the last one has failed.
	lookEvery   = time.Minute
	failedEvery = 10 * time.Second
	// passes is how often a look passes over a list that changes meanwhile.
	passes = 3
	// missedOften is how many passes in a row must not have met a video before it
	// goes: one over several pages may miss what moves between them, and a server in
	// trouble may tell of an empty list.
	missedOften = 2
)

// A Look says how a look at a library went.
type Look struct {
	Scope  string
	Videos int // that are listed now
	First  bool
	Err    error // it has ended early; what it has met is listed
}

// library is the videos of one scope. Catalog.mu guards it but for scope and dir.
type library struct {
	c     *Catalog
	scope string
	dir   *Dir

	videos []*Asset // as they were first met; those that are gone stay, with their names
	listed int      // how many are listed
	names  uint64   // hashes of the names of those, together
	ids    uint64   // likewise
	known  bool     // its list was read to its end, in this mount or before
	ended  time.Time
	failed bool // the last look
	looks  int  // that have ended well
	last   Look
	busy   bool // a look is under way
	again  bool // another one was asked for meanwhile
	done   chan struct{}
}

// openLibrariesLocked makes the libraries, with what is known of them.
func (c *Catalog) openLibrariesLocked() {
	for _, scope := range c.o.Scopes {
		l := &library{c: c, scope: scope, dir: c.top}
		if len(c.o.Scopes) > 1 {
			l.dir = newDir(c, c.top.freeLocked(cmp.Or(SafeName(scope), "library")))
			l.dir.Ino = c.inoLocked("library/" + scope)
			c.top.names[FoldName(l.dir.Name)] = &Asset{place: -1} // so that no file is called so
		}
		c.libs = append(c.libs, l)
		l.loadLocked()
		if l.dir != c.top {
			l.dir.time.move(l.names)
		}
	}
}

// freeLocked returns a name for a directory that no file has.
func (d *Dir) freeLocked(name string) string {
	for n := 1; ; n++ {
		free := name
		switch {
		case n == 2:
			free += " (library)"
		case n > 2:
			free += fmt.Sprintf(" (library %d)", n-1)
		}
		if fold := FoldName(free); d.names[fold] == nil && fold != ByID && !d.c.known.MatchString(free) {
			return free
		}
	}
}

// openedLocked has libraries looked at whose directory is opened, if the last look is
// some time ago.
func (c *Catalog) openedLocked(libs []*library) {
	for _, l := range libs {
		pause := lookEvery
		if l.failed {
			pause = failedEvery
		}
		if !l.busy && time.Since(l.ended) >= pause {
			l.lookLocked()
		}
	}
}

// lookLocked begins a look, or another one after that which is under way. It is over
// when the channel is closed.
func (l *library) lookLocked() <-chan struct{} {
	c := l.c
	switch {
	case !c.started || c.closed:
	case l.busy:
		l.again = true
	default:
		l.busy, l.done = true, make(chan struct{})
		if !l.known {
			c.lookBy = time.Time{}
		}
		c.wg.Go(l.look)
	}
	return l.done
}

// Refresh looks at all libraries now, and returns how that went.
func (c *Catalog) Refresh(ctx context.Context) ([]Look, error) {
	c.mu.Lock()
	var looks []<-chan struct{}
	for _, l := range c.libs {
		looks = append(looks, l.lookLocked())
	}
	c.mu.Unlock()
	for _, done := range looks {
		if done == nil {
			continue // before Start
		}
		select {
		case <-done:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	var ended []Look
	for _, l := range c.libs {
		ended = append(ended, l.last)
	}
	return ended, nil
}

// look brings the list up to date.
func (l *library) look() {
	c := l.c
	for {
		err := l.pass()
		c.mu.Lock()
		l.ended, l.failed = time.Now(), err != nil
		l.last = Look{Scope: l.scope, Videos: l.listed, First: l.looks == 0, Err: err}
		if err == nil {
			l.known = true
			l.looks++
		}
		report := l.last
		c.mu.Unlock()
		if c.o.Looked != nil && c.ctx.Err() == nil {
			c.o.Looked(report)
		}
		if l.rest() {
			return
		}
	}
}

// rest ends a look, unless another one was asked for meanwhile.
func (l *library) rest() bool {
	c := l.c
	c.mu.Lock()
	defer c.mu.Unlock()
	again := l.again && !c.closed
	l.again = false
	if !again {
		l.busy = false
		close(l.done)
	}
	c.notifyLocked()
	return !again
}

// pass passes over the list until that has held still, or often enough. What has come is
// listed at once.
func (l *library) pass() error {
	var before map[*Asset]bool
	for range passes {
		met := map[*Asset]bool{}
		listing, err := l.c.o.Lister.ListVideos(l.c.ctx, l.scope, func(videos []Video) { l.found(videos, met) })
		if err != nil {
			return err
		}
		// One that shifts, but in which two passes meet the same, has held still: the
		// server counts otherwise.
		steady := !listing.Shifted || before != nil && maps.Equal(met, before)
		if steady && !l.passed(met) {
			return nil
		}
		before = met
	}
	return nil
}

// found lists videos, names those that are new, and notes in met that they are there.
func (l *library) found(videos []Video, met map[*Asset]bool) {
	c := l.c
	c.naming.Lock()
	come := l.nameAll(videos, met)
	c.naming.Unlock()
	if come > 0 {
		l.moved()
	}
}

// nameAll is found, with c.naming held. It returns how many were not listed before.
func (l *library) nameAll(videos []Video, met map[*Asset]bool) int {
	c := l.c
	c.mu.Lock()
	touched := map[int]bool{} // records
	var come []*Asset
	names := map[*Asset]string{}
	for _, v := range videos {
		if SafeName(v.ID) != v.ID {
			continue // it can't be a file name
		}
		a := c.byID[v.ID]
		if a == nil {
			a = c.newAssetLocked(strings.Clone(v.ID))
		}
		if a.video != nil && a.video.library != l && a.video.listed {
			continue // it stands in the library that had it first
		}
		met[a] = true
		if l.updateLocked(a, v) {
			touched[a.video.slot/perRecord] = true
		}
		if a.video.missed = 0; a.video.listed {
			continue
		}
		come = append(come, a)
		touched[a.video.slot/perRecord] = true
		d := a.dirLocked() // the root if it is listed by its ID as well
		if names[a] = a.name; a.name == "" || d.takenLocked(a, a.name) {
			names[a] = d.takeLocked(a, l.dir.takeLocked(a, cmp.Or(SafeName(v.Name), v.ID)))
		}
	}
	records := l.recordsLocked(touched, names)
	c.mu.Unlock()
	l.save(records)
	c.mu.Lock()
	for _, a := range come {
		a.name = names[a]
		for _, d := range []*Dir{l.dir, a.dirLocked()} { // it may come to stand in either
			if fold := FoldName(a.name); d.names[fold] == nil {
				d.names[fold] = a
			}
		}
		l.showLocked(a)
	}
	c.mu.Unlock()
	return len(come)
}

// updateLocked takes over what a library tells of a, and reports whether that is new.
func (l *library) updateLocked(a *Asset, told Video) bool {
	if a.video == nil || a.video.library != l {
		a.video = &video{library: l, size: -1, slot: len(l.videos), millis: time.Now().UnixMilli()}
		l.videos = append(l.videos, a)
	}
	v := a.video
	was := *v
	if told.Size >= 0 {
		v.size = told.Size
	}
	if !told.Time.IsZero() {
		v.millis = told.Time.UnixMilli()
	}
	if told.Blob != "" && (told.Blob != v.blob || told.Bucket != v.bucket) {
		v.bucket, v.blob = l.internLocked(told.Bucket), strings.Clone(told.Blob)
	}
	changed := was != *v
	if f := a.facts.Load(); changed && f != nil {
		(*f).Learn(v.info())
	}
	return changed
}

// internLocked returns a copy of bucket that videos share.
func (l *library) internLocked(bucket string) string {
	if n := len(l.videos); n > 1 && l.videos[n-2].video.bucket == bucket {
		return l.videos[n-2].video.bucket
	}
	return strings.Clone(bucket)
}

func (l *library) showLocked(a *Asset) {
	a.video.listed = true
	l.listed++
	l.names += hash(a.name)
	l.ids += hash(a.ID)
}

// passed takes out what a second whole pass over a list that held still has not met. It
// reports whether another pass is needed for that.
func (l *library) passed(met map[*Asset]bool) (doubtful bool) {
	c := l.c
	c.naming.Lock()
	c.mu.Lock()
	touched := map[int]bool{}
	for _, a := range l.videos {
		v := a.video
		if v.library != l || !v.listed || met[a] {
			continue
		}
		if v.missed++; v.missed < missedOften {
			doubtful = true
			continue
		}
		v.listed, v.missed = false, 0
		l.listed--
		l.names -= hash(a.name)
		l.ids -= hash(a.ID)
		touched[v.slot/perRecord] = true
	}
	records := l.recordsLocked(touched, nil)
	c.mu.Unlock()
	l.save(records)
	c.naming.Unlock()
	if len(touched) > 0 {
		l.moved()
	}
	return doubtful
}

// moved records when the names of the directories have changed, and tells those who wait.
func (l *library) moved() {
	c := l.c
	var note string
	c.change(func() {
		if l.dir != c.top && l.dir.time.move(l.names) {
			note = fmt.Sprintf("%x %d", l.dir.time.sum, l.dir.time.at.UnixNano())
		}
		c.notifyLocked()
	})
	if note != "" {
		_ = c.o.Notes.SetNote(l.timeName(), note) // if it is lost, the directory seems changed after a restart
	}
}

// comingLocked reports whether a list that nobody has seen yet is being read.
func comingLocked(libs []*library) bool {
	return slices.ContainsFunc(libs, func(l *library) bool { return l.busy && !l.known })
}

// AwaitNames waits, for a listing, until the names in d are known, but no longer than
// ListWait. It fails only when ctx ends.
func (d *Dir) AwaitNames(ctx context.Context) error {
	if d == d.c.top {
		return d.c.AwaitNames(ctx)
	}
	c := d.c
	c.mu.Lock()
	libs := d.librariesLocked()
	c.openedLocked(libs)
	c.mu.Unlock()
	return c.awaitLibraries(ctx, time.Now().Add(c.o.ListWait), libs, func() bool { return false })
}

// Lookup finds an asset of d by its name. One that is not known is waited for while the
// list is read for the first time; all who do so share one deadline.
func (d *Dir) Lookup(ctx context.Context, name string) (*Asset, error) {
	if d == d.c.top {
		return d.c.Lookup(ctx, name)
	}
	c := d.c
	a := d.Known(name)
	if a != nil || crawled(name) {
		return a, nil
	}
	c.mu.Lock()
	libs := d.librariesLocked()
	if c.lookBy.IsZero() && comingLocked(libs) {
		c.lookBy = time.Now().Add(c.o.ListWait)
	}
	deadline := c.lookBy
	c.mu.Unlock()
	err := c.awaitLibraries(ctx, deadline, libs, func() bool {
		a = d.Known(name)
		return a != nil
	})
	return a, err
}

// awaitLibraries waits until done, or deadline, or until no list is read for the first
// time any more.
func (c *Catalog) awaitLibraries(ctx context.Context, deadline time.Time, libs []*library, done func() bool) error {
	return c.await(ctx, deadline, func() bool { return comingLocked(libs) }, done)
}
