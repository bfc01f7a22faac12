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

// Wait is one wait of a program, from before it begins.
type Wait struct {
	Op     string         // read, stat, open, lookup, list, fetch
	Asset  *catalog.Asset // nil: names, of the directory
	Name   string         // looked up
	Need   ranges.Range   // of a read
	Caller asset.Caller
	since  time.Time
}

// anySize is more than any asset has, in bytes.
const anySize = 1 << 60

// Waits are the present waits. The zero value is ready.
type Waits struct {
	mu  sync.Mutex // guards what follows
	now map[*Wait]struct{}
}

// Begin adds a wait.
func (w *Waits) Begin(x *Wait) {
	x.since = time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.now == nil {
		w.now = map[*Wait]struct{}{}
	}
	w.now[x] = struct{}{}
}

// End removes a wait.
func (w *Waits) End(x *Wait) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.now, x)
}

// list returns the waits, the oldest first.
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

// WaitingFor returns in JSON the waits for one asset, if there are any.
func (v *Service) WaitingFor(a *catalog.Asset) (text string, ok bool) {
	w := v.waiting(v.Waits.list())[a.ID]
	if len(w) == 0 {
		return "", false
	}
	return fitting(w, func(w []WaitStatus) any { return w })
}

// waiting returns the waits by the asset's ID, "" for names.
func (v *Service) waiting(all []*Wait) map[string][]WaitStatus {
	by := map[string][]WaitStatus{}
	now := time.Now()
	for _, x := range all {
		s := WaitStatus{Op: x.Op, Offset: x.Need.Start, Since: now.Sub(x.since).Seconds()}
		under, id, e := v.subject(x)
		sent, calling := v.api.calling(id)
		switch {
		case e == nil:
			s.For = v.whyNames(x.since, now)
		case calling && x.calls(e.Info()):
			s.For = v.whyCall(id, sent, now)
		default:
			need := x.Need
			if x.Op == "fetch" && e.Info().Header {
				need.End = anySize
			}
			why, present := e.Why(need)
			if present && x.Op != "stat" {
				continue // it is served by now
			}
			s.For = words(why, v.client.Turn(id, x.Caller != nil && x.Caller.Patient()), now)
		}
		if x.Caller != nil {
			s.Program, s.PID = x.Caller.Program()
		}
		by[under] = append(by[under], s)
	}
	return by
}

// subject returns the asset that x is about, and under which ID it is shown; e is nil if it is
// about names.
func (v *Service) subject(x *Wait) (under, id string, e *asset.Asset) {
	switch {
	case x.Asset != nil:
		return x.Asset.ID, x.Asset.ID, Engine(x.Asset).Asset
	case x.Op == "lookup" && v.o.IDPattern.MatchString(x.Name):
		return "", x.Name, v.Store.Asset(x.Name)
	}
	return "", "", nil
}

// calls reports whether x may wait for a metadata call on the asset of which that is known.
func (x *Wait) calls(known asset.Info) bool {
	switch {
	case x.Op == "read":
		return false
	case x.Op == "stat", x.Asset == nil:
		return true
	case known.Header:
		return x.Op == "open" && known.Size < 0
	}
	return x.Asset.CallsFirst()
}

// whyCall says what a metadata call waits for. sent is when it was sent; zero if it has not been.
func (v *Service) whyCall(id string, sent, now time.Time) string {
	b := v.client.MetadataTurn(id)
	if !sent.IsZero() && b.Down == nil {
		return fmt.Sprintf("no answer to a metadata call for %s, gives up at %s", seconds(now.Sub(sent)), seconds(v.o.StallTimeout))
	}
	return cmp.Or(limited(b, now), "a metadata call is about to be made")
}

// whyNames says what a listing waits for since then, or a lookup of a name that is no ID.
func (v *Service) whyNames(since, now time.Time) string {
	unknown := 0
	for _, e := range v.Catalog.Entries() {
		if _, own := e.Asset.Name(); !own {
			unknown++
		}
	}
	text, b := fmt.Sprintf("for names, %d are unknown", unknown), v.client.Budget(remote.Background)
	switch {
	case unknown == 0:
		text, b = "for the list of a library", v.client.ListBudget()
		b.Available = max(1, b.Available) // it is never the limit, of several a second, that takes long
	case v.o.ByMetadata:
		b = v.client.MetadataBudget(remote.Background)
	}
	if l := limited(b, now); l != "" {
		text += ": " + l
	}
	return fmt.Sprintf("%s; at most %s more", text, seconds(since.Add(v.o.ListWait).Sub(now)))
}

// words says what w waits for; b is what keeps its request back.
func words(w asset.Why, b remote.Budget, now time.Time) string {
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
	return cmp.Or(limited(b, now), "a request is about to be made")
}

// limited says what keeps the next call back; "" if nothing does.
func limited(b remote.Budget, now time.Time) string {
	var re *remote.Error
	errors.As(b.Down, &re)
	switch {
	case b.Down == nil && b.Available > 0:
		return ""
	case b.Down == nil:
		text := "for the rate limit"
		if b.Before > 0 {
			text += fmt.Sprintf(", %d before it", b.Before)
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

// trouble returns an error in few words, if there is a short form.
func trouble(err error) string {
	if errors.Is(err, remote.ErrUnreachable) {
		return "host unreachable"
	}
	return strings.TrimSuffix(err.Error(), ".")
}

// seconds writes a duration in whole seconds, at least one.
func seconds(d time.Duration) string {
	return fmt.Sprintf("%d s", max(1, int64(d.Round(time.Second)/time.Second)))
}
