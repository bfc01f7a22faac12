package fakeapi

import (
	"net/http"
	"reflect"
	"slices"
	"sync"
	"time"
)

// Server is the API. Make it with New or Demo. All methods may be called at any time from any
// goroutine. It starts nothing that outlives a request; whoever serves it closes the listener.
type Server struct {
	buffers sync.Pool // of *[writeSize]byte

	mu      sync.Mutex // guards all fields below
	config  Config
	faults  faults // of config
	assets  map[string]*entry
	library library
	account *account
	log     []*record
	sending int            // assets being sent
	running map[string]int // running requests, by Op
	peak    map[string]int // the maximum of running
	changed chan struct{}  // closed at the next change of the log; nil if nobody waits
}

var _ http.Handler = (*Server)(nil)

// New returns a server with these assets.
func New(assets ...Asset) *Server {
	s := &Server{
		account: newAccount(),
		assets:  map[string]*entry{},
		library: newLibrary(),
		running: map[string]int{},
		peak:    map[string]int{},
		buffers: sync.Pool{New: func() any { return new([writeSize]byte) }},
	}
	for _, a := range assets {
		s.Put(a)
	}
	return s
}

// Put adds an asset, or replaces the one with the same ID. Its faults start counting anew.
// Running responses are not affected. Put panics if Asset.Check fails.
func (s *Server) Put(a Asset) { s.put(a, false) }

func (s *Server) put(a Asset, video bool) {
	if err := a.Check(); err != nil {
		panic(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	e := &entry{asset: a, video: video, faults: newFaults(a.Faults), put: time.Now()}
	e.follow(s.assets[a.ID])
	s.assets[a.ID] = e
	if a.Blob != "" {
		s.library.places[e.place()] = a.ID
	}
}

// Update changes an asset, under a lock; change must not call the server. It reports whether
// the asset exists. Faults that are not changed go on counting.
func (s *Server) Update(id string, change func(*Asset)) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.assets[id]
	if e == nil {
		return false
	}
	a := e.asset.settled()
	a.Faults = slices.Clone(a.Faults)
	change(&a)
	a.ID = id
	changed := *e
	changed.asset = a
	if !reflect.DeepEqual(e.faults.list, a.Faults) && len(e.faults.list)+len(a.Faults) > 0 {
		changed.faults = newFaults(a.Faults)
	}
	changed.follow(e)
	s.assets[id] = &changed
	if a.Blob != "" {
		s.library.places[changed.place()] = id
	}
	return true
}

// Delete removes an asset, if there is one.
func (s *Server) Delete(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.assets, id)
}

// Asset returns an asset as it was put. Its Faults must not be changed.
func (s *Server) Asset(id string) (Asset, bool) {
	s.mu.Lock()
	e := s.assets[id]
	s.mu.Unlock()
	if e == nil {
		return Asset{}, false
	}
	return e.asset.settled(), true
}

// look returns an asset as the answer to a request should show it.
func (s *Server) look(op, id string, byPlace bool, cfg Config) (Asset, bool) {
	s.mu.Lock()
	e := s.assets[id]
	if e == nil || e.video && !byPlace && op != opStorage {
		s.mu.Unlock()
		return Asset{}, false
	}
	a := e.show(op, time.Now())
	s.mu.Unlock()
	a.turn.boot = cfg.Boot
	return a.settled(), true
}

// room reserves one of Config.Connections until the request ends. It returns false if none is
// left.
func (s *Server) room(rec *record, cfg Config) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if cfg.Connections > 0 && s.sending >= cfg.Connections {
		return false
	}
	s.sending++
	rec.sending = true
	return true
}

// strike counts a request and returns the fault that strikes it.
func (s *Server) strike(op, id string) Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, ok := s.faults.next(op)
	if e := s.assets[id]; e != nil {
		if own, struck := e.faults.next(op); struck && !ok {
			f = own
		}
	}
	return f
}

// admit counts a request for the limits. If it is refused, it returns the limit and how long
// to wait for the next one.
func (s *Server) admit(rec *record) (l Limit, wait time.Duration, ok bool) {
	s.mu.Lock()
	account := s.account
	s.mu.Unlock()
	if l, wait, ok = account.admit(rec.req.Op, rec.req.Time); !ok {
		s.mu.Lock()
		defer s.mu.Unlock()
		rec.req.Refused = true
	}
	return l, wait, ok
}
