//go:build race

package integration_test

// raceEnabled reports whether this test was built with the race detector. The binary under test is then built with it, too.
const raceEnabled = true
