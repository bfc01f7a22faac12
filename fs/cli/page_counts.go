package cli

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/dustin/go-humanize"

	"assetfs/fs/service"
)

// assetCounts says how many assets are listed, and how many of them are present.
func assetCounts(s *service.Status) string {
	c := s.Counts
	if c == nil { // an older mount
		c = &service.CountStatus{}
		for i := range s.Assets {
			c.Count(&s.Assets[i])
		}
	}
	number := func(n int) string { return humanize.Comma(int64(n)) }
	text := number(s.Listed) + " listed"
	if s.Listed == 0 {
		return text
	}
	text += fmt.Sprintf(": %s whole in the spool, %s in part", number(c.Whole), number(c.Part))
	if c.Pinned > 0 {
		text += fmt.Sprintf(", %s pinned", number(c.Pinned))
	}
	if c.Failing > 0 {
		text += fmt.Sprintf(", %s failing", number(c.Failing))
	}
	if c.Named < s.Listed {
		text += fmt.Sprintf("; names: %s of %s%s", number(c.Named), number(s.Listed), namesToCome(c))
	}
	return text
}

// namesToCome says how fast names are found, and how long the rest will take.
func namesToCome(c *service.CountStatus) string {
	if c.Coming == 0 || c.Pace <= 0 {
		return ""
	}
	speed := fmt.Sprintf("%.0f a second", c.Pace)
	switch {
	case c.Pace < 1.0/60:
		speed = fmt.Sprintf("%.0f an hour", max(1, 3600*c.Pace))
	case c.Pace < 0.95:
		speed = fmt.Sprintf("%.0f a minute", 60*c.Pace)
	}
	left := float64(c.Coming) / c.Pace
	switch {
	case left < 90:
		return fmt.Sprintf(", %s, about %.0f s", speed, max(1, left))
	case left < 90*60:
		return fmt.Sprintf(", %s, about %.0f min", speed, left/60)
	}
	return fmt.Sprintf(", %s, about %.0f h", speed, left/3600)
}

// downloads counts the downloads and adds up their speeds.
func downloads(s *service.Status) string {
	running, waiting, paused, speed := 0, 0, 0, 0.0
	for _, a := range s.Assets {
		for _, st := range a.Streams {
			switch {
			case st.Paused:
				paused++
			case st.For != "":
				waiting++
			default:
				running++
				speed += st.Speed
			}
		}
	}
	var parts []string
	if running > 0 {
		parts = append(parts, fmt.Sprintf("%d running at %s", running, rate(speed)))
	}
	if waiting > 0 {
		parts = append(parts, fmt.Sprintf("%d waiting", waiting))
	}
	if paused > 0 {
		parts = append(parts, fmt.Sprintf("%d paused", paused))
	}
	return cmp.Or(strings.Join(parts, ", "), "none")
}

// streamLine describes a download.
func streamLine(st service.StreamStatus) string {
	switch {
	case st.Paused:
		return "paused until a program reads on"
	case st.For != "":
		return "download waits: " + st.For
	case st.ETA > 0:
		return fmt.Sprintf("downloading at %s, %s left", rate(st.Speed), span(st.ETA))
	}
	if st.Speed > 0 {
		return "downloading at " + rate(st.Speed)
	}
	return "downloading"
}
