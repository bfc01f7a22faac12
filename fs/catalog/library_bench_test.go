package catalog

import (
	"regexp"
	"testing"
	"time"
)

// BenchmarkStart100000 measures what a library of 100 000 videos costs at the start of a mount.
func BenchmarkStart100000(b *testing.B) {
	const n = 100_000
	notes := &notebook{}
	options := Options{
		Pattern: regexp.MustCompile(`^(?:re_[0-9]+)$`), ListWait: time.Second, Names: blank{},
		Facts:  func(string, func()) Facts { return nil },
		Scopes: []string{"s"}, Lister: newShelf("s"), Notes: notes,
	}
	c := New(options)
	videos := make([]Video, n)
	for i := range videos {
		videos[i] = clip(606404158946574336 + i)
	}
	c.libs[0].found(videos, map[*Asset]bool{})
	c.Close()
	b.ReportAllocs()
	for b.Loop() {
		c := New(options)
		if len(c.Entries()) != n {
			b.Fatal("some are missing")
		}
		c.Close()
	}
}

// blank has no names.
type blank struct{}

func (blank) Names() map[string]string   { return nil }
func (blank) SetNames(map[string]string) {}
