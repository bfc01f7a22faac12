package asset

import (
	"maps"
	"slices"
)

// all returns all assets, also those of which nothing is recorded.
func (s *Store) all() []*Asset {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Values(s.assets))
}

// ForgetFailures lets reads of all assets try again at once.
func (s *Store) ForgetFailures() {
	for _, a := range s.all() {
		a.ForgetFailure()
	}
}

// Suspend makes waiting reads fail with err, and later ones that would have to wait. An unmount uses
// it.
func (s *Store) Suspend(err error) {
	s.mu.Lock()
	s.suspended = err
	s.mu.Unlock()
	for _, a := range s.all() {
		a.mu.Lock()
		a.finishLocked(func(*waiter) (bool, error) { return true, err })
		a.planLocked()
		a.mu.Unlock()
	}
}

// suspension returns why no read may wait; nil if they may.
func (s *Store) suspension() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.suspended
}

// CloseAssets closes all assets.
func (s *Store) CloseAssets() {
	all := s.all()
	for _, a := range all {
		a.end()
	}
	for _, a := range all {
		a.wg.Wait()
	}
}
