package mountopt

import "strings"

// Nearest returns the word of known that word was probably meant to be, or "" if none is similar.
// One letter in three may be wrong, missing, superfluous, or swapped with its neighbour. Otherwise
// word may be a part of one known word alone, such as "api-key" of "api-key-file".
func Nearest(word string, known []string) string {
	best, least := "", max(1, len(word)/3)+1
	for _, k := range known {
		if n := distance(word, k); n < least {
			best, least = k, n
		}
	}
	if best != "" || len(word) < 3 {
		return best
	}
	for _, k := range known {
		if strings.Contains(k, word) {
			if best != "" {
				return ""
			}
			best = k
		}
	}
	return best
}

// distance returns how many letters to change, insert, remove, or swap with the next one, to get b
// from a.
func distance(a, b string) int {
	var before, row []int // the last row but one, and the last row
	next := make([]int, len(b)+1)
	for j := range next {
		next[j] = j
	}
	for i := range len(a) {
		before, row, next = row, next, make([]int, len(b)+1)
		next[0] = i + 1
		for j := range len(b) {
			change := row[j]
			if a[i] != b[j] {
				change++
			}
			next[j+1] = min(change, row[j+1]+1, next[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				next[j+1] = min(next[j+1], before[j-1]+1)
			}
		}
	}
	return next[len(b)]
}
