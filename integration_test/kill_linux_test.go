package integration_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"assetfs/remote/fakeapi"
)

const (
	killAssets = 4       // in a round
	killSize   = 3 << 20 // of each, or a little more
	killSpool  = 8 << 20
)

// killRun is a mount that is killed again and again.
type killRun struct {
	*rig
	random *rand.Rand
	wrong  atomic.Int64 // bytes

	ids      []string         // of this round
	pinned   string           // the one of them that is pinned
	promised map[string]int64 // bytes of each that must outlive the kill
	samples  []killSample
	killed   time.Time
	ever     int64 // bytes in the ledger, as the last mount found it

	longest time.Duration // before a kill, of what was lost
	claimed int           // rounds in which something was promised
}

// killSample is what was spooled at a time, of all assets.
type killSample struct {
	at    time.Time
	bytes int64
}

// TestKillMount kills assetfs at random moments of its work, KILL_ROUNDS times (3; 2 with -short): several readers, a spool that is
// too small for them or not, a pin, the ledger. The next mount reads right bytes only, has what the index had, the pin and the ledger.
func TestKillMount(t *testing.T) {
	rounds := 3
	if testing.Short() {
		rounds = 2
	}
	if text := os.Getenv("KILL_ROUNDS"); text != "" {
		var err error
		if rounds, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	t.Parallel()
	k := &killRun{rig: newRig(t), random: rand.New(rand.NewPCG(uint64(rounds), 1))}
	limit := time.Duration(rounds)*10*time.Second + 2*time.Minute
	for i := range rounds + 1 {
		before := k.ids
		k.ids = nil
		for n := range killAssets {
			a := fakeapi.Asset{ID: fmt.Sprintf("re_%d", i*killAssets+n), Name: fmt.Sprintf("%d-%d.bin", i, n), Size: killSize + int64(n)*4093, ETag: "auto"}
			k.fake.Put(a)
			k.ids = append(k.ids, a.ID)
		}
		var args []string
		roomy := i >= rounds/2 // to the end, since a smaller one has to let go at its start
		if !roomy {
			args = append(args, fmt.Sprint("--spool-size=", killSpool))
		}
		k.fake.Configure(func(c *fakeapi.Config) { c.Rate = 0 })
		k.mount(t, limit, append(append(args, k.ids...), before...)...)
		k.verify(t, before)
		if t.Failed() || i == rounds {
			break
		}
		k.fake.Configure(func(c *fakeapi.Config) { c.Rate = 1 << 20 }) // so that it takes a while
		k.work(t, roomy)
	}
	t.Logf("%d kills, %d wrong bytes; a kill lost at most the last %v, where nothing had to make room (%d rounds)",
		rounds, k.wrong.Load(), k.longest.Round(10*time.Millisecond), k.claimed)
}

// spooled is how many bytes of an asset are present.
func (k *killRun) spooled(id string) (int64, error) {
	buf := make([]byte, 32)
	n, err := unix.Getxattr(filepath.Join(k.mnt(), id), "user.assetfs.spooled", buf)
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(string(buf[:n]), 10, 64)
}

// verify looks at what a kill has left, and has it made whole.
func (k *killRun) verify(t *testing.T, ids []string) {
	t.Helper()
	var restored int64
	for _, id := range ids {
		n, err := k.spooled(id)
		if err != nil {
			t.Fatal(err)
		}
		restored += n
		if n < k.promised[id] {
			t.Errorf("%s has %d bytes after the kill; %d were in the index", id, n, k.promised[id])
		}
	}
	if k.promised != nil {
		k.claimed++
		last := k.killed
		for _, s := range k.samples {
			if s.bytes <= restored {
				last = s.at
			}
		}
		k.longest = max(k.longest, k.killed.Sub(last))
	}
	var status struct {
		Ledger struct{ Mount, Ever struct{ Bytes int64 } }
	}
	buf := make([]byte, 1<<20)
	n, err := unix.Getxattr(k.mnt(), "user.assetfs.status", buf)
	if err == nil {
		err = json.Unmarshal(buf[:n], &status)
	}
	ever := status.Ledger.Ever.Bytes
	ctx, cancel := context.WithTimeout(t.Context(), readyLimit)
	defer cancel()
	if err := k.fake.WaitIdle(ctx); err != nil { // bytes are counted after they are written
		t.Error(err)
	}
	if err != nil || ever < k.ever || ever > k.fake.Billed() {
		t.Errorf("the ledger says %d bytes, it was %d at the last start, and %d were sent; %v\n%s", ever, k.ever, k.fake.Billed(), err, k.daemon.log)
	}
	k.ever = ever - status.Ledger.Mount.Bytes
	if k.pinned != "" {
		buf := make([]byte, 8)
		n, err := unix.Getxattr(filepath.Join(k.mnt(), k.pinned), "user.assetfs.pinned", buf)
		if err != nil || string(buf[:n]) != "1" {
			t.Errorf("%s is pinned: %q, %v", k.pinned, buf[:n], err)
		}
		k.command(t, "unpin", k.pinned)
		k.pinned = ""
	}
	for _, id := range ids {
		if err := k.read(id, 0, nil); err != nil {
			t.Errorf("after a kill: %v", err)
		}
	}
}

func (k *killRun) command(t *testing.T, command, id string) {
	t.Helper()
	//nolint:noctx // it takes no time, and the mount's watchdog ends it
	if out, err := exec.Command(filepath.Join(k.bin, "assetfs"), command, filepath.Join(k.mnt(), id)).CombinedOutput(); err != nil {
		t.Errorf("%s: %v: %s", command, err, out)
	}
}

// read reads an asset from an offset on and compares it. After stop is closed errors are the kill's.
func (k *killRun) read(id string, pos int64, stop <-chan struct{}) error {
	f, err := os.Open(filepath.Join(k.mnt(), id))
	if err == nil {
		defer f.Close()
		got, want := make([]byte, 64<<10), make([]byte, 64<<10)
		for n := 1; n > 0; pos += int64(n) {
			n, err = f.ReadAt(got, pos)
			if n == 0 {
				break
			}
			fakeapi.Content(id, 0).ReadAt(want[:n], pos) //nolint:errcheck // it can't fail
			if !bytes.Equal(got[:n], want[:n]) {
				for i := range n {
					if got[i] != want[i] {
						k.wrong.Add(1)
					}
				}
				return fmt.Errorf("wrong bytes of %s in the 64 KiB from %d", id, pos)
			}
		}
	}
	if err == nil || err.Error() == "EOF" {
		return nil
	}
	select {
	case <-stop:
		return nil
	default:
		return fmt.Errorf("%s at %d: %w", id, pos, err)
	}
}

// work has programs read, and kills assetfs at a random moment; in a roomy spool, after the index has got what was there at an
// earlier one.
func (k *killRun) work(t *testing.T, roomy bool) {
	t.Helper()
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for _, id := range k.ids {
		start := k.random.Int64N(256 << 10)
		wg.Go(func() {
			if err := k.read(id, start, stop); err != nil {
				t.Error(err)
			}
		})
	}
	pin := k.ids[k.random.IntN(len(k.ids))]
	k.command(t, "pin", pin)
	k.pinned, k.promised, k.samples = pin, nil, nil
	var first map[string]int64
	var claims *claimCount
	some := func() time.Time { return time.Now().Add(time.Duration(k.random.IntN(1000)) * time.Millisecond) }
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for moment := some(); !t.Failed() && (roomy && k.promised == nil || time.Now().Before(moment)); {
		<-tick.C
		now, whole := k.sample(t)
		if whole {
			break // nothing more comes
		}
		if !roomy || k.promised != nil {
			continue
		}
		if claims == nil {
			claims = newClaimCount(t, filepath.Join(k.dir, "spool"))
			first = now
		}
		// Of two claims the second has been made after all that was there before the first.
		if claims.least(t, k.ids) >= 2 {
			k.promised, moment = first, some()
		}
	}
	close(stop)
	k.killed = time.Now()
	if err := k.unmount("KILL"); err != nil {
		t.Error(err)
	}
	wg.Wait()
}

// sample notes what is spooled. It tells whether all is.
func (k *killRun) sample(t *testing.T) (now map[string]int64, whole bool) {
	t.Helper()
	s := killSample{at: time.Now()}
	now = map[string]int64{}
	for _, id := range k.ids {
		n, err := k.spooled(id)
		if err != nil {
			t.Error(err)
		}
		now[id] = n
		s.bytes += n
	}
	k.samples = append(k.samples, s)
	return now, s.bytes >= killAssets*killSize
}

// claimCount counts the claims that have been written to an index.
type claimCount struct {
	path string
	end  int64 // of what was counted
	of   map[string]int
}

func newClaimCount(t *testing.T, spool string) *claimCount {
	t.Helper()
	index, err := filepath.Glob(filepath.Join(spool, "*", "index"))
	if err != nil || len(index) != 1 {
		t.Fatalf("index: %q, %v", index, err)
	}
	st, err := os.Stat(index[0])
	if err != nil {
		t.Fatal(err)
	}
	return &claimCount{index[0], st.Size(), map[string]int{}}
}

// least reads on, and returns how many claims there are of the asset that has the fewest.
func (c *claimCount) least(t *testing.T, ids []string) int {
	t.Helper()
	b, err := os.ReadFile(c.path)
	if err != nil {
		t.Fatal(err)
	}
	// A record is behind its length and a checksum; a claim is its kind, and an ID behind its length.
	for b = b[min(c.end, int64(len(b))):]; len(b) > 8; {
		n := int(binary.LittleEndian.Uint32(b))
		if n < 2 || len(b) < 8+n {
			break
		}
		record := b[8 : 8+n]
		if id := int(record[1]); (record[0] == 3 || record[0] == 4) && id+2 <= n {
			c.of[string(record[2:2+id])]++
		}
		b, c.end = b[8+n:], c.end+8+int64(n)
	}
	least := 1 << 20
	for _, id := range ids {
		least = min(least, c.of[id])
	}
	return least
}
