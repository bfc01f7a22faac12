package remote

import (
	"testing"
	"unicode/utf8"
)

func FuzzFileName(f *testing.F) {
	for _, c := range readDispositions(f) {
		f.Add(c.field())
	}
	f.Fuzz(func(t *testing.T, field string) {
		name := FileName([]string{field})
		if !utf8.ValidString(name) {
			t.Errorf("FileName(%q) = %q, not valid UTF-8", field, name)
		}
		if again := FileName([]string{field, field}); again != name {
			t.Errorf("FileName(%q) = %q, but with the field twice %q", field, name, again)
		}
	})
}
