package catalog

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"strings"
	"time"
)

const (
	// lookEvery is the least time between two looks at a library that nobody has asked for;
	// failedEvery is that after a failed look.
	lookEvery   = time.Minute
	failedEvery = 10 * time.Second
	// passes is how often a look reads a list that changes meanwhile.
	passes = 3
	// missedOften is how many passes in a row must miss a video before it is removed. A pass over
	// several pages may miss videos that move between them, and a server in trouble may send an empty
	// list.
	missedOften = 2
	// If more than tooMany videos, and more than half of a library, seem to be gone at once, that is not
	// believed: the service may be in trouble, and a program that mirrors the library would delete its
	// copies. They stay for doubtFor.
	tooMany  = 20
	doubtFor = time.Hour
)

// A MissingError means that so many videos are missing from a list that they are kept. They are removed
// when somebody asks for another look, or when they have been missing for doubtFor.
type MissingError struct{ Missing, Known int }

func (e *MissingError) Error() string {
	return fmt.Sprintf("%d of %d videos are missing from the list all at once; they stay for an hour, or until assetfs refresh finds the same again", e.Missing, e.Known)
}

// A Look is the result of looking at a library.
type Look struct {
	Scope   string
	Videos  int // that are listed now
	Missing int // that the server counts beyond those it listed
	First   bool
	Err     error // it has ended early; what it has met is listed
}

// library holds the videos of one scope. Catalog.mu guards it, except for scope and dir.
type library struct {
	c     *Catalog
	scope string
	dir   *Dir

	videos []*Asset // as they were first met; those that are gone stay, with their names; an empty one for each that another library lists now
	known  bool     // its list was read to its end, in this mount or before
	ended  time.Time
	failed bool      // the last look
	looks  int       // that have ended well
	short  int       // Look.Missing of the last pass; only look uses it
	doubt  time.Time // since when the list lacks too many; zero: it does not
	warned bool      // somebody who asked was told so
	last   Look
	busy   bool // a look is under way
	asked  bool // somebody has asked for it
	again  bool // another one was asked for meanwhile
	done   chan struct{}
}

// openLibrariesLocked makes the libraries, with what is recorded of them.
func (c *Catalog) openLibrariesLocked() {
	for _, scope := range c.o.Scopes {
		l := &library{c: c, scope: scope, dir: c.top}
		if len(c.o.Scopes) > 1 {
			l.dir = newDir(c, c.top.freeLocked(cmp.Or(SafeName(scope), "library")))
			holder := new(Asset) // so that no file is called so
			_, ino := c.findLocked("library/" + scope)
			c.beginLocked(holder, "library/"+scope, ino) // which is no ID
			c.top.holdLocked(holder, l.dir.Name)
			c.top.countLocked(l.dir.Name, 1)
			l.dir.Ino = ino
		}
		c.libs = append(c.libs, l)
		l.loadLocked()
	}
}

// freeLocked returns a name for a directory that no file has.
func (d *Dir) freeLocked(name string) string {
	for d.takenLocked(new(Asset), name) {
		name += " (library)"
	}
	return name
}

// openedLocked is called when a directory that shows the library is opened. It looks at the library if
// the last look was some time ago.
func (l *library) openedLocked(now time.Time) {
	pause := lookEvery
	if l.failed {
		pause = failedEvery
	}
	if !l.busy && now.Sub(l.ended) >= pause {
		l.lookLocked(false)
	}
}

// lookLocked begins a look, or another one after the running one. The channel is closed when it ends.
// asked means that somebody waits for the result.
func (l *library) lookLocked(asked bool) <-chan struct{} {
	c := l.c
	if !c.started || c.closed {
		return l.done
	}
	l.asked = l.asked || asked
	if l.busy {
		l.again = true
		return l.done
	}
	l.busy, l.done = true, make(chan struct{})
	if !l.known {
		c.lookBy = time.Time{}
	}
	c.wg.Go(l.look)
	return l.done
}

// Refresh looks at all libraries now, and returns the results.
func (c *Catalog) Refresh(ctx context.Context) ([]Look, error) {
	c.mu.Lock()
	var looks []<-chan struct{}
	for _, l := range c.libs {
		if done := l.lookLocked(true); done != nil { // else before Start
			looks = append(looks, done)
		}
	}
	c.mu.Unlock()
	for _, done := range looks {
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

// look brings the list up to date, and again if that is asked for meanwhile.
func (l *library) look() {
	c := l.c
	for again := true; again; {
		c.mu.Lock()
		asked := l.asked
		l.asked, l.again = false, false
		c.mu.Unlock()
		err := l.pass(asked)
		c.mu.Lock()
		l.ended, l.failed = time.Now(), err != nil
		l.last = Look{Scope: l.scope, Missing: l.short, First: l.looks == 0, Err: err}
		for _, a := range l.videos {
			if a.video.listed {
				l.last.Videos++
			}
		}
		if err == nil {
			l.known = true
			l.looks++
		}
		report := l.last
		c.mu.Unlock()
		if c.o.Looked != nil && c.ctx.Err() == nil {
			c.o.Looked(report)
		}
		c.mu.Lock()
		if again = l.again && !c.closed; !again {
			l.busy = false
			close(l.done)
		}
		c.notifyLocked()
		c.mu.Unlock()
	}
}

// pass reads the list until it did not change during a pass, or often enough. New videos are listed at
// once.
func (l *library) pass(asked bool) error {
	var before map[*Asset]bool
	first := l.short == 0
	for range passes {
		met := map[*Asset]bool{}
		listing, err := l.c.o.Lister.ListVideos(l.c.ctx, l.scope, func(videos []Video) { l.found(videos, met) })
		if err != nil {
			return err
		}
		if l.short = listing.Missing; l.short > 0 && first {
			continue // a page may have come empty; if that lasts, the next look believes it
		}
		// If two passes over a changing list find the same videos, it has not really changed: the
		// server only counts differently.
		if !listing.Shifted || before != nil && maps.Equal(met, before) {
			again, err := l.passed(met, asked)
			if !again || err != nil {
				return err
			}
		}
		before = met
	}
	return nil
}

// found lists videos, gives names to new ones, and adds them to met.
func (l *library) found(videos []Video, met map[*Asset]bool) {
	c := l.c
	c.changeAfter(func() (record, show func()) {
		touched := map[int]bool{} // records
		come := map[*Asset]string{}
		for _, v := range videos {
			if SafeName(v.ID) != v.ID {
				continue // it can't be a file name
			}
			a, ino := c.findLocked(v.ID)
			if a == nil {
				a = new(Asset)
				c.beginLocked(a, strings.Clone(v.ID), ino)
			}
			if a.video != nil && a.video.library != l && a.video.listed {
				continue // it stands in the library that had it first
			}
			met[a] = true
			if l.updateLocked(a, v) || !a.video.listed {
				touched[int(a.video.slot)/perRecord] = true
			}
			if a.video.missed = 0; !a.video.listed {
				come[a] = l.nameLocked(a, v)
			}
		}
		records := l.recordsLocked(touched, come)
		return func() { l.save(records) }, func() {
			for a, name := range come {
				a.alterLocked(func() { a.name, a.video.listed = name, true })
			}
			if len(come) > 0 {
				c.notifyLocked()
			}
		}
	})
}

// nameLocked takes a name for a new video, and returns it. It takes the name wherever the video may be
// shown: in its library, and in the root if its ID is listed as well.
func (l *library) nameLocked(a *Asset, v Video) string {
	d, name := a.dirLocked(), a.name
	if name == "" || d.takenLocked(a, name) {
		name = d.takeLocked(a, l.dir.takeLocked(a, cmp.Or(SafeName(v.Name), v.ID)))
	}
	d.holdLocked(a, name)
	l.dir.holdLocked(a, name)
	return name
}

// updateLocked stores what a library tells of a, and reports whether anything is new.
func (l *library) updateLocked(a *Asset, told Video) bool {
	if a.video == nil || a.video.library != l {
		a.leaveLocked()
		a.video = &video{library: l, size: -1, slot: int32(len(l.videos)), millis: time.Now().UnixMilli()}
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
	if f := a.Awake(); changed && f != nil {
		f.Learn(v.info())
	}
	return changed
}

// leaveLocked empties the slot of a in the library that had it, if any.
func (a *Asset) leaveLocked() {
	if v := a.video; v != nil {
		v.library.videos[v.slot] = &Asset{video: &video{}}
	}
}

// internLocked returns a copy of bucket that the videos share.
func (l *library) internLocked(bucket string) string {
	if n := len(l.videos); n > 1 && l.videos[n-2].video.bucket == bucket {
		return l.videos[n-2].video.bucket
	}
	return strings.Clone(bucket)
}

// passed removes the videos that two complete passes over an unchanging list have missed. It reports
// whether another pass is needed for that.
func (l *library) passed(met map[*Asset]bool, asked bool) (again bool, err error) {
	l.c.changeAfter(func() (record, show func()) {
		var missing []*Asset
		known := 0
		for _, a := range l.videos {
			if a.video.listed {
				known++
				if !met[a] {
					missing = append(missing, a)
				}
			}
		}
		touched := map[int]bool{}
		doubtful := len(missing) > tooMany && 2*len(missing) > known
		if !doubtful {
			l.doubt, l.warned = time.Time{}, false
		}
		for _, a := range missing {
			v := a.video
			if v.missed = min(v.missed+1, missedOften); v.missed < missedOften {
				again = true
				continue
			}
			if doubtful && !l.provenLocked(asked) {
				err = &MissingError{len(missing), known}
				return nil, nil
			}
			a.alterLocked(func() { v.listed, v.missed = false, 0 })
			touched[int(v.slot)/perRecord] = true
		}
		records := l.recordsLocked(touched, nil)
		return func() { l.save(records) }, l.c.notifyLocked
	})
	return again, err
}

// provenLocked reports whether to believe a list from which too many videos are missing.
func (l *library) provenLocked(asked bool) bool {
	if l.doubt.IsZero() {
		l.doubt = time.Now()
	}
	proven := asked && l.warned || time.Since(l.doubt) >= doubtFor
	l.warned = l.warned || asked
	return proven
}
