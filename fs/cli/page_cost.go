package cli

import (
	"fmt"
	"strings"

	"github.com/dustin/go-humanize/english"

	"assetfs/fs/ledger"
)

// programsShown is how many programs the page names.
const programsShown = 3

// writeCost writes the cost of downloads in the spool's ledger.
func writeCost(fact func(title, text string), c *ledger.Costs) {
	if c.Ever.Requests == 0 {
		return
	}
	for _, p := range []struct {
		title string
		cost  *ledger.Period
		most  int64
	}{{"This mount", &c.Mount, 0}, {"Today", &c.Today, 0}, {"This month", &c.Month, c.MaxMonth}, {"Ever", &c.Ever, 0}} {
		text := fmt.Sprintf("%s, %s%s for %s", english.Plural(int(p.cost.Requests), "request", ""), bytesText(p.cost.Downloaded), limit(p.most), dollars(p.cost.Cost))
		if p.cost.Saved > 0 {
			text += ", saved " + dollars(p.cost.Saved)
		}
		fact(p.title, text)
	}
	var parts []string
	rest := 0.0
	for i, p := range c.Month.Programs {
		if i < programsShown {
			parts = append(parts, printable(p.Program)+" "+dollars(p.Cost))
		} else {
			rest += p.Cost
		}
	}
	if rest > 0 {
		parts = append(parts, "others "+dollars(rest))
	}
	if len(parts) > 0 {
		fact("Programs", strings.Join(parts, ", ")+" this month")
	}
}
