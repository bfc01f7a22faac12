package cli

import (
	"fmt"
	"strings"

	"assetfs/fs"
)

// programsShown is how many programs the page names.
const programsShown = 3

// writeCost writes what the spool has cost, as facts of the page.
func writeCost(fact func(title, text string), c *fs.CostStatus) {
	if c.Ever.Requests == 0 {
		return
	}
	month := dollars(c.Month.Cost) + " this month"
	if c.MaxMonth > 0 {
		month += fmt.Sprintf(" (%s%s)", bytesText(c.Month.Downloaded), limit(c.MaxMonth))
	}
	fact("Cost", fmt.Sprintf("%s today, %s, %s ever", dollars(c.Today.Cost), month, dollars(c.Ever.Cost)))
	if c.Ever.Saved > 0 {
		fact("  saved", fmt.Sprintf("%s today, %s this month, %s ever", dollars(c.Today.Saved), dollars(c.Month.Saved), dollars(c.Ever.Saved)))
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
		fact("  by", strings.Join(parts, ", "))
	}
}
