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

// known returns the assets of which something is recorded.
func (s *Store) known() []*Asset {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.order)
}

// each calls do for each of assets, under the asset's lock.
func each(assets []*Asset, do func(*Asset)) {
	for _, a := range assets {
		a.mu.Lock()
		do(a)
		a.mu.Unlock()
	}
}

// ForgetFailures lets reads of all assets try again at once.
func (s *Store) ForgetFailures() {
	each(s.all(), func(a *Asset) {
		if a.engine != nil {
			a.fail = failure{}
			a.planLocked()
		}
	})
}

// Suspend makes waiting reads fail with err, and later ones that would have to wait. An unmount uses
// it.
func (s *Store) Suspend(err error) {
	s.mu.Lock()
	s.suspended = err
	s.mu.Unlock()
	each(s.all(), func(a *Asset) {
		a.finishLocked(func(*waiter) (bool, error) { return true, err })
		a.planLocked()
	})
}

// suspension returns why no read may wait; nil if they may.
func (s *Store) suspension() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.suspended
}

// CloseAssets ends all streams, makes all waiting reads fail with ErrClosed, and waits for the assets'
// goroutines. It first stores what the sockets hold.
func (s *Store) CloseAssets() {
	all := s.all()
	each(all, (*Asset).closeLocked)
	for _, a := range all {
		a.wg.Wait()
	}
}
