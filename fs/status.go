package fs

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
)

// Status is what a mount has done, as --status --json prints it and the root's
// extended attribute user.assetfs.status holds it.
type Status struct {
	Mountpoint   string        `json:"mountpoint"`
	PID          int           `json:"pid"`
	Uptime       float64       `json:"uptime_seconds"`
	Requests     int64         `json:"requests"`
	RequestsLeft int           `json:"requests_left"` // -1: no limit
	Downloaded   int64         `json:"downloaded_bytes"`
	Served       int64         `json:"served_bytes"` // by us; passthrough reads are the kernel's
	Cost         float64       `json:"cost_dollars"`
	Spool        SpoolStatus   `json:"spool"`
	Passthrough  bool          `json:"passthrough"`
	LastError    string        `json:"last_error,omitempty"`
	Listed       int           `json:"assets_listed"`
	Assets       []AssetStatus `json:"assets"` // those of Listed that fit
}

// SpoolStatus is what the spool holds.
type SpoolStatus struct {
	Dir   string `json:"dir"`
	Bytes int64  `json:"bytes"`
	Limit int64  `json:"limit_bytes"` // 0: none
	Free  int64  `json:"free_bytes"`  // on its disk
}

// AssetStatus is one listed asset.
type AssetStatus struct {
	ID      string         `json:"id"`
	Name    string         `json:"name,omitempty"`
	Size    int64          `json:"size"` // -1: unknown
	Spooled int64          `json:"spooled_bytes"`
	Streams []StreamStatus `json:"streams,omitempty"`
	Error   string         `json:"error,omitempty"`
}

// StreamStatus is one download being read or kept.
type StreamStatus struct {
	Pos    int64   `json:"pos"`
	Speed  float64 `json:"bytes_per_second"`
	Paused bool    `json:"paused"`
	ETA    float64 `json:"eta_seconds,omitempty"`
}

// Status tells what the mount has done.
func (f *FS) Status() Status {
	stats, usage := f.client.Stats(), f.dir.Usage()
	f.mu.Lock()
	lastErr := f.lastErr
	f.mu.Unlock()
	s := Status{
		Mountpoint:   f.mountpoint,
		PID:          os.Getpid(),
		Uptime:       time.Since(f.started).Seconds(),
		Requests:     stats.Requests,
		RequestsLeft: stats.Left,
		Downloaded:   stats.Bytes,
		Served:       f.served.Load(),
		Cost:         f.cost(stats.Bytes),
		Spool:        SpoolStatus{Dir: usage.Path, Bytes: usage.Bytes, Limit: usage.Limit, Free: usage.Free},
		Passthrough:  f.passthrough,
		LastError:    lastErr,
	}
	entries := f.tree.entries()
	s.Listed = len(entries)
	for _, e := range entries {
		a := AssetStatus{ID: e.id, Size: e.asset.Info().Size, Spooled: e.file.Len()}
		if f.tree.named(e) {
			a.Name = f.tree.shown(e)
		}
		if err := e.asset.LastError(); err != nil {
			a.Error = err.Error()
		}
		for _, st := range e.asset.Streams() {
			x := StreamStatus{Pos: st.Pos, Speed: st.Speed, Paused: st.Paused}
			if st.Speed > 0 && st.End > st.Pos && !st.Paused {
				x.ETA = float64(st.End-st.Pos) / st.Speed
			}
			a.Streams = append(a.Streams, x)
		}
		s.Assets = append(s.Assets, a)
	}
	return s
}

// cost is the price of n bytes. A GB is 10^9 bytes, as bills count.
func (f *FS) cost(n int64) float64 { return float64(n) / 1e9 * f.o.PricePerGB }

// StatusAttr is the root's attribute that holds the whole Status as JSON.
const StatusAttr = "user.assetfs.status"

// statusAttr answers the root's attributes: each number of Status by itself,
// and all of it as JSON.
func (f *FS) statusAttr(attr string) (string, bool) {
	name, ok := strings.CutPrefix(attr, "user.assetfs.")
	if !ok {
		return "", false
	}
	s := f.Status()
	switch name {
	case "requests":
		return strconv.FormatInt(s.Requests, 10), true
	case "requests_left":
		return strconv.Itoa(s.RequestsLeft), true
	case "downloaded":
		return strconv.FormatInt(s.Downloaded, 10), true
	case "cost":
		return fmt.Sprintf("%.4f", s.Cost), true
	case "spool":
		return strconv.FormatInt(s.Spool.Bytes, 10), true
	case "streams":
		n := 0
		for _, a := range s.Assets {
			n += len(a.Streams)
		}
		return strconv.Itoa(n), true
	case "error":
		return s.LastError, s.LastError != ""
	case "status":
		// An attribute holds 64 KiB at most: assets that don't fit are left out.
		for {
			text, err := json.Marshal(s)
			if err != nil {
				return "", false
			}
			if len(text) <= 64<<10 {
				return string(text), true
			}
			s.Assets = s.Assets[:len(s.Assets)*(60<<10)/len(text)]
		}
	}
	return "", false
}

// Summary is a line on what the mount has cost and what the spool has saved.
func (f *FS) Summary() string {
	s := f.Status()
	saved := max(0, s.Served-s.Downloaded)
	return fmt.Sprintf("%d download requests, %s downloaded, $%.4f; %s read, $%.4f saved by the spool",
		s.Requests, humanize.IBytes(uint64(s.Downloaded)), s.Cost, humanize.IBytes(uint64(s.Served)), f.cost(saved))
}
