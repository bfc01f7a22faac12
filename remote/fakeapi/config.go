package fakeapi

import (
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
	PerMinute   int           // downloads answered in any 60 s, others get 429; 0 is no limit
	RetryAfter  bool          // those 429s say when the next request will do
	Latency     time.Duration // before each header
	Rate        int64         // bytes a second on each connection; 0 is unshaped
	OldCodes    bool          // string codes: "0429" for 429
	ErrorsOn200 bool          // error objects ride on HTTP 200
	// Redirect is where downloads are sent with 302 once key and limit are
	// checked; "{id}" in it becomes the asset's ID. "" serves them here.
	Redirect string
	// Faults strike requests for any asset, known or not, and come before those
	// of the asset. The slice must not be changed in place.
	Faults []Fault
}

// Configure changes the settings, under a lock and for requests to come; Rate
// also for bytes to come. The function must not call the server.
func (s *Server) Configure(change func(*Config)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := slices.Clone(s.config.Faults)
	change(&s.config)
	if !reflect.DeepEqual(old, s.config.Faults) {
		s.faults = newFaults(s.config.Faults)
	}
}

// Config returns the settings.
func (s *Server) Config() Config {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.config
}
