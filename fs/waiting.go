package fs

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"assetfs/fs/asset"
	"assetfs/fs/catalog"
	"assetfs/fs/ranges"
	"assetfs/remote"
)

// wait is somebody who waits, or is about to.
type wait struct {
	op     string         // read, stat, open, lookup, list, fetch
	asset  *catalog.Asset // nil: names, of the directory
	need   ranges.Range   // of a read
	since  time.Time
	caller asset.Caller
}

// anySize is more than any asset has, in bytes.
const anySize = 1 << 60

// waits are those who wait now. The zero value is ready.
type waits struct {
	mu  sync.Mutex // guards what follows
	now map[*wait]struct{}
}

func (w *waits) begin(x *wait) {
	x.since = time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.now == nil {
		w.now = map[*wait]struct{}{}
	}
	w.now[x] = struct{}{}
}

func (w *waits) end(x *wait) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.now, x)
}

// list returns those who wait, the oldest first.
func (w *waits) list() []*wait {
	w.mu.Lock()
	all := make([]*wait, 0, len(w.now))
	for x := range w.now {
		all = append(all, x)
	}
	w.mu.Unlock()
	slices.SortFunc(all, func(a, b *wait) int { return a.since.Compare(b.since) })
	return all
}

// waitingFor tells of those who wait for one asset.
func (f *FS) waitingFor(a *catalog.Asset) []WaitStatus { return f.waiting(f.waits.list())[a.ID] }

// waiting tells of those who wait, by the ID of the asset, "" for names.
func (f *FS) waiting(all []*wait) map[string][]WaitStatus {
	by := map[string][]WaitStatus{}
	now := time.Now()
	queued := map[*catalog.Asset]bool{} // that wait for the rate limit
	for _, x := range all {
		s := WaitStatus{Op: x.op, Offset: x.need.Start, Since: now.Sub(x.since).Seconds()}
		id := ""
		if x.asset == nil {
			s.For = f.whyNames(x.op, now)
		} else {
			id = x.asset.ID
			why, waits := x.why()
			if !waits {
				continue
			}
			s.For = f.words(x.op, why, len(queued), now)
			if why.Cause == asset.CauseLimit {
				queued[x.asset] = true
			}
		}
		if x.caller != nil {
			s.Program, s.PID = x.caller.Program()
		}
		by[id] = append(by[id], s)
	}
	return by
}

// why is what x waits for. waits is false if it is served by now.
func (x *wait) why() (why asset.Why, waits bool) {
	e := engine(x.asset)
	need := x.need
	if x.op == "fetch" && e.Info().Header {
		need.End = anySize
	}
	why, present := e.Why(need)
	return why, !present || x.op == "stat"
}

// whyNames is what op waits for that is about no asset that is listed.
func (f *FS) whyNames(op string, now time.Time) string {
	unknown := 0
	for _, e := range f.catalog.Entries() {
		if _, own := e.Asset.Name(); !own {
			unknown++
		}
	}
	text, class := fmt.Sprintf("for names, %d are unknown", unknown), remote.Background
	switch {
	case unknown > 0:
	case op != "lookup":
		return "for the list of a library"
	default:
		text, class = "for the answer whether there is such an asset", remote.Reader
	}
	if l := limited(f.client.Budget(class), 0, now); l != "" {
		text += ": " + l
	}
	return text
}

// words says what keeps op waiting, before whom others are queued.
func (f *FS) words(op string, w asset.Why, before int, now time.Time) string {
	switch w.Cause {
	case asset.CauseBytes:
		text := "bytes are coming"
		if w.Speed > 0 {
			text += ", in " + seconds(time.Duration(float64(w.Left)/w.Speed*float64(time.Second)))
		}
		return text
	case asset.CauseAnswer:
		return fmt.Sprintf("no answer for %s, gives up at %s", seconds(now.Sub(w.Since)), seconds(w.Until.Sub(w.Since)))
	case asset.CauseSilence:
		return fmt.Sprintf("no byte for %s, gives up at %s", seconds(now.Sub(w.Since)), seconds(w.Until.Sub(w.Since)))
	case asset.CauseRoom:
		return "no room in the spool"
	case asset.CauseRetry:
		return trouble(w.Err) + ", tried again in " + seconds(w.Until.Sub(now))
	}
	if op == "stat" {
		if text := limited(f.client.MetadataBudget(remote.Reader), before, now); text != "" {
			return text
		}
		return "for the answer to a metadata call"
	}
	return cmp.Or(limited(f.client.Budget(remote.Reader), before, now), "a request is about to be made")
}

// limited says what stands before the next call, "" if nothing does.
func limited(b remote.Budget, before int, now time.Time) string {
	var re *remote.Error
	errors.As(b.Down, &re)
	switch {
	case b.Down == nil && b.Available > 0:
		return ""
	case b.Down == nil:
		text := "for the rate limit"
		if before > 0 {
			text += fmt.Sprintf(", %d before it", before)
		}
		return text + ", in " + seconds(b.Next.Sub(now))
	case re != nil && re.Number() == tooMany:
		text := "the server asked for quiet (429)"
		if b.Until.After(now) {
			text += " until " + b.Until.Format(time.TimeOnly)
		}
		return text
	case b.Until.After(now):
		return trouble(b.Down) + ", tried again in " + seconds(b.Until.Sub(now))
	}
	return trouble(b.Down) + ", tried again now"
}

// trouble is an error in few words, where there are some.
func trouble(err error) string {
	if errors.Is(err, remote.ErrUnreachable) {
		return "host unreachable"
	}
	return strings.TrimSuffix(err.Error(), ".")
}

// seconds writes a duration in whole seconds, one at least.
func seconds(d time.Duration) string {
	return fmt.Sprintf("%d s", max(1, int64(d.Round(time.Second)/time.Second)))
}
