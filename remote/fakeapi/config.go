package fakeapi

import (
	"errors"
	"reflect"
	"slices"
	"time"
)

// Config is how the server behaves towards everybody. The zero Config is a
// server with ranges and metadata, no limits and no key.
type Config struct {
	Key         string        // what is accepted as Authorization, words between blanks; "" accepts any, even none
	NoRange     bool          // ranges are ignored
	NoMetadata  bool          // there is no metadata call
	Downloads   Limit         // of the account, for downloads: what a redirect leads to is none
	Metadata    Limit         // the same for metadata
	List        Limit         // the same for lists of videos
	Latency     time.Duration // before each header
	Rate        int64         // bytes a second on each connection; 0 is unshaped
	SendTimeout time.Duration // a client that takes nothing for so long is cut off, as nginx does after 60 s; 0 is never
	Connections int           // assets that can be on their way at a time, others get a gateway's 503; 0 is no limit
	OldCodes    bool          // string codes: "0429" for 429, "0000" for success
	Bare        bool          // JSON has code, msg and data alone, neither success nor failed
	ErrorsOn200 bool          // error objects ride on HTTP 200
	MetaNumbers bool          // numbers and times in metadata are numbers, not strings
	NoLibrary   bool          // there is no list call
	ListStrings bool          // numbers and times in lists are strings
	ListOmit    string        // fields that lists are without: "total_count,page_size"
	ListTotal   int           // total_count as given, right or wrong; 0 is right
	ListOrder   string        // "oldest", "name"; "" is newest first
	PageMost    int           // videos on a page of a list, however many are asked for; 0 is no limit
	PageRefuse  bool          // and who asks for more is refused
	Boot        int           // another number gives other ETags of the kinds "auto", "new" and "turns", as a restart does
	// Portal is a captive portal in front of everything: 511, or 200, with its
	// page; or 302, which leads to it. 0 is none.
	Portal int
	// Redirect is where downloads are sent with 302 once key and limit are
	// checked; "{id}" in it becomes the asset's ID. "" serves them here.
	Redirect string
	// Faults strike requests for any asset, known or not, and come before those
	// of the asset. The slice must not be changed in place.
	Faults []Fault
}

// Check returns what is wrong with c; nil is nothing.
func (c Config) Check() error {
	return errors.Join(c.Downloads.check(), c.Metadata.check(), c.List.check(), oneOf("ListOrder", c.ListOrder, "", "newest", "oldest", "name"), checkFaults(c.Faults))
}

// Configure changes the settings, under a lock and for requests to come; Rate
// also for bytes to come. The function must not call the server. It panics where
// Check finds something.
func (s *Server) Configure(change func(*Config)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	faults := slices.Clone(s.config.Faults)
	changed := s.config
	change(&changed)
	if err := changed.Check(); err != nil {
		panic(err)
	}
	s.config = changed
	if !reflect.DeepEqual(faults, changed.Faults) {
		s.faults = newFaults(changed.Faults)
	}
	s.account.limit(opDownload, changed.Downloads)
	s.account.limit(opMetadata, changed.Metadata)
	s.account.limit(opList, changed.List)
}

// Config returns the settings.
func (s *Server) Config() Config {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.config
}

// Share makes s serve the account of another server: what is asked of either
// counts for both, and the limits are those that were set last, at either.
func (s *Server) Share(with *Server) {
	with.mu.Lock()
	account := with.account
	with.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.account = account
}
