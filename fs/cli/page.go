package cli

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/dustin/go-humanize"

	"assetfs/fs"
	"assetfs/fs/cli/mountopt"
)

// barCells is the width of the bar of an asset's spooled share.
const barCells = 10

// pageOptions say how a page is written.
type pageOptions struct {
	width int  // columns of running text; 0 wraps nothing
	all   bool // all assets, not only those that are downloaded or fail
}

// writePage writes the status for people. Lines of running text are wrapped to width
// columns; 0 wraps nothing.
func writePage(w io.Writer, s *fs.Status, o pageOptions) error {
	width := o.width
	var page bytes.Buffer
	fmt.Fprintf(&page, "assetfs at %s, process %d, up %s\n\n", printable(s.Mountpoint), s.PID, span(s.Uptime))
	facts := tabwriter.NewWriter(&page, 0, 0, 3, ' ', 0)
	fmt.Fprintf(facts, "Requests\t%s made, %s\n", humanize.Comma(s.Requests), requestsLeft(s))
	fmt.Fprintf(facts, "Downloaded\tat least %s%s for %s\n", bytesText(s.Downloaded), limit(s.MaxDownload), dollars(s.Cost))
	writeCost(facts, &s.Ledger)
	fmt.Fprintf(facts, "Read\t%s\n", bytesRead(s))
	fmt.Fprintf(facts, "Kernel\t%s\n", kernelShare(s.Kernel))
	fmt.Fprintf(facts, "Spool\t%s%s in %s, %s free there\n", bytesText(s.Spool.Bytes), limit(s.Spool.Limit), printable(s.Spool.Dir), bytesText(s.Spool.Free))
	fmt.Fprintf(facts, "Downloads\t%s\n", downloads(s))
	if err := facts.Flush(); err != nil {
		return err
	}
	if s.LastError != "" {
		wrap(&page, "Last error  ", s.LastError, width)
	}
	assetTable(&page, s, width)
	_, err := w.Write(page.Bytes())
	return err
}

// requestsLeft tells how many requests may start now.
func requestsLeft(s *fs.Status) string {
	if s.RequestsLeft < 0 {
		return "no limit"
	}
	return fmt.Sprintf("%d left this minute", s.RequestsLeft)
}

// bytesRead tells what readers got, and what the spool has saved.
func bytesRead(s *fs.Status) string {
	text := bytesText(s.Served)
	if s.FromSpool > 0 {
		text += fmt.Sprintf(", %s of it from the spool, which saved %s", bytesText(s.FromSpool), dollars(s.Saved))
	}
	return text
}

// kernelShare tells what is not counted.
func kernelShare(k fs.KernelStatus) string {
	switch {
	case !k.Passthrough:
		return "answers repeated reads from its cache, uncounted"
	case k.Opens == 0:
		return "reads whole assets by itself, uncounted: none so far"
	}
	return fmt.Sprintf("reads whole assets by itself, uncounted: opened %d, %s", k.Opens, bytesText(k.Bytes))
}

// downloads counts the downloads and adds their speeds.
func downloads(s *fs.Status) string {
	running, paused, speed := 0, 0, 0.0
	for _, a := range s.Assets {
		for _, st := range a.Streams {
			if st.Paused {
				paused++
			} else {
				running++
				speed += st.Speed
			}
		}
	}
	var parts []string
	if running > 0 {
		parts = append(parts, fmt.Sprintf("%d running at %s", running, rate(speed)))
	}
	if paused > 0 {
		parts = append(parts, fmt.Sprintf("%d paused", paused))
	}
	return cmp.Or(strings.Join(parts, ", "), "none")
}

// assetTable lists the assets. The name, whose width nobody knows, comes last.
func assetTable(page *bytes.Buffer, s *fs.Status, width int) {
	if len(s.Assets) == 0 {
		page.WriteString("\nNo assets are listed.\n")
		return
	}
	var rows bytes.Buffer
	table := tabwriter.NewWriter(&rows, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "SPOOLED\tSIZE\tID\tNAME")
	for _, a := range s.Assets {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", share(&a), sizeText(&a), printable(a.ID), cmp.Or(printable(a.Name), "-"))
	}
	table.Flush() // to memory
	lines := strings.SplitAfter(rows.String(), "\n")
	page.WriteString("\n" + lines[0])
	for i, a := range s.Assets {
		page.WriteString(lines[i+1])
		for _, st := range a.Streams {
			fmt.Fprintf(page, "    %s\n", streamLine(st))
		}
		if a.Error != "" {
			wrap(page, "   ", a.Error, width)
		}
	}
	if more := s.Listed - len(s.Assets); more > 0 {
		fmt.Fprintf(page, "and %s more\n", humanize.Comma(int64(more)))
	}
}

// share draws how much of the asset is in the spool.
func share(a *fs.AssetStatus) string {
	if a.Size < 0 {
		return strings.Repeat("?", barCells) + " " + bytesText(a.Spooled)
	}
	part := 1.0
	if a.Size > 0 {
		part = min(1, float64(a.Spooled)/float64(a.Size))
	}
	// Only what is whole shows as whole.
	cells, percent := int(part*barCells), int(part*100)
	return strings.Repeat("#", cells) + strings.Repeat(".", barCells-cells) + fmt.Sprintf(" %3d%%", percent)
}

func sizeText(a *fs.AssetStatus) string {
	if a.Size < 0 {
		return "unknown"
	}
	return bytesText(a.Size)
}

// streamLine describes a download.
func streamLine(st fs.StreamStatus) string {
	switch {
	case st.Paused:
		return "paused until somebody reads on"
	case st.ETA > 0:
		return fmt.Sprintf("downloading at %s, %s left", rate(st.Speed), span(st.ETA))
	}
	return "downloading at " + rate(st.Speed)
}

// wrap writes text behind a title, in lines of width columns. Lines after the
// first are indented by four.
func wrap(page *bytes.Buffer, title, text string, width int) {
	const indent = "    "
	page.WriteString(title)
	column := len(title)
	for _, word := range strings.Fields(printable(text)) {
		n := len([]rune(word))
		if width > 0 && column+1+n > width && column > len(indent) {
			page.WriteString("\n" + indent + word)
			column = len(indent) + n
			continue
		}
		page.WriteString(" " + word)
		column += 1 + n
	}
	page.WriteString("\n")
}

// isPrint reports whether a terminal shows r and does nothing else with it.
func isPrint(r rune) bool { return unicode.IsPrint(r) }

func bytesText(n int64) string { return humanize.IBytes(uint64(max(0, n))) }

func rate(bytesPerSecond float64) string { return bytesText(int64(bytesPerSecond)) + "/s" }

// dollars shows cents where they matter, and parts of them where nothing else does.
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
