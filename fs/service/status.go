package service

import (
	"cmp"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/dustin/go-humanize/english"

	"assetfs/fs/asset"
	"assetfs/fs/catalog"
	"assetfs/fs/ledger"
)

// MaxAttr is the size limit of an extended attribute on Linux, in bytes.
const MaxAttr = 64 << 10

// Status is what a mount has done, as shown by the root's attribute user.assetfs.status and by
// `assetfs status --json`. A field that an older mount doesn't report is zero.
type Status struct {
	Mountpoint   string        `json:"mountpoint"`
	PID          int           `json:"pid"`
	Uptime       float64       `json:"uptime_seconds"`
	Requests     int64         `json:"requests"`
	RequestsLeft int           `json:"requests_left"`      // -1: no limit
	Downloaded   int64         `json:"downloaded_bytes"`   // at least: what was on its way when a download ended, only the server knows
	MaxDownload  int64         `json:"max_download_bytes"` // 0: no budget
	Served       int64         `json:"served_bytes"`       // read through us, not by the kernel itself
	FromSpool    int64         `json:"from_spool_bytes"`   // that much of Served was not downloaded for it
	Cost         float64       `json:"cost_dollars"`       // of Downloaded: at least
	Saved        float64       `json:"saved_dollars"`      // what FromSpool would have cost
	Ledger       ledger.Costs  `json:"ledger"`
	Kernel       KernelStatus  `json:"kernel"`
	Spool        SpoolStatus   `json:"spool"`
	Waiting      []WaitStatus  `json:"waiting,omitempty"` // for what is no listed asset: names, mostly
	Limits       []LimitStatus `json:"limits,omitempty"`
	LastError    string        `json:"last_error,omitempty"`
	LastErrorAge float64       `json:"last_error_age_seconds,omitempty"`
	Listed       int           `json:"assets_listed"` // Assets may hold fewer
	Counts       *CountStatus  `json:"counts,omitempty"`
	Assets       []AssetStatus `json:"assets"`
}

// CountStatus counts the listed assets.
type CountStatus struct {
	Whole   int `json:"whole"` // in the spool
	Part    int `json:"part"`  // of which some bytes are
	Pinned  int `json:"pinned"`
	Named   int `json:"named"`   // whose name is known
	Failing int `json:"failing"` // whose last error still stands

	Coming int     `json:"names_coming,omitempty"`     // names that are being found out
	Pace   float64 `json:"names_per_second,omitempty"` // so many come; 0: unknown
}

// Count adds an asset.
func (c *CountStatus) Count(a *AssetStatus) {
	switch {
	case a.Size >= 0 && a.Spooled >= a.Size:
		c.Whole++
	case a.Spooled > 0:
		c.Part++
	}
	if a.Name != "" {
		c.Named++
	}
	if a.Pinned {
		c.Pinned++
	}
	if a.Error != "" {
		c.Failing++
	}
}

// KernelStatus counts what the kernel reads by itself, which is in no other figure.
type KernelStatus struct {
	Passthrough bool  `json:"passthrough"` // it reads whole assets by itself
	Opens       int64 `json:"opens"`       // of whole assets
	Bytes       int64 `json:"bytes"`       // their sizes together
}

// LimitStatus says what keeps calls of one kind back.
type LimitStatus struct {
	Calls   string  `json:"calls"`                    // "download", "metadata" or "list"
	Rate    string  `json:"rate"`                     // as --rate-limit has it, with what refusals have taught
	Spread  float64 `json:"spread_seconds,omitempty"` // calls are kept so far apart, since somebody else uses the account
	Waiting int     `json:"waiting,omitempty"`        // readers
	Next    float64 `json:"next_seconds,omitempty"`   // until the next call may go
	Closed  string  `json:"closed,omitempty"`         // why none goes until then, whatever the rate
}

// SpoolStatus describes the spool, in bytes.
type SpoolStatus struct {
	Dir   string `json:"dir"`
	Bytes int64  `json:"bytes"`
	Limit int64  `json:"limit_bytes"` // 0: none
	Free  int64  `json:"free_bytes"`  // on its disk
}

// AssetStatus is one listed asset.
type AssetStatus struct {
	ID       string         `json:"id"`
	Name     string         `json:"name,omitempty"` // "" while unknown
	Size     int64          `json:"size"`           // -1: unknown
	Spooled  int64          `json:"spooled_bytes"`
	Pinned   bool           `json:"pinned,omitempty"`
	Streams  []StreamStatus `json:"streams,omitempty"`
	Waiting  []WaitStatus   `json:"waiting,omitempty"`
	Error    string         `json:"error,omitempty"`             // that stands
	ErrorAge float64        `json:"error_age_seconds,omitempty"` // 0: unknown
}

// WaitStatus is a program that waits for an asset.
type WaitStatus struct {
	Program string  `json:"program,omitempty"` // "": unknown
	PID     int     `json:"pid,omitempty"`
	Op      string  `json:"op"`     // read, or open for all that comes before
	Offset  int64   `json:"offset"` // of the first byte that is to come
	Since   float64 `json:"since_seconds"`
	For     string  `json:"for"` // and until when, in words
}

// StreamStatus is one download.
type StreamStatus struct {
	Pos    int64   `json:"pos"`
	Speed  float64 `json:"bytes_per_second"`
	Paused bool    `json:"paused"`
	ETA    float64 `json:"eta_seconds,omitempty"` // 0: unknown
	For    string  `json:"for,omitempty"`         // what it waits for, and until when, in words; "": bytes come, or it is paused
}

// All keeps every asset in Status.
func All(*AssetStatus) bool { return true }

// Active keeps only assets that are being downloaded in Status.
func Active(a *AssetStatus) bool { return len(a.Streams) > 0 }

// Status returns what the mount has done, with the assets for which keep returns true.
func (v *Service) Status(keep func(*AssetStatus) bool) Status {
	cost, spool := v.ledger.Costs(), v.Store.State()
	v.mu.Lock()
	lastErr, lastErrAt := v.lastErr, v.lastErrAt
	v.mu.Unlock()
	mount := &cost.Mount
	s := Status{
		Mountpoint:   v.point,
		PID:          os.Getpid(),
		Uptime:       time.Since(v.started).Seconds(),
		Requests:     mount.Requests,
		RequestsLeft: v.client.Stats().Left,
		Downloaded:   mount.Downloaded,
		MaxDownload:  v.o.MaxDownload,
		Served:       mount.Served,
		FromSpool:    max(0, mount.Served-mount.Downloaded),
		Cost:         mount.Cost,
		Saved:        mount.Saved,
		Ledger:       cost,
		Kernel:       KernelStatus{Passthrough: v.Kernel.Passthrough.Load(), Opens: v.Kernel.Opens.Load(), Bytes: v.Kernel.Bytes.Load()},
		Spool:        SpoolStatus{Dir: spool.Path, Bytes: spool.Held, Limit: spool.Limit, Free: spool.Free},
		Limits:       v.limits(),
		LastError:    lastErr,
		Counts:       &CountStatus{},
		Assets:       []AssetStatus{},
	}
	if lastErr != "" {
		s.LastErrorAge = time.Since(lastErrAt).Seconds()
	}
	s.Counts.Coming, s.Counts.Pace = v.Catalog.Coming()
	waiting := v.waiting(v.Waits.list())
	for a := range v.assets(waiting) {
		s.Listed++
		s.Counts.Count(a)
		delete(waiting, a.ID)
		if keep(a) {
			s.Assets = append(s.Assets, *a)
		}
	}
	s.Waiting = slices.Concat(slices.Collect(maps.Values(waiting))...)
	slices.SortFunc(s.Waiting, func(a, b WaitStatus) int { return cmp.Compare(b.Since, a.Since) })
	return s
}

// Assets returns the listed assets, one after the other, since there may be 100 000. Each is
// valid until the next one comes.
func (v *Service) Assets() iter.Seq[*AssetStatus] { return v.assets(v.waiting(v.Waits.list())) }

func (v *Service) assets(waiting map[string][]WaitStatus) iter.Seq[*AssetStatus] {
	return func(yield func(*AssetStatus) bool) {
		var a AssetStatus
		for _, listed := range v.Catalog.Entries() {
			a = v.assetStatus(listed.Asset)
			a.Waiting = waiting[listed.ID]
			if !yield(&a) {
				return
			}
		}
	}
}

func (v *Service) limits() []LimitStatus {
	var list []LimitStatus
	for _, l := range v.client.Limits() {
		s := LimitStatus{Calls: l.Calls, Rate: l.Rate, Spread: l.Spread.Seconds(), Waiting: l.Waiting, Next: max(0, time.Until(l.Next).Seconds())}
		if l.Closed != nil {
			s.Closed = l.Closed.Error()
		}
		list = append(list, s)
	}
	return list
}

func (v *Service) assetStatus(listed *catalog.Asset) AssetStatus {
	a := AssetStatus{ID: listed.ID, Size: listed.Info().Size}
	if name, own := listed.Name(); own {
		a.Name = name
	}
	if at, stands, err := LastError(listed); stands {
		a.Error = err.Error()
		if !at.IsZero() {
			a.ErrorAge = time.Since(at).Seconds()
		}
	}
	e := Awake(listed)
	if e == nil {
		return a
	}
	now := e.Status()
	a.Spooled, a.Pinned = now.Present, now.Pinned
	for _, st := range e.Streams() {
		x := StreamStatus{Pos: st.Pos, Speed: st.Speed, Paused: st.Paused}
		if !st.Paused && st.Why.Cause != asset.CauseBytes {
			x.For = words(st.Why, v.client.Turn(a.ID, false), time.Now())
		} else if st.Speed > 0 && st.End > st.Pos && !st.Paused {
			x.ETA = float64(st.End-st.Pos) / st.Speed
		}
		a.Streams = append(a.Streams, x)
	}
	return a
}

// SetSocket sets the path of the commands' socket, which Socket returns.
func (v *Service) SetSocket(path string) { v.socket.Store(&path) }

// Socket returns the path of the commands' socket, if there is one.
func (v *Service) Socket() (path string, ok bool) {
	if p := v.socket.Load(); p != nil {
		return *p, true
	}
	return "", false
}

// The root has one attribute for each figure of Status, and also these.
const (
	attrStatus = "status"  // all of it in JSON, but for assets that don't fit
	attrAssets = "assets." // with a number N: the listed assets from the Nth on, those that fit, as a JSON array
)

// Attr returns the value of an attribute of the mount's root. name is without "user.assetfs.".
func (v *Service) Attr(name string) (string, bool) {
	keep := Active
	if strings.HasPrefix(name, attrAssets) || name == attrStatus {
		keep = All
	}
	s := v.Status(keep)
	if from, ok := strings.CutPrefix(name, attrAssets); ok {
		n, err := strconv.ParseUint(from, 10, 31)
		if err != nil {
			return "", false
		}
		return fitting(s.Assets[min(int(n), len(s.Assets)):], func(a []AssetStatus) any { return a })
	}
	switch name {
	case attrStatus:
		return fitting(s.Assets, func(a []AssetStatus) any {
			s.Assets = a
			return &s
		})
	case "error":
		return s.LastError, s.LastError != ""
	case "cost":
		return fmt.Sprintf("%.4f", s.Cost), true
	case "cost_today":
		return fmt.Sprintf("%.4f", s.Ledger.Today.Cost), true
	case "cost_month":
		return fmt.Sprintf("%.4f", s.Ledger.Month.Cost), true
	case "cost_ever":
		return fmt.Sprintf("%.4f", s.Ledger.Ever.Cost), true
	case "saved":
		return fmt.Sprintf("%.4f", s.Saved), true
	}
	streams := 0
	for _, a := range s.Assets {
		streams += len(a.Streams)
	}
	n, ok := map[string]int64{
		"uptime":        int64(s.Uptime),
		"requests":      s.Requests,
		"requests_left": int64(s.RequestsLeft),
		"downloaded":    s.Downloaded,
		"read":          s.Served,
		"from_spool":    s.FromSpool,
		"kernel_opens":  s.Kernel.Opens,
		"spool":         s.Spool.Bytes,
		"spool_limit":   s.Spool.Limit,
		"streams":       int64(streams),
		"listed":        int64(s.Listed),
	}[name]
	return strconv.FormatInt(n, 10), ok
}

// fitting returns the JSON of page(all). If it is too long for an attribute, it leaves out as
// many of the last elements as necessary. It returns false if not even the first fits.
func fitting[T any](all []T, page func([]T) any) (string, bool) {
	for n := len(all); ; {
		text, err := json.Marshal(page(all[:n]))
		if err != nil {
			return "", false
		}
		if len(text) <= MaxAttr {
			return string(text), true
		}
		if n == 0 {
			return "", false
		}
		// Slightly fewer than would fit if all were of the same length.
		n = n * (MaxAttr - MaxAttr/16) / len(text)
	}
}

// Summary returns a line with what the mount has cost and what the spool has saved.
func (v *Service) Summary() string {
	s := v.Status(Active)
	line := fmt.Sprintf("%s, at least %s downloaded, $%.4f; %s read, $%.4f saved by the spool",
		english.Plural(int(s.Requests), "download request", ""), humanize.IBytes(uint64(s.Downloaded)), s.Cost, humanize.IBytes(uint64(s.Served)), s.Saved)
	if s.Kernel.Opens > 0 {
		line += fmt.Sprintf("; not counted: %s of whole assets, which the kernel read by itself", english.Plural(int(s.Kernel.Opens), "open", ""))
	}
	return line
}
