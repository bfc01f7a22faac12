package asset

import (
	"fmt"
	"math/rand/v2"
	"sync"

	"assetfs/fs/ranges"
)

// memStore is a Store in memory.
type memStore struct {
	mu      sync.Mutex // guards all
	data    []byte
	present ranges.Set
	info    Info
	version uint64
	cost    int64
	span    ranges.Range
	limit   int64 // of present bytes, 0: none
	users   int
	evict   *rand.Rand // not nil: drops random ranges now and then
}

func newStore(size int64) *memStore {
	return &memStore{data: make([]byte, size), info: Info{Size: -1}}
}

func (m *memStore) Gap(w ranges.Range) ranges.Range {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.present.Gap(w)
}

func (m *memStore) RunEnd(off int64) int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.present.RunEnd(off)
}

func (m *memStore) Next(off int64) ranges.Range {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.present.Next(off)
}

func (m *memStore) ReadAt(p []byte, off int64) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.present.Contains(ranges.Range{Start: off, End: off + int64(len(p))}) {
		return 0, ErrAbsent
	}
	return copy(p, m.data[off:]), nil
}

func (m *memStore) WriteAt(p []byte, off int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := int64(len(p))
	if m.limit > 0 && m.present.Len()+n > m.limit {
		m.present.Remove(ranges.Range{End: m.span.Start})
		if m.span.End > 0 {
			m.present.Remove(ranges.Range{Start: max(m.span.End, off+n), End: int64(len(m.data))})
		}
		if m.present.Len()+n > m.limit {
			return fmt.Errorf("memory: %w", ErrNoSpace)
		}
	}
	copy(m.data[off:], p)
	m.present.Add(ranges.Range{Start: off, End: off + n})
	if m.evict != nil && m.evict.IntN(40) == 0 {
		at := m.evict.Int64N(int64(len(m.data)))
		m.present.Remove(ranges.Range{Start: at, End: at + m.evict.Int64N(200<<10)})
	}
	return nil
}

func (m *memStore) Reset() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.present.Clear()
	clear(m.data)
	m.version++
	m.info = Info{Size: -1}
	return nil
}

func (m *memStore) Info() Info {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.info
}

func (m *memStore) SetInfo(i Info) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.info = i
}

func (m *memStore) Version() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.version
}

func (m *memStore) Cost() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.cost
}

func (m *memStore) AddCost(n int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.cost += n
}

func (m *memStore) SetSpan(r ranges.Range) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.span = r
}

func (m *memStore) Acquire() { m.mu.Lock(); m.users++; m.mu.Unlock() }
func (m *memStore) Release() { m.mu.Lock(); m.users--; m.mu.Unlock() }
