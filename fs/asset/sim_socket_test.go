package asset

import (
	"path/filepath"
	"testing"
	"time"
)

// TestReadersMeet holds what readers cost that begin at several places of one asset and read on until
// they meet, over a link so fast that sockets hold megabytes of what comes too much: no more than a
// tenth of it comes twice. (Those that begin first have no bound: nobody else is known yet.)
func TestReadersMeet(t *testing.T) {
	for _, name := range []string{"readers-4", "readers-64"} {
		tr, err := readTrace(filepath.Join("testdata", "traces", name+".trace"))
		if err != nil {
			t.Fatal(err)
		}
		for _, limit := range simLimits {
			got := simulate(t, tr, simLink{latency: time.Millisecond, speed: 1e9, ranged: true, limit: limit})
			t.Logf("%s, %s: %d requests, %.2f MB, %.2f MB twice, waited %v", name, limit.name, got.requests, float64(got.bytes)/1e6, float64(got.twice)/1e6, got.waited)
			if got.twice > tr.size/10 {
				t.Errorf("%s, %s: %d of %d bytes came twice", name, limit.name, got.twice, tr.size)
			}
		}
	}
}
