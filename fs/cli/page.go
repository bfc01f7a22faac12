package cli

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"assetfs/fs/cli/mountopt"
	"assetfs/fs/service"
)

// barCells is the width of the bar that shows how much of an asset is in the spool, and shareCells
// that with the percentage.
const barCells, shareCells = 10, barCells + 5

// pageOptions say how a page is written.
type pageOptions struct {
	width int  // columns; 0: text is not wrapped, so each fact is one line
	all   bool // all assets, not only those that are downloaded, waited for or fail
}

// few is how many assets a page always shows without --all.
const few = 10

// pageWidth is the width of the table of assets if the terminal's is unknown.
const pageWidth = 80

// writePage writes the status for people. It wraps text and shortens names to fit the width.
func writePage(w io.Writer, s *service.Status, o pageOptions) error {
	page := bufio.NewWriter(w)
	wrap(page, "", fmt.Sprintf("assetfs at %s, process %d, up %s", printable(s.Mountpoint), s.PID, span(s.Uptime)), o.width)
	fmt.Fprintln(page)
	fact := func(title, text string) {
		if text != "" {
			wrap(page, fmt.Sprintf("%-12s", title), text, o.width)
		}
	}
	fact("Requests", fmt.Sprintf("%s made, %s", humanize.Comma(s.Requests), requestsLeft(s)))
	writeLimits(fact, s.Limits)
	fact("Downloaded", fmt.Sprintf("at least %s%s for %s", bytesText(s.Downloaded), limit(s.MaxDownload), dollars(s.Cost)))
	writeCost(fact, &s.Ledger)
	fact("Read", bytesRead(s))
	fact("Kernel", kernelShare(s.Kernel))
	fact("Spool", fmt.Sprintf("%s%s in %s, %s free there", bytesText(s.Spool.Bytes), limit(s.Spool.Limit), printable(s.Spool.Dir), bytesText(s.Spool.Free)))
	fact("Downloads", downloads(s))
	fact("Assets", assetCounts(s))
	writeWaiting(page, s.Waiting, "Waiting     ", o)
	if s.LastError != "" {
		fact("Last error", ago(s.LastErrorAge)+s.LastError)
	}
	assetTable(page, s, o)
	return page.Flush()
}

// ago returns the age of an error, to be written before its text.
func ago(seconds float64) string {
	if seconds <= 0 {
		return ""
	}
	return span(seconds) + " ago: "
}

// requestsLeft says how many requests may start now.
func requestsLeft(s *service.Status) string {
	if s.RequestsLeft < 0 {
		return "no limit"
	}
	return fmt.Sprintf("%d may start now", s.RequestsLeft)
}

// writeLimits describes the limits on calls. It leaves out that on lists while it does not matter.
func writeLimits(fact func(title, text string), limits []service.LimitStatus) {
	title := "Limits"
	for _, l := range limits {
		if l.Calls == "list" && l.Waiting == 0 && l.Closed == "" {
			continue
		}
		text := l.Calls + " " + l.Rate
		if l.Spread > 0 {
			text += fmt.Sprintf(", spread by %.1f s beside another user of the account", l.Spread)
		}
		if l.Waiting > 0 {
			text += fmt.Sprintf(", %d waiting", l.Waiting)
		}
		switch {
		case l.Closed != "" && l.Next <= 0:
			text += ", tried again now after: " + printable(l.Closed)
		case l.Closed != "":
			text += ", paused for " + span(l.Next) + " after: " + printable(l.Closed)
		case l.Waiting > 0:
			text += ", the next goes in " + span(l.Next)
		}
		fact(title, text)
		title = ""
	}
}

// bytesRead says how much was read, and what the spool has saved.
func bytesRead(s *service.Status) string {
	text := bytesText(s.Served)
	if s.FromSpool > 0 {
		text += fmt.Sprintf(", %s of it from the spool, which saved %s", bytesText(s.FromSpool), dollars(s.Saved))
	}
	return text
}

// kernelShare describes the reads that assetfs can't count.
func kernelShare(k service.KernelStatus) string {
	switch {
	case !k.Passthrough:
		return "answers repeated reads from its cache, uncounted"
	case k.Opens == 0:
		return "reads whole assets by itself, uncounted: none so far"
	}
	return fmt.Sprintf("reads whole assets by itself, uncounted: opened %d, %s", k.Opens, bytesText(k.Bytes))
}

// failuresShown is how many failing assets a page shows without --all.
const failuresShown = 20

// rank orders assets by how much there is to see.
func rank(a *service.AssetStatus) int {
	switch {
	case slices.ContainsFunc(a.Streams, func(s service.StreamStatus) bool { return !s.Paused }):
		return 0
	case len(a.Waiting) > 0:
		return 1
	case a.Error != "":
		return failing
	case len(a.Streams) > 0:
		return failing + 1
	}
	return idle
}

// The ranks of failing assets, and of assets with nothing to see.
const failing, idle = 2, 4

// assetTable lists the assets, those with something to see first. The name comes last, because its
// width is unknown.
func assetTable(page io.Writer, s *service.Status, o pageOptions) {
	show, widest := make([]*service.AssetStatus, 0, len(s.Assets)), 2
	if !o.all {
		brief(s)
	}
	for i := range s.Assets {
		widest = max(widest, len(printable(s.Assets[i].ID)))
		show = append(show, &s.Assets[i])
	}
	slices.SortStableFunc(show, func(a, b *service.AssetStatus) int { return cmp.Compare(rank(a), rank(b)) })
	if len(show) > 0 {
		const front = shareCells + 2 + 8 + 2 // bar, percentage and size
		name := max(12, cmp.Or(o.width, pageWidth)-front-widest-2)
		line := func(share, size, id, name string) {
			fmt.Fprintf(page, "%-*s  %-8s  %-*s  %s\n", shareCells, share, size, widest, id, name)
		}
		fmt.Fprintln(page)
		line("SPOOLED", "SIZE", "ID", "NAME")
		for _, a := range show {
			line(share(a), sizeText(a), printable(a.ID), shorten(cmp.Or(printable(a.Name), "-"), name))
			for _, st := range a.Streams {
				wrap(page, "   ", streamLine(st), o.width)
			}
			writeWaiting(page, a.Waiting, "   ", o)
			if a.Pinned && o.all {
				fmt.Fprint(page, "    pinned\n")
			}
			if a.Error != "" {
				wrap(page, "   ", ago(a.ErrorAge)+a.Error, o.width)
			}
		}
	}
	switch more := s.Listed - len(show); {
	case s.Listed == 0:
		fmt.Fprint(page, "\nNo assets are listed.\n")
	case more > 0 && len(show) > 0:
		fmt.Fprintf(page, "and %s more: see assetfs status --all\n", humanize.Comma(int64(more)))
	}
}

// brief removes assets with nothing to see from s, if there are more than a few assets, and all
// failing ones after the first failuresShown.
func brief(s *service.Status) {
	if s.Listed <= few {
		return
	}
	failures := 0
	s.Assets = slices.DeleteFunc(s.Assets, func(a service.AssetStatus) bool {
		switch rank(&a) {
		case idle:
			return true
		case failing:
			failures++
			return failures > failuresShown
		}
		return false
	})
}

// shown keeps what brief may leave, before anybody knows how many assets there are.
func shown() func(*service.AssetStatus) bool {
	n := 0
	return func(a *service.AssetStatus) bool {
		n++
		return n <= few || rank(a) != idle
	}
}

// waitingShown is how many waits for one asset a page shows without --all.
const waitingShown = 3

// writeWaiting says who waits for what.
func writeWaiting(page io.Writer, waiting []service.WaitStatus, title string, o pageOptions) {
	for i, w := range waiting {
		if i == waitingShown && !o.all {
			fmt.Fprintf(page, "    and %s more wait\n", humanize.Comma(int64(len(waiting)-i)))
			return
		}
		who := "somebody"
		if w.PID == 0 && w.Program != "" {
			who = w.Program
		} else if w.Program != "" {
			who = fmt.Sprintf("%s (%d)", w.Program, w.PID)
		}
		text := fmt.Sprintf("%s, %s, waits %s: %s", who, w.Op, span(w.Since), w.For)
		if w.Op == "read" {
			text = fmt.Sprintf("%s, read at %s, waits %s: %s", who, humanize.Comma(w.Offset), span(w.Since), w.For)
		}
		wrap(page, title, text, o.width)
	}
}

// share draws how much of the asset is in the spool.
func share(a *service.AssetStatus) string {
	if a.Size < 0 {
		text := bytesText(a.Spooled)
		return strings.Repeat("?", shareCells-1-len(text)) + " " + text
	}
	part := 1.0
	if a.Size > 0 {
		part = max(0, min(1, float64(a.Spooled)/float64(a.Size))) // a mount of another version may tell anything
	}
	// Rounding down: only whole assets show as whole.
	cells, percent := int(part*barCells), int(part*100)
	return strings.Repeat("#", cells) + strings.Repeat(".", barCells-cells) + fmt.Sprintf(" %3d%%", percent)
}

func sizeText(a *service.AssetStatus) string {
	if a.Size < 0 {
		return "unknown"
	}
	return bytesText(a.Size)
}

// wrap writes text after a title, in lines of width columns. Further lines are indented by four, or
// as far as the text after the title.
func wrap(page io.Writer, title, text string, width int) {
	indent := strings.Repeat(" ", max(len(title)+1, 4))
	fmt.Fprint(page, title)
	column, first := len(title), title == ""
	for _, word := range strings.Fields(printable(text)) {
		n := columns(word)
		switch {
		case first:
		case width > 0 && column+1+n > width && column > len(indent):
			fmt.Fprint(page, "\n"+indent)
			column = len(indent)
		default:
			fmt.Fprint(page, " ")
			column++
		}
		fmt.Fprint(page, word)
		column += n
		first = false
	}
	fmt.Fprint(page, "\n")
}

func bytesText(n int64) string { return humanize.IBytes(uint64(max(0, n))) }

func rate(bytesPerSecond float64) string { return bytesText(int64(bytesPerSecond)) + "/s" }

// dollars writes an amount with cents, or below a dollar with hundredths of a cent.
func dollars(n float64) string {
	if n < 1 {
		return fmt.Sprintf("$%.4f", n)
	}
	return fmt.Sprintf("$%.2f", n)
}

// limit writes a limit as it was given.
func limit(n int64) string {
	if n <= 0 {
		return ""
	}
	size := mountopt.Size(n)
	return " of " + size.String()
}

// span writes seconds in at most two units.
func span(seconds float64) string {
	d := time.Duration(min(max(seconds, 0), 1e9) * float64(time.Second)).Round(time.Second)
	const day = 24 * time.Hour
	switch {
	case d >= day:
		return fmt.Sprintf("%dd %dh", d/day, d%day/time.Hour)
	case d >= time.Hour:
		return fmt.Sprintf("%dh %dm", d/time.Hour, d%time.Hour/time.Minute)
	case d >= time.Minute:
		return fmt.Sprintf("%dm %ds", d/time.Minute, d%time.Minute/time.Second)
	}
	return fmt.Sprintf("%ds", d/time.Second)
}
