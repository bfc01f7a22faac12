package limits

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

const (
	// roomForGarbage is how much garbage may pile up, in bytes. By default the runtime lets as much
	// pile up as is in use, so that a mount of 100 000 assets takes twice what they need.
	roomForGarbage = 24 << 20
	// leastPercent is the least room, in percent of what is in use: with less, collecting garbage from
	// a large heap would take too much of the processor.
	leastPercent = 25
)

// LimitGarbage makes the runtime collect garbage before there is much of it. If GOGC is set, it
// applies instead.
func LimitGarbage() {
	if os.Getenv("GOGC") == "" {
		adjustGarbage(100)
	}
}

// adjustGarbage is called after each collection, with the percentage in force.
func adjustGarbage(percent int) {
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(live)
	if p := garbagePercent(live[0].Value.Uint64()); p != percent {
		percent = p
		debug.SetGCPercent(p)
	}
	// The next collection finds what nobody holds, and calls again.
	runtime.AddCleanup(&struct{ _ *byte }{}, adjustGarbage, percent)
}

// garbagePercent returns how much garbage may pile up beside so many bytes in use, in percent of
// them.
func garbagePercent(live uint64) int {
	return int(min(100, max(leastPercent, roomForGarbage*100/max(live, 1))))
}
