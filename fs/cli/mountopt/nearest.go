package mountopt

// Nearest returns the word of known that word was most likely meant to be, ""
// if it is like none of them. One letter in three may be wrong, missing, too
// much, or swapped with its neighbour.
func Nearest(word string, known []string) string {
	best, least := "", max(1, len(word)/3)+1
	for _, k := range known {
		if n := distance(word, k); n < least {
			best, least = k, n
		}
	}
	return best
}

// distance is the number of letters to change, insert, remove or swap with the
// next one to make b of a.
func distance(a, b string) int {
	var before, row []int // two rows back, and one
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
