package asset

import (
	"fmt"
	"slices"
	"time"
)

// Download is the name, for NoteCall, of the call that is billed.
const Download = "download"

// callsKept is how long the times of calls are kept: longer than any rate limit counts. callsMost
// is how many are kept: as many as a rate limit may allow.
const (
	callsKept = time.Hour + time.Minute
	callsMost = 10_000
)

// noteClock is the name of the note that says when this boot began, in microseconds since 1970. The
// boot's ID is in it, too.
const noteClock = "clock"

// startClock is called when the journal has been read.
func (s *Store) startClock() {
	var boot string
	var micros int64
	fmt.Sscan(s.notes[noteClock], &boot, &micros) //nolint:errcheck // it may be missing
	s.began = time.UnixMicro(micros)
	if up := s.uptime(); up > 0 && boot != s.bootID {
		s.began = time.Now().Round(0).Add(-up).Truncate(time.Microsecond)
		s.notes[noteClock] = fmt.Sprint(s.bootID, " ", s.began.UnixMicro())
		s.journal.Queue(appendRecord(nil, kindNote, noteClock, s.notes[noteClock]))
	}
	// Before this boot the clock was wrong.
	now := time.Now().Round(0).Add(-s.clockSet())
	for _, times := range s.calls {
		for i, t := range times {
			if t.After(now) {
				times[i] = now
			}
		}
	}
}

// uptime returns the age of this boot, 0 if it is unknown.
func (s *Store) uptime() time.Duration {
	if s.o.Uptime == nil {
		return 0
	}
	return s.o.Uptime()
}

// clockSet returns by how much the clock was set forward since the first mount of this boot. The times of
// calls are recorded as if it had not been, so that no call is forgotten early, or late.
func (s *Store) clockSet() time.Duration {
	up := s.uptime()
	if up == 0 {
		return 0
	}
	return time.Now().Round(0).Add(-up).Sub(s.began)
}

// NoteCall records that the API is called at t. When it returns, the journal has it, so that it
// outlives the process. After an error it may have it, too.
func (s *Store) NoteCall(call string, t time.Time) error {
	if err := s.journal.Write(); err != nil { // as in flush
		return err
	}
	now := time.Now()
	t = now.Add(t.Sub(now)).Round(0).Add(-s.clockSet()) // t may be older than the clock's last setting
	s.mu.Lock()
	s.calls[call] = append(s.calls[call], t)
	if len(s.calls[call]) > 2*callsMost {
		s.recentLocked(call)
	}
	s.journal.Queue(appendRecord(nil, kindCall, call, t))
	s.mu.Unlock()
	return s.journal.Write()
}

// Calls returns when a call was made during the last hour, at most the last ten thousand times.
func (s *Store) Calls(call string) []time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.recentLocked(call)
	times := slices.Clone(s.calls[call])
	for i, set := 0, s.clockSet(); i < len(times); i++ {
		times[i] = times[i].Add(set)
	}
	return times
}

// recentLocked forgets times that are too old.
func (s *Store) recentLocked(call string) {
	oldest := time.Now().Add(-callsKept - s.clockSet())
	recent := slices.DeleteFunc(s.calls[call], func(t time.Time) bool { return t.Before(oldest) })
	s.calls[call] = slices.Delete(recent, 0, max(0, len(recent)-callsMost))
}

// Note returns the text recorded under a name, "" if there is none.
func (s *Store) Note(name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.notes[name]
}

// SetNote records a short text under a name. It outlives the process, and belongs to the store, not
// to an asset. If it returns an error the text is recorded later, unless it has changed again by then.
func (s *Store) SetNote(name, value string) error {
	s.mu.Lock()
	if s.notes[name] != value {
		s.notes[name] = value
		s.newNotes[name] = struct{}{}
	}
	s.mu.Unlock()
	err := s.flush()
	if err != nil {
		nudge(s.changed)
	}
	return err
}

// Names returns the names of the directory entries of all assets of which something is recorded, by
// asset ID; "" if there is none yet.
func (s *Store) Names() map[string]string {
	names := map[string]string{}
	each(s.all(), func(a *Asset) {
		if a.recorded {
			names[a.id] = a.name
		}
	})
	return names
}

// SetNames records names of directory entries. When it returns, the journal has them; if that fails,
// it is logged and tried again.
func (s *Store) SetNames(names map[string]string) {
	for id, name := range names {
		a := s.Asset(id)
		a.mu.Lock()
		a.updateLocked(func(f *facts) { f.name = name })
		a.mu.Unlock()
	}
	_ = s.flush()
}
