package fakeapi

import (
	"errors"
	"reflect"
	"slices"
	"time"
)

// Config is how the server behaves towards all clients. The zero Config has ranges and
// metadata, no limits and no key.
type Config struct {
	Key         string        // accepted as Authorization, several separated by blanks; "": everything is, even none
	NoRange     bool          // ranges are ignored
	NoMetadata  bool          // there is no metadata call
	Downloads   Limit         // of the account, for downloads; the target of a redirect does not count
	Metadata    Limit         // of the account, for metadata
	List        Limit         // of the account, for lists of videos
	Latency     time.Duration // before each header
	Rate        int64         // bytes a second on each connection; 0: no limit
	SendTimeout time.Duration // a client that reads nothing for this long is cut off (nginx: 60 s); 0: never
	Connections int           // assets sent at the same time; further ones get a gateway's 503; 0: no limit
	OldCodes    bool          // string codes: "0429" for 429, "0000" for success
	Bare        bool          // JSON has only code, msg and data, neither success nor failed
	ErrorsOn200 bool          // error objects have status 200
	MetaNumbers bool          // numbers and times in metadata are numbers, not strings
	NoLibrary   bool          // there is no list call
	ListStrings bool          // numbers and times in lists are strings
	ListOmit    string        // fields to omit from lists: "total_count,page_size"
	ListTotal   int           // total_count, right or wrong; 0: the right one
	ListOrder   string        // "oldest", "name"; "": newest first
	PageMost    int           // most videos on a page of a list; 0: no limit
	PageRefuse  bool          // a request for more than PageMost is refused, not shortened
	Boot        int           // changing it changes ETags of the kinds "auto", "new" and "turns", like a restart
	// Portal is a captive portal in front of everything: 511, or 200, with its
	// page; or 302, which leads to it. 0 is none.
	Portal int
	// Redirect is where downloads are redirected with 302 after key and limit are checked.
	// "{id}" in it becomes the asset's ID. "" serves them here.
	Redirect string
	// Faults strike requests for any asset, even an unknown one, and are applied before
	// those of the asset. The slice must not be changed in place.
	Faults []Fault
}

// Check returns an error if c is not valid.
func (c Config) Check() error {
	return errors.Join(c.Downloads.check(), c.Metadata.check(), c.List.check(), oneOf("ListOrder", c.ListOrder, "", "newest", "oldest", "name"), checkFaults(c.Faults))
}

// Configure changes the settings, under a lock. They apply to later requests; Rate also
// applies to the rest of running ones. change must not call the server. Configure panics
// if Check fails.
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

// Share makes s use the account of another server: requests to either count for both, and
// the limits set last, at either, apply.
func (s *Server) Share(with *Server) {
	with.mu.Lock()
	account := with.account
	with.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.account = account
}
