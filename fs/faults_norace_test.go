//go:build !race

package fs

// faultShare is which part of the matrix runs: all of it.
const faultShare = 1
