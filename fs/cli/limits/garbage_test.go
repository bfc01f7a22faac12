package limits

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"testing"
	"time"
)

// A small heap may double. A large one gets little room beyond what is in use.
func TestGarbagePercent(t *testing.T) {
	for _, tt := range []struct {
		live uint64
		want int
	}{
		{0, 100},
		{4 << 20, 100},
		{24 << 20, 100},
		{48 << 20, 50},
		{96 << 20, 25},
		{1 << 40, 25},
	} {
		if got := garbagePercent(tt.live); got != tt.want {
			t.Errorf("beside %d bytes in use: %d%%, want %d%%", tt.live, got, tt.want)
		}
	}
}

// The rule follows the heap, up and down.
func TestLimitGarbage(t *testing.T) {
	t.Setenv("GOGC", "")
	defer debug.SetGCPercent(100)
	LimitGarbage()
	await := func(what string, right func(percent uint64) bool) {
		t.Helper()
		percent := []metrics.Sample{{Name: "/gc/gogc:percent"}}
		for range 1000 {
			if metrics.Read(percent); right(percent[0].Value.Uint64()) {
				return
			}
			runtime.GC() // the rule comes a little later
		}
		t.Errorf("with %s, %d%% of garbage may pile up", what, percent[0].Value.Uint64())
	}
	held := make([]byte, 80<<20)
	await("80 MiB in use", func(percent uint64) bool { return percent < 50 })
	runtime.KeepAlive(held)
	await("little in use", func(percent uint64) bool { return percent == 100 })
}

// A collection starts the time anew after which memory is given back.
func TestGarbageQuiet(t *testing.T) {
	defer debug.SetGCPercent(100)
	over := make(chan struct{})
	rest := time.AfterFunc(time.Hour, func() { close(over) })
	collector{100, rest}.adjust()
	if !rest.Reset(0) {
		t.Fatal("it does not run")
	}
	<-over
}

// What is not needed is given back once.
func TestGiveBack(t *testing.T) {
	spare := func() int64 { return metric("/memory/classes/heap/free:bytes") }
	runtime.KeepAlive(make([]byte, 80<<20))
	runtime.GC()
	giveBack()
	if n := spare(); n > worthGiving {
		t.Errorf("%d bytes were kept", n)
	}
	cycles := metric("/gc/cycles/total:gc-cycles")
	giveBack()
	if n := metric("/gc/cycles/total:gc-cycles"); n != cycles {
		t.Errorf("%d collections for nothing", n-cycles)
	}
}
