package limits

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	// roomForGarbage is how much garbage may pile up, in bytes. By default the runtime lets as much
	// pile up as is in use, so that a mount of 100 000 assets takes twice what they need.
	roomForGarbage = 24 << 20
	// leastPercent is the least room, in percent of what is in use: with less, collecting garbage from
	// a large heap would take too much of the processor.
	leastPercent = 25
	// quiet is how long there is no collection before memory is given back.
	quiet = 10 * time.Second
	// worthGiving is how much must be spare for that, in bytes.
	worthGiving = 16 << 20
)

// LimitGarbage makes the runtime collect garbage before there is much of it, and give memory back that is
// not needed once there has been nothing to collect for a while. If GOGC is set, it applies instead.
func LimitGarbage() {
	if os.Getenv("GOGC") == "" {
		collector{100, time.AfterFunc(quiet, giveBack)}.adjust()
	}
}

// collector is how garbage is collected.
type collector struct {
	percent int         // that may pile up
	rest    *time.Timer // runs out when there is quiet
}

// adjust is called after each collection.
func (c collector) adjust() {
	if p := garbagePercent(uint64(metric("/gc/heap/live:bytes"))); p != c.percent {
		c.percent = p
		debug.SetGCPercent(p)
	}
	c.rest.Reset(quiet)
	// The next collection finds what nobody holds, and calls again.
	runtime.AddCleanup(&struct{ _ *byte }{}, collector.adjust, c)
}

// giveBack gives the system what the heap does not need. By itself the runtime would keep a large part, for
// use again: after a walk of 100 000 files that may not come for hours.
func giveBack() {
	spare := metric("/memory/classes/heap/objects:bytes") + metric("/memory/classes/heap/free:bytes") - metric("/gc/heap/live:bytes")
	if spare > worthGiving {
		debug.FreeOSMemory()
	}
}

// metric reads one of the runtime's metrics.
func metric(name string) int64 {
	sample := []metrics.Sample{{Name: name}}
	metrics.Read(sample)
	return int64(sample[0].Value.Uint64())
}

// garbagePercent returns how much garbage may pile up beside so many bytes in use, in percent of
// them.
func garbagePercent(live uint64) int {
	return int(min(100, max(leastPercent, roomForGarbage*100/max(live, 1))))
}
