package fs

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/dustin/go-humanize/english"

	"assetfs/fs/report"
)

// Status tells what the mount has done.
func (f *FS) Status() report.Status {
	stats, usage := f.client.Stats(), f.dir.Usage()
	f.mu.Lock()
	lastErr := f.lastErr
	f.mu.Unlock()
	served := f.served.Load()
	fromSpool := max(0, served-stats.Bytes)
	s := report.Status{
		Mountpoint:   f.mountpoint,
		PID:          os.Getpid(),
		Uptime:       time.Since(f.started).Seconds(),
		Requests:     stats.Requests,
		RequestsLeft: stats.Left,
		Downloaded:   stats.Bytes,
		MaxDownload:  f.o.MaxDownload,
		Served:       served,
		FromSpool:    fromSpool,
		Cost:         f.cost(stats.Bytes),
		Saved:        f.cost(fromSpool),
		Kernel:       report.Kernel{Passthrough: f.passthrough, Opens: f.opens.Load(), Bytes: f.opened.Load()},
		Spool:        report.Spool{Dir: usage.Path, Bytes: usage.Bytes, Limit: usage.Limit, Free: usage.Free},
		LastError:    lastErr,
		Assets:       []report.Asset{},
	}
	entries := f.catalog.Entries()
	s.Listed = len(entries)
	for _, listed := range entries {
		e := engine(listed.Asset)
		a := report.Asset{ID: listed.ID, Size: e.Info().Size, Spooled: e.file.Len()}
		if name, own := listed.Asset.Name(); own {
			a.Name = name
		}
		if err := lastError(listed.Asset); err != nil {
			a.Error = err.Error()
		}
		for _, st := range e.Streams() {
			x := report.Stream{Pos: st.Pos, Speed: st.Speed, Paused: st.Paused}
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

// The root's attributes are those of Status one by one, and besides:
const (
	attrStatus = "status"  // all of it in JSON, but for assets that don't fit
	attrAssets = "assets." // with a number N: the listed assets from the Nth on, those that fit, as a JSON array
)

// statusAttr answers the root's attributes.
func (f *FS) statusAttr(attr string) (string, bool) {
	name, ok := strings.CutPrefix(attr, "user.assetfs.")
	if !ok {
		return "", false
	}
	s := f.Status()
	if from, ok := strings.CutPrefix(name, attrAssets); ok {
		n, err := strconv.ParseUint(from, 10, 31)
		if err != nil {
			return "", false
		}
		return fitting(s.Assets[min(int(n), len(s.Assets)):], func(a []report.Asset) any { return a })
	}
	switch name {
	case attrStatus:
		return fitting(s.Assets, func(a []report.Asset) any {
			s.Assets = a
			return &s
		})
	case "error":
		return s.LastError, s.LastError != ""
	case "cost":
		return fmt.Sprintf("%.4f", s.Cost), true
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

// fitting returns the JSON of what page makes of assets, leaving as many of the
// last ones out as it must to fit into an attribute. It tells false if not even
// the first fits.
func fitting(assets []report.Asset, page func([]report.Asset) any) (string, bool) {
	for n := len(assets); ; {
		text, err := json.Marshal(page(assets[:n]))
		if err != nil {
			return "", false
		}
		if len(text) <= report.MaxValue {
			return string(text), true
		}
		if n == 0 {
			return "", false
		}
		// A little less than would fit if all were of one length.
		n = n * (report.MaxValue - report.MaxValue/16) / len(text)
	}
}

// Summary is a line on what the mount has cost and what the spool has saved.
func (f *FS) Summary() string {
	s := f.Status()
	line := fmt.Sprintf("%s, at least %s downloaded, $%.4f; %s read, $%.4f saved by the spool",
		english.Plural(int(s.Requests), "download request", ""), humanize.IBytes(uint64(s.Downloaded)), s.Cost, humanize.IBytes(uint64(s.Served)), s.Saved)
	if s.Kernel.Opens > 0 {
		line += fmt.Sprintf("; not counted: %s of whole assets, which the kernel read by itself", english.Plural(int(s.Kernel.Opens), "open", ""))
	}
	return line
}
