//go:build race

package integration_test

// raceEnabled reports whether this test was built with the race detector; the binary is then built with it too.
const raceEnabled = true
