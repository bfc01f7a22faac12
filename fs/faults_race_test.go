//go:build race

package fs

// faultShare is which part of the matrix runs: the race detector makes a cell
// ten times as dear. Five shares no factor with the cells of a fault and a
// server (6 or 12), so that each place and number of readers has its turn.
const faultShare = 5
