package service

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

// Wait is somebody who waits, or is about to.
type Wait struct {
	Op     string         // read, stat, open, lookup, list, fetch
	Asset  *catalog.Asset // nil: names, of the directory
	Need   ranges.Range   // of a read
	Caller asset.Caller
	since  time.Time
}

// anySize is more than any asset has, in bytes.
const anySize = 1 << 60

// Waits are those who wait now. The zero value is ready.
type Waits struct {
	mu  sync.Mutex // guards what follows
	now map[*Wait]struct{}
}

// Begin adds somebody who begins to wait.
func (w *Waits) Begin(x *Wait) {
	x.since = time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.now == nil {
		w.now = map[*Wait]struct{}{}
	}
	w.now[x] = struct{}{}
}

// End is the end of that.
func (w *Waits) End(x *Wait) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.now, x)
}

// list returns those who wait, the oldest first.
func (w *Waits) list() []*Wait {
	w.mu.Lock()
	all := make([]*Wait, 0, len(w.now))
	for x := range w.now {
		all = append(all, x)
	}
	w.mu.Unlock()
	slices.SortFunc(all, func(a, b *Wait) int { return a.since.Compare(b.since) })
	return all
}

// WaitingFor tells in JSON of those who wait for one asset, if there are any.
func (v *Service) WaitingFor(a *catalog.Asset) (text string, ok bool) {
	w := v.waiting(v.Waits.list())[a.ID]
	if len(w) == 0 {
		return "", false
	}
	return fitting(w, func(w []WaitStatus) any { return w })
}

// waiting tells of those who wait, by the ID of the asset, "" for names.
func (v *Service) waiting(all []*Wait) map[string][]WaitStatus {
	by := map[string][]WaitStatus{}
	now := time.Now()
	queued := map[*catalog.Asset]bool{} // that wait for the rate limit
	for _, x := range all {
		s := WaitStatus{Op: x.Op, Offset: x.Need.Start, Since: now.Sub(x.since).Seconds()}
		id := ""
		if x.Asset == nil {
			s.For = v.whyNames(x.Op, now)
		} else {
			id = x.Asset.ID
			why, waits := x.why()
			if !waits {
				continue
			}
			s.For = v.words(x.Op, why, len(queued), now)
			if why.Cause == asset.CauseLimit {
				queued[x.Asset] = true
			}
		}
		if x.Caller != nil {
			s.Program, s.PID = x.Caller.Program()
		}
		by[id] = append(by[id], s)
	}
	return by
}

// why is what x waits for. waits is false if it is served by now.
func (x *Wait) why() (why asset.Why, waits bool) {
	e := Engine(x.Asset)
	need := x.Need
	if x.Op == "fetch" && e.Info().Header {
		need.End = anySize
	}
	why, present := e.Why(need)
	return why, !present || x.Op == "stat"
}

// whyNames is what op waits for that is about no asset that is listed.
func (v *Service) whyNames(op string, now time.Time) string {
	unknown := 0
	for _, e := range v.Catalog.Entries() {
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
	if l := limited(v.client.Budget(class), 0, now); l != "" {
		text += ": " + l
	}
	return text
}

// words says what keeps op waiting, before whom others are queued.
func (v *Service) words(op string, w asset.Why, before int, now time.Time) string {
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
		if text := limited(v.client.MetadataBudget(remote.Reader), before, now); text != "" {
			return text
		}
		return "for the answer to a metadata call"
	}
	return cmp.Or(limited(v.client.Budget(remote.Reader), before, now), "a request is about to be made")
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
