package mountopt

import "testing"

// A size means what its unit says, and is written exactly.
func TestSize(t *testing.T) {
	for _, tt := range []struct {
		text string
		want Size
		back string
	}{
		{"20M", 20e6, "20MB"},
		{"20MB", 20e6, "20MB"},
		{"20MiB", 20 << 20, "20MiB"},
		{"20Mi", 20 << 20, "20MiB"},
		{"1.5GiB", 3 << 29, "1.5GiB"},
		{"10G", 10e9, "10GB"},
		{"1TiB", 1 << 40, "1TiB"},
		{"4096", 4096, "4KiB"},
		{"1000", 1000, "1000"},
		{"12345678", 12345678, "12345678"},
		{"999", 999, "999"},
		{"1", 1, "1"},
		{"0", 0, "0"},
		{"4611686018427387904", 1 << 62, "4EiB"},
	} {
		var s Size
		if err := s.Set(tt.text); err != nil || s != tt.want || s.String() != tt.back {
			t.Errorf("%s is %d, written %s, %v; want %d, %s", tt.text, s, s.String(), err, tt.want, tt.back)
		}
	}
	for _, text := range []string{"", "-1", "20X", "9EiB", "1e3", "MiB", "0x10", "NaN", "inf", "1..5M", "1,5M", "1,000"} {
		var s Size
		if err := s.Set(text); err == nil {
			t.Errorf("%q is taken for %d", text, s)
		}
	}
}

// FuzzSize reads what it has written: a size that a file system may have.
func FuzzSize(f *testing.F) {
	for _, s := range []string{"64MiB", "10G", "4096", "0", "1.5GiB", "4EiB", "-1", "1e3", "9223372036854775807", "1,000", " 1 K", "0.1B"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var s, again Size
		if s.Set(text) != nil {
			return
		}
		if err := again.Set(s.String()); s < 0 || s > 1<<62 || err != nil || again != s {
			t.Errorf("%q is %d, written %s, which is %d, %v", text, int64(s), s.String(), int64(again), err)
		}
	})
}

// Another text is not put in the place of the first one.
func TestOnce(t *testing.T) {
	var o Once
	for _, step := range []struct {
		text string
		ok   bool
	}{{"a", true}, {"a", true}, {"b", false}} {
		if err := o.Set(step.text); (err == nil) != step.ok || o != "a" {
			t.Errorf("after %q it is %q, %v", step.text, o, err)
		}
	}
}
