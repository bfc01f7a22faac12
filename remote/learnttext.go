package remote

import (
	"fmt"
	"time"
)

// Learnt describes what refusals have taught about the rate limits, as recorded by a
// Client. note returns what is recorded under a name.
func Learnt(limit RateLimit, note func(name string) string, now time.Time) []string {
	var lines []string
	for _, call := range []string{opDownload, opMetadata} {
		var k learnt
		k.load(note(noteName(call)), now)
		rates := k.rates(limit, now)
		if limit.Auto && now.Before(k.Until) {
			lines = append(lines, fmt.Sprintf("%s calls: the account has %s until %s", call, rateList(rates), k.Until.Local().Format("15:04")))
		}
		if gap := k.gap(rates); gap > 0 {
			lines = append(lines, fmt.Sprintf("%s calls are %v apart: somebody else uses this account", call, gap.Round(100*time.Millisecond)))
		}
	}
	return lines
}
