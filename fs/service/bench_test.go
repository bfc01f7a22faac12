package service

import (
	"fmt"
	"testing"
)

// BenchmarkStatus is what a status of 100 000 listed assets takes of a mount.
func BenchmarkStatus(b *testing.B) {
	v := open(b, Options{})
	ids := make([]string, 100_000)
	for i := range ids {
		ids[i] = fmt.Sprintf("re_%d", 657739295220000000+i)
	}
	v.SetList(ids)
	b.ReportAllocs()
	for b.Loop() {
		v.Status(Active)
	}
}
