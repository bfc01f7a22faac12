package asset

import (
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"testing"

	"assetfs/fs/ranges"
)

// memoryDir returns a directory in memory, if there is one.
func memoryDir(t testing.TB) string {
	dir, err := os.MkdirTemp("/dev/shm", "assetfs-test-") //nolint:usetesting // it is a disk's
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// testStore is a store in a directory of its own, that may lose bytes.
type testStore struct {
	t        testing.TB
	root     string
	o        StoreOptions
	engine   Options
	random   sync.Mutex                     // guards evict
	evict    *rand.Rand                     // not nil: random ranges go now and then
	removing atomic.Pointer[func()]         // if set, is called before a blob is removed
	failing  func(point, name string) error // if set, makes steps fail
	*Store
}

func newTestStore(t testing.TB, o StoreOptions, engine Options) *testStore {
	s := &testStore{t: t, root: memoryDir(t), o: o, engine: engine}
	s.o.BootID = "one"
	s.failing, s.o.Spool.Fault = o.Spool.Fault, s.fault
	s.start()
	return s
}

// start opens the store, as a restart does.
func (s *testStore) start() {
	s.t.Helper()
	store, err := OpenStore(s.root, "http://x", s.o)
	if err != nil {
		s.t.Fatal(err)
	}
	store.Serve(&s.engine)
	s.Store = store
}

func (s *testStore) fault(point, name string) error {
	if s.failing != nil {
		if err := s.failing(point, name); err != nil {
			return err
		}
	}
	if f := s.removing.Load(); f != nil && point == "unlink" {
		(*f)()
	}
	if point != "written" || s.evict == nil {
		return nil
	}
	s.random.Lock()
	lose, at, n := s.evict.IntN(40) == 0, s.evict.Int64N(4<<20), s.evict.Int64N(200<<10)
	s.random.Unlock()
	if lose {
		s.lose(ranges.Range{Start: at, End: at + n})
	}
	return nil
}

// lose removes bytes of all assets.
func (s *testStore) lose(r ranges.Range) {
	for _, a := range s.all() {
		if err := a.withdraw([]ranges.Range{r}); err != nil {
			s.t.Error(err)
		}
	}
}

func (s *testStore) close() {
	s.t.Helper()
	if err := s.Close(); err != nil {
		s.t.Error(err)
	}
}

// limit limits the store to size from now on.
func (s *testStore) limit(size int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.o.Size = size
	s.Store.o.Size = size
}

// users is how many readers there are.
func (s *testStore) users() (n int) {
	for _, a := range s.all() {
		a.mu.Lock()
		n += a.usersLocked()
		a.mu.Unlock()
	}
	return n
}
