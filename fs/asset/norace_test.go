//go:build !race

package asset

const raceEnabled = false
