package asset

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"assetfs/fs/ranges"
	"assetfs/fs/spool/spooltest"
)

func TestMain(m *testing.M) {
	if job := spooltest.Job(); job != nil {
		(&worker{}).work(job[0], job[1])
		return
	}
	os.Exit(m.Run())
}

// faultPoints are all points between which a process can die, except for reads.
var faultPoints = []string{
	"create", "write", "written", "sync", "synced", "append", "appended", "index-sync", "index-synced", "punch", "punched",
	"unlink", "compact", "compacted", "rename", "renamed", "directory-sync", "directory-synced",
}

const killSize = 1 << 20 // of the spool in every other pair of rounds, and of each asset

func limited(seed uint64) bool { return seed/2%2 == 0 }

// worker is a process that does random work in a spool until it is killed: by its
// parent if the seed is odd, else by itself at a fault point. It says what must
// outlive it.
type worker struct {
	d    *Store
	seed uint64

	mu   sync.Mutex // guards note, and makes it grow in the journal, too
	note int64
}

func say(format string, args ...any) { fmt.Fprintf(os.Stdout, format+"\n", args...) }

func (w *worker) die(where string) {
	say("died %s", where)
	syscall.Kill(os.Getpid(), syscall.SIGKILL) //nolint:errcheck // it works
	select {}
}

func (w *worker) work(root, seed string) {
	var err error
	w.seed, err = strconv.ParseUint(seed, 10, 64)
	spooltest.Die(err)
	rnd := rand.New(rand.NewPCG(w.seed, 9))
	at, left := "", new(atomic.Int64)
	if w.seed%2 == 0 {
		at = faultPoints[rnd.IntN(len(faultPoints))]
		left.Store(1 + rnd.Int64N(12))
	}
	o := keep{Fault: func(point, _ string) error {
		if point == at && left.Add(-1) == 0 {
			w.die(at)
		}
		return nil
	}}
	if limited(w.seed) {
		o.Size = killSize
	}
	w.d, err = openKeep(root, o)
	spooltest.Die(err)
	w.note = lastNote(w.d)
	var wg sync.WaitGroup
	for _, ids := range [][]string{{"re_1", "re_2"}, {"re_3", "re_4", "re_5"}} {
		rnd := rand.New(rand.NewPCG(rnd.Uint64(), 9))
		wg.Go(func() {
			for range 500 {
				w.step(w.d.Asset(ids[rnd.IntN(len(ids))]), rnd)
			}
		})
	}
	go func() { // claims made meanwhile must outlive the process as well
		for {
			spooltest.Die(w.d.journal.Compact(w.d.snapshot))
			time.Sleep(time.Millisecond) // others have a disk, too
		}
	}()
	wg.Wait()
	w.die("in the end")
}

// lastNote returns the last recorded number. Like the sums of a ledger, it must only grow.
func lastNote(d *Store) (last int64) {
	for i := range 3 {
		n, _ := strconv.ParseInt(d.Note(fmt.Sprint("n", i)), 10, 64)
		last = max(last, n)
	}
	return last
}

// step streams a piece of f, which no other goroutine uses, with a reader behind
// it.
func (w *worker) step(f *Asset, rnd *rand.Rand) {
	f.acquire()
	defer f.release()
	defer say("step")
	pos := rnd.Int64N(killSize)
	for range rnd.IntN(20) {
		if pos >= killSize {
			break // a file that is longer than its asset is not believed
		}
		r := f.gap(span(pos, min(pos+32*kib+rnd.Int64N(100), killSize)))
		if r.Empty() {
			pos = r.End
			continue
		}
		err := f.write(content(f.id, f.Status().Version, r), r.Start)
		if errors.Is(err, ErrNoSpace) {
			return
		}
		spooltest.Die(err)
		pos = r.End
		f.setSpan(span(max(0, pos-64*kib), maxSize))
	}
	switch rnd.IntN(12) {
	case 0:
		say("lost %s", f.id)
		spooltest.Die(resetNow(f))
	case 1, 2:
		runs := f.Runs()
		spooltest.Die(w.d.flush())
		for _, r := range runs {
			say("kept %s %d %d", f.id, r.Start, r.End)
		}
	case 3:
		spooltest.Die(w.d.sync(time.Now()))
	case 4:
		f.changeNow(func(m *facts) { m.name, m.info.Size = "a "+f.id, killSize })
	case 5:
		pin := rnd.IntN(2) == 0
		say("pinning %s %v", f.id, pin)
		spooltest.Die(w.d.SetPinned(pin, f))
		say("pinned %s %v", f.id, pin)
	case 6:
		w.mu.Lock()
		w.note++ // as a ledger's day grows
		spooltest.Die(w.d.SetNote(fmt.Sprint("n", w.note%3), strconv.FormatInt(w.note, 10)))
		say("noted %d", w.note)
		w.mu.Unlock()
	case 7:
		t := time.Now().Truncate(time.Microsecond)
		spooltest.Die(w.d.NoteCall(Download, t))
		say("called %d", t.UnixMicro())
	case 8:
		say("lost %s", f.id)
		f.release()
		f.Free()
		f.acquire()
	}
}

// TestKill kills a process that works on a spool, KILL_ROUNDS times (200), half of them at random moments
// and the others exactly between two steps on the disk. Then there must be no wrong byte, and everything
// that was reported as written. Rounds have the seeds from KILL_SEED (0) on.
func TestKill(t *testing.T) {
	rounds := uint64(200)
	if testing.Short() {
		rounds = 20
	}
	if text := os.Getenv("KILL_ROUNDS"); text != "" {
		var err error
		if rounds, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	first, _ := strconv.ParseUint(os.Getenv("KILL_SEED"), 10, 64)
	root := t.TempDir()
	found := map[string]int{}
	deaths := map[string]int{}
	pins := map[string][]string{} // by ID, what it may be: as was said, and as may have come after
	for seed := first; seed < first+rounds; seed++ {
		rnd := rand.New(rand.NewPCG(seed, 10))
		cmd, out, _ := spooltest.Start(t, root, strconv.FormatUint(seed, 10))
		kept := map[string]*ranges.Set{}
		var calls []time.Time
		var note int64
		for left := rnd.IntN(150); ; left-- {
			line, err := out.ReadString('\n')
			if err != nil {
				break
			}
			var id, what string
			var from, to int64
			verb, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
			switch verb {
			case "died":
				deaths[rest]++
			case "lost":
				delete(kept, rest)
			case "kept":
				fmt.Sscan(rest, &id, &from, &to) //nolint:errcheck // our own line
				if kept[id] == nil {
					kept[id] = &ranges.Set{}
				}
				kept[id].Add(span(from, to))
			case "pinning":
				fmt.Sscan(rest, &id, &what) //nolint:errcheck // our own line
				if pins[id] == nil {
					pins[id] = []string{"false"}
				}
				pins[id] = append(pins[id], what)
			case "pinned":
				fmt.Sscan(rest, &id, &what) //nolint:errcheck // our own line
				pins[id] = []string{what}
			case "noted":
				fmt.Sscan(rest, &from) //nolint:errcheck // our own line
				note = max(note, from)
			case "called":
				fmt.Sscan(rest, &from) //nolint:errcheck // our own line
				calls = append(calls, time.UnixMicro(from))
			}
			if left == 0 && seed%2 == 1 {
				deaths["at random"]++
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		io.Copy(io.Discard, out) //nolint:errcheck // ends with the child
		cmd.Wait()               //nolint:errcheck // killed
		if ws := cmd.ProcessState.Sys().(syscall.WaitStatus); ws.Signal() != syscall.SIGKILL {
			t.Fatalf("round %d: the child ended with %v", seed, cmd.ProcessState)
		}
		o := keep{}
		if limited(seed) {
			o.Size = killSize
		}
		d := open(t, root, o)
		pinned := int64(0)
		for _, id := range d.ids() {
			f := d.Asset(id)
			check(t, f)
			found["runs of bytes"] += len(spooled(f))
			if f.kept().name != "" {
				found["names"]++
			}
			if f.Status().Pinned {
				pinned += f.bytes
				found["pins"]++
			}
			if may := pins[id]; len(may) > 0 && !slices.Contains(may, strconv.FormatBool(f.Status().Pinned)) {
				t.Errorf("round %d: %s is pinned: %v, want %v", seed, id, f.Status().Pinned, may)
			}
			pins[id] = []string{strconv.FormatBool(f.Status().Pinned)}
			var promised ranges.Set
			if kept[id] != nil {
				promised = *kept[id]
			}
			for _, r := range promised.Ranges() {
				if !limited(seed) && !f.presentNow(r) {
					t.Errorf("round %d: %s has lost %v, which was in the index: %v", seed, id, r, spooled(f))
				}
				found["runs promised"]++
			}
		}
		if held := d.held(); limited(seed) && pinned == 0 && held > killSize {
			t.Errorf("round %d: %d bytes held", seed, held)
		}
		if got := lastNote(d); got < note {
			t.Errorf("round %d: note %d is forgotten, it is %d", seed, note, got)
		}
		recorded := d.Calls(Download)
		for _, c := range calls {
			found["calls"]++
			if !slices.ContainsFunc(recorded, c.Equal) {
				t.Errorf("round %d: the call at %v is forgotten", seed, c)
			}
		}
		found["notes"] += int(note)
		if rnd.IntN(4) == 0 {
			closeDir(t, d)
		} else {
			d.abandon()
		}
		if t.Failed() {
			t.FailNow()
		}
	}
	for what, least := range map[string]uint64{"runs of bytes": 1, "runs promised": 2, "names": 10, "pins": 10, "notes": 10, "calls": 10} {
		if found[what] < int(rounds/least) {
			t.Errorf("%d %s in %d rounds: too few to prove anything", found[what], what, rounds)
		}
	}
	t.Logf("%d rounds, no wrong byte, nothing promised lost; found %v; died %v", rounds, found, deaths)
}
