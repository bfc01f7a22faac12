//go:build race

package asset

// raceEnabled makes the long tests shorter: they take ten times as long then.
const raceEnabled = true
