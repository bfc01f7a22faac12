package catalog

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"sync"
	"time"

	"assetfs/fs/asset"
)

// interval is the documented limit of one a second, with a tenth for jitter.
const interval = 1100 * time.Millisecond

var errServer = errors.New("internal error")

// limiter allows one call per interval. Waiting calls queue in order.
type limiter struct {
	interval time.Duration // 0: no limit
	mu       sync.Mutex
	free     time.Time // no call before
	queue    []chan struct{}
	sent     []time.Time
	refused  int
}

func (l *limiter) budget() Budget {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case time.Now().Before(l.free), len(l.queue) > 0:
		return Budget{Next: latest(time.Now(), l.free).Add(time.Duration(len(l.queue)) * l.interval)}
	case l.interval == 0:
		return Budget{Available: math.MaxInt}
	}
	return Budget{Available: 1}
}

func (l *limiter) enter(ctx context.Context, background bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.interval == 0 && l.free.IsZero() {
		l.sent = append(l.sent, time.Now())
		return nil
	}
	if background && (time.Now().Before(l.free) || len(l.queue) > 0) {
		l.refused++
		return fmt.Errorf("no slot: %w", ErrNotNow)
	}
	turn := make(chan struct{})
	l.queue = append(l.queue, turn)
	if len(l.queue) == 1 {
		close(turn)
	}
	first := turn
	var due <-chan time.Time
	for first != nil || time.Now().Before(l.free) {
		if first == nil {
			due = time.After(time.Until(l.free))
		}
		l.mu.Unlock()
		var err error
		select {
		case <-first:
			first = nil
		case <-due:
		case <-ctx.Done():
			err = fmt.Errorf("waiting for a slot: %w", context.Cause(ctx))
		}
		l.mu.Lock()
		if err != nil {
			l.leave(turn)
			return err
		}
	}
	l.leave(turn)
	now := time.Now()
	l.sent, l.free = append(l.sent, now), now.Add(l.interval)
	return nil
}

func (l *limiter) leave(turn chan struct{}) {
	i := slices.Index(l.queue, turn)
	l.queue = slices.Delete(l.queue, i, i+1)
	if i == 0 && len(l.queue) > 0 {
		close(l.queue[0])
	}
}

func (l *limiter) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.sent)
}

// remote is an asset on the server.
type remote struct {
	name     string // in the header
	metaName string // in metadata
	size     int64  // -1: neither header nor metadata says
	modTime  time.Time
	noLength bool          // the header has no size
	ready    time.Time     // the upload is finished then
	callErr  error         // of metadata
	callErrs []error       // of its first answers
	headErr  error         // of downloads
	latency  time.Duration // of downloads
}

// server is a fake of the remote API and of the engines of all assets.
type server struct {
	calls, heads limiter
	mu           sync.Mutex
	assets       map[string]*remote
	away         bool
	stream       int // contacts that asked for more than a head
}

func newServer(ids ...string) *server {
	s := &server{assets: map[string]*remote{}}
	for i, id := range ids {
		s.assets[id] = &remote{name: fmt.Sprintf("file-%d.bin", i+1), metaName: fmt.Sprintf("file-%d.bin", i+1), size: int64(100 + i), modTime: time.Unix(1e9, 0)}
	}
	return s
}

// set alters an asset, made when it is new.
func (s *server) set(id string, f func(*remote)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.assets[id] == nil {
		s.assets[id] = &remote{}
	}
	f(s.assets[id])
}

func (s *server) get(id string) (remote, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.assets[id]; a != nil {
		return *a, s.away
	}
	return remote{callErr: ErrNotFound, headErr: ErrNotFound}, s.away
}

func (s *server) setAway(away bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.away = away
}

const latency = 80 * time.Millisecond

func (s *server) Metadata(ctx context.Context, background bool, id string) (asset.Info, error) {
	if err := s.calls.enter(ctx, background); err != nil {
		return asset.Info{Size: -1}, err
	}
	select {
	case <-time.After(latency):
	case <-ctx.Done():
		time.Sleep(latency / 8) // ending a call takes a moment
		return asset.Info{Size: -1}, context.Cause(ctx)
	}
	a, away := s.get(id)
	if len(a.callErrs) > 0 {
		s.set(id, func(a *remote) { a.callErrs = a.callErrs[1:] })
		return asset.Info{Size: -1}, a.callErrs[0]
	}
	switch {
	case away:
		return asset.Info{Size: -1}, fmt.Errorf("no route: %w", ErrNotNow)
	case a.callErr != nil:
		return asset.Info{Size: -1}, a.callErr
	case time.Now().Before(a.ready):
		return asset.Info{Size: -1}, ErrUploading
	}
	return asset.Info{Name: a.metaName, Size: a.size, ModTime: a.modTime}, nil
}

func (s *server) Budgets() (calls, heads Budget) {
	calls, heads = s.calls.budget(), s.heads.budget()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.away {
		calls, heads = Budget{Away: true}, Budget{Away: true}
	}
	return calls, heads
}

// engine is a fake of an asset.Asset.
type engine struct {
	s      *server
	id     string
	learnt func()
	mu     sync.Mutex
	info   asset.Info
}

func (e *engine) Info() asset.Info {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.info
}

func (e *engine) Learn(i asset.Info) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.info.Header {
		e.info.Name = i.Name
	}
	if e.info.Size < 0 {
		e.info.Size = i.Size
	}
	if e.info.ModTime.IsZero() {
		e.info.ModTime = i.ModTime
	}
	e.learnt()
}

// header is Contact's outcome, also of a read that somebody makes.
func (e *engine) header(a remote) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.info.Name, e.info.Header = a.name, true
	if !a.noLength {
		e.info.Size = a.size
	}
	e.learnt()
}

func (e *engine) Contact(ctx context.Context, c asset.Contact) (asset.Info, error) {
	if i := e.Info(); i.Header {
		return i, nil
	}
	if err := e.s.heads.enter(ctx, c.Background); err != nil {
		return e.Info(), err
	}
	if !c.Head {
		e.s.mu.Lock()
		e.s.stream++
		e.s.mu.Unlock()
	}
	a, _ := e.s.get(e.id)
	select {
	case <-time.After(latency + a.latency):
	case <-ctx.Done():
		return e.Info(), context.Cause(ctx)
	}
	a, away := e.s.get(e.id)
	switch {
	case away:
		return e.Info(), fmt.Errorf("no route: %w", ErrNotNow)
	case a.headErr != nil:
		return e.Info(), a.headErr
	case time.Now().Before(a.ready):
		return e.Info(), errServer
	}
	e.header(a)
	return e.Info(), nil
}

// book is Names and Notes in memory. Saving takes the catalog's lock, as whoever looks
// meanwhile does: with that lock held it would hang.
type book struct {
	notebook
	c     *Catalog
	mu    sync.Mutex
	names map[string]string
	saves int
}

func (b *book) Names() map[string]string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return maps.Clone(b.names)
}

func (b *book) SetNames(names map[string]string) {
	b.c.Entries()
	b.mu.Lock()
	defer b.mu.Unlock()
	for id := range names {
		for _, e := range b.c.Entries() {
			if e.ID == id && e.Name != id {
				panic("shown before it was recorded: " + e.Name)
			}
		}
	}
	maps.Copy(b.names, names)
	b.saves++
}

func newBook() *book { return &book{names: map[string]string{}} }
