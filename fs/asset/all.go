package asset

import "slices"

// all returns all assets, also those of which nothing is recorded.
func (s *Store) all() []*Asset {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.list)
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

// Suspend makes waiting reads fail with err, and later ones that would have to wait, until Serve. Streams
// read no further than was planned. An unmount uses it.
func (s *Store) Suspend(err error) {
	s.suspended.Store(&err)
	each(s.all(), func(a *Asset) { a.finishLocked(func(*waiter) (bool, error) { return true, err }) })
}

// suspension returns why no read may wait; nil if they may.
func (s *Store) suspension() error {
	if err := s.suspended.Load(); err != nil {
		return *err
	}
	return nil
}

// CloseAssets ends all streams, makes all waiting reads fail with ErrClosed, and waits for the assets'
// goroutines. It first stores what the sockets hold.
func (s *Store) CloseAssets() {
	s.Suspend(ErrClosed)
	each(s.all(), func(a *Asset) {
		if a.engine == nil {
			return
		}
		for _, o := range a.streams {
			o.endLocked()
		}
		if a.timer != nil {
			a.timer.Stop()
		}
	})
	s.streams.Wait()
}
