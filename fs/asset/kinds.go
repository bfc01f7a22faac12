package asset

import (
	"path"
	"strings"
)

// Kind is how assets of one type are used, as far as the latest two agree. It is evidence for the
// next one from its first read on.
type Kind struct {
	Whole bool  // nearly all of them is read
	Tail  int64 // so much of the end, 0 unknown
	Habit int64 // see Snapshot
}

// mostTail is how long the end of an asset may be that is taken for an index.
const mostTail = 4 << 20

// mostKinds limits a Store's memory: servers choose the types.
const mostKinds = 256

// usage is how one asset was used.
type usage struct {
	id string
	Kind
}

// kindOf returns the name of an asset's kind: its type and its file extension, because many are
// sent as application/octet-stream.
func kindOf(info Info) string {
	return info.Type + " " + strings.ToLower(path.Ext(info.Name))
}

// usedLocked records how a has been used, when its last reader leaves.
func (a *Asset) usedLocked() {
	if a.info.Size <= 0 || !a.info.Header || a.history.bytes == 0 {
		return
	}
	u := usage{a.id, Kind{
		Whole: a.history.bill() >= a.info.Size/4*3,
		Habit: a.history.habit(a.streams),
	}}
	if _, start := a.history.back(a.info.Size, mostTail, block); a.info.Size-start < mostTail && start > 0 {
		u.Tail = a.info.Size - start
	}
	a.store.noteUsage(kindOf(a.info), u)
}

// noteUsage records u for an asset of that kind.
func (s *Store) noteUsage(kind string, u usage) {
	s.mu.Lock()
	defer s.mu.Unlock()
	latest, ok := s.kinds[kind]
	if !ok && len(s.kinds) >= mostKinds || s.kinds == nil {
		s.kinds = map[string][2]usage{}
	}
	if latest[0].id != u.id {
		latest[1] = latest[0]
	}
	latest[0] = u
	s.kinds[kind] = latest
}

// kind returns what is known of assets of that kind.
func (s *Store) kind(kind string) Kind {
	s.mu.Lock()
	latest := s.kinds[kind]
	s.mu.Unlock()
	a, b := latest[0].Kind, latest[1].Kind
	k := Kind{Whole: a.Whole && b.Whole}
	if a.Tail > 0 && b.Tail > 0 {
		k.Tail = max(a.Tail, b.Tail)
	}
	if a.Habit > 0 && b.Habit > 0 {
		k.Habit = max(a.Habit, b.Habit)
	}
	return k
}
