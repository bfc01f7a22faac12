package fs

import (
	"hash/fnv"
	"path"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"unicode/utf8"

	"assetfs/fs/asset"
	"assetfs/fs/spool"
	"assetfs/remote"
)

// entry is one asset in the tree. Its state lives here, outside the nodes: the
// kernel may hold several inodes of one asset, or none.
type entry struct {
	id    string
	ino   uint64
	asset *asset.Asset
	file  *spool.File

	asked    atomic.Bool // a stat has asked metadata for its time
	sizeless atomic.Bool // metadata has answered, and told no size

	// tree.mu guards what follows.
	name   string // the directory entry given for ever, "" while none is
	listed bool
	looked bool // listed because it was looked up in this mount
}

// tree knows which assets there are and under which names.
type tree struct {
	pattern *regexp.Regexp
	dir     *spool.Dir
	options *asset.Options
	byMeta  bool         // names come from metadata
	told    atomic.Int64 // counts what may give an asset its name: what is learnt of one, and additions to the list

	mu    sync.Mutex        // guards what follows; a leaf but for locks of assets and the spool
	byID  map[string]*entry // every asset met
	names map[string]*entry // by folded name; listed or not, a name given stays taken
	inos  map[uint64]string // what an inode number stands for
	list  []*entry          // listed assets in order
	heard int64             // told, as it was when names were given last
}

// The inode numbers that don't come from an ID.
const (
	rootIno       = 1
	byIDIno       = 2
	neverIndexIno = 3
	byID          = "by-id"
)

func newTree(pattern *regexp.Regexp, dir *spool.Dir, o *asset.Options, byMeta bool) *tree {
	t := &tree{
		pattern: pattern, dir: dir, options: o, byMeta: byMeta,
		byID: map[string]*entry{}, names: map[string]*entry{},
		inos: map[uint64]string{rootIno: "/", byIDIno: byID, neverIndexIno: neverIndex},
	}
	for _, id := range dir.Known() {
		t.entryLocked(id)
	}
	return t
}

// entryLocked returns the entry of id, made when it is new.
func (t *tree) entryLocked(id string) *entry {
	if e := t.byID[id]; e != nil {
		return e
	}
	f := t.dir.File(id)
	e := &entry{id: id, ino: t.inoLocked(id), file: f, asset: asset.New(id, store{f, &t.told}, t.options), name: f.Meta().Name}
	t.byID[id] = e
	if e.name != "" {
		t.names[remote.FoldName(e.name)] = e
	}
	return e
}

// inoLocked returns a stable inode number for what key names: its hash, or the
// next free number in the one case in 2^64 that it is taken.
func (t *tree) inoLocked(key string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(key))
	ino := h.Sum64()
	for ino == 0 || t.inos[ino] != "" && t.inos[ino] != key {
		ino++
	}
	t.inos[ino] = key
	return ino
}

// linkIno is the inode number of the link in by-id.
func (t *tree) linkIno(id string) uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.inoLocked(byID + "/" + id)
}

// setList makes ids the listed assets, in that order. Those looked up in this
// mount stay, behind them.
func (t *tree) setList(ids []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	was := t.list
	for _, e := range was {
		e.listed = false
	}
	t.list = make([]*entry, 0, len(ids))
	t.told.Add(1)
	add := func(e *entry) {
		if !e.listed {
			e.listed = true
			t.list = append(t.list, e)
		}
	}
	for _, id := range ids {
		add(t.entryLocked(id))
	}
	for _, e := range was {
		if e.looked {
			add(e)
		}
	}
}

// listed returns the entry of an ID that is in the listing, or nil.
func (t *tree) listed(id string) *entry {
	t.mu.Lock()
	defer t.mu.Unlock()
	if e := t.byID[id]; e != nil && e.listed {
		return e
	}
	return nil
}

// meet returns the entry of an ID, made when it is new.
func (t *tree) meet(id string) *entry {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.entryLocked(id)
}

// show lists an asset that was looked up.
func (t *tree) show(e *entry) {
	t.mu.Lock()
	defer t.mu.Unlock()
	e.looked = true
	if !e.listed {
		e.listed = true
		t.list = append(t.list, e)
		t.told.Add(1)
	}
}

// byName returns the listed asset of that name, or nil.
func (t *tree) byName(name string) *entry {
	t.mu.Lock()
	defer t.mu.Unlock()
	if e := t.names[remote.FoldName(name)]; e != nil && e.listed && sameName(e.name, name) {
		return e
	}
	return nil
}

// entries returns the listed assets in order.
func (t *tree) entries() []*entry {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]*entry(nil), t.list...)
}

// all returns every asset met.
func (t *tree) all() []*entry {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := make([]*entry, 0, len(t.byID))
	for _, e := range t.byID {
		all = append(all, e)
	}
	return all
}

// shown is the name of e in a listing: its own or, while that is unknown, the
// ID.
func (t *tree) shown(e *entry) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if e.name != "" {
		return e.name
	}
	return e.id
}

// named reports whether e needs no more resolving for its name.
func (t *tree) named(e *entry) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return e.name != ""
}

// nameAll gives names to the assets whose own has become known since, in the
// order of the list: within a batch that order decides clashes. It costs nothing
// when there is nothing new, since every lookup of an unresolved asset calls it.
func (t *tree) nameAll() {
	t.mu.Lock()
	defer t.mu.Unlock()
	told := t.told.Load() // before it is looked at
	if told == t.heard {
		return
	}
	t.heard = told
	for _, e := range t.list {
		if e.name == "" {
			t.nameLocked(e)
		}
	}
}

func (t *tree) nameLocked(e *entry) {
	info := e.asset.Info()
	told := info.Header || t.byMeta && info.Name != ""
	if !told {
		return
	}
	name := info.Name
	if name == "" {
		name = remote.FallbackName(e.id, info.Type)
	}
	if t.takenLocked(name, e) {
		name = distinct(name, e.id)
		if t.takenLocked(name, e) {
			name = e.id // only if somebody names a file like that on purpose
		}
	}
	e.name = name
	t.names[remote.FoldName(name)] = e
	e.file.UpdateNow(func(m *spool.Meta) { m.Name = name })
}

// distinct is the name of an asset whose own is taken: "stem (ID).ext". A stem
// too long for that is cut, never the ID.
func distinct(name, id string) string {
	const most = 255 // bytes of a directory entry
	ext := path.Ext(name)
	stem, tail := strings.TrimSuffix(name, ext), " ("+id+")"+ext
	for len(stem)+len(tail) > most && stem != "" {
		_, n := utf8.DecodeLastRuneInString(stem)
		stem = stem[:len(stem)-n]
	}
	return strings.TrimSpace(stem) + tail
}

func (t *tree) takenLocked(name string, e *entry) bool {
	fold := remote.FoldName(name)
	if o := t.names[fold]; o != nil && o != e {
		return true
	}
	return name != e.id && (fold == byID || t.pattern.MatchString(name) || t.byID[name] != nil)
}
