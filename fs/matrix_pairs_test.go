package fs

import (
	"math/rand/v2"
	"slices"
)

// pairwise returns cells in which each two values of two dimensions meet.
func pairwise(random *rand.Rand) []*matrixCell {
	counts := []int{len(habits)}
	for _, d := range matrixDims {
		counts = append(counts, len(d.values))
	}
	type pair struct{ i, vi, j, vj int } // i < j
	left := map[pair]bool{}
	var order []pair
	for i := range counts {
		for j := i + 1; j < len(counts); j++ {
			for vi := range counts[i] {
				for vj := range counts[j] {
					p := pair{i, vi, j, vj}
					left[p] = true
					order = append(order, p)
				}
			}
		}
	}
	random.Shuffle(len(order), func(a, b int) { order[a], order[b] = order[b], order[a] })
	var cells []*matrixCell
	for _, first := range order {
		if !left[first] {
			continue
		}
		chosen := slices.Repeat([]int{-1}, len(counts))
		chosen[first.i], chosen[first.j] = first.vi, first.vj
		news := func(dim, value int) (n int) {
			for other, v := range chosen {
				if v >= 0 && other != dim && (left[pair{dim, value, other, v}] || left[pair{other, v, dim, value}]) {
					n++
				}
			}
			return n
		}
		for _, dim := range random.Perm(len(counts)) {
			if chosen[dim] >= 0 {
				continue
			}
			best := -1
			for _, value := range random.Perm(counts[dim]) {
				if best < 0 || news(dim, value) > news(dim, best) {
					best = value
				}
			}
			chosen[dim] = best
		}
		cell := &matrixCell{habit: &habits[chosen[0]]}
		for i, v := range chosen {
			for j := i + 1; j < len(chosen); j++ {
				delete(left, pair{i, v, j, chosen[j]})
			}
			if i > 0 {
				cell.values = append(cell.values, matrixDims[i-1].values[v])
			}
		}
		cells = append(cells, cell)
	}
	return cells
}
