package catalog

import "testing"

func FuzzSafeName(f *testing.F) {
	for _, seed := range []string{
		"video.mp4", "../../etc/passwd", `C:\a\b.txt`, "a\x00\n\u202eb", ".\u200b.", "a/..", "\xff\xfe",
		"u\u0308", "a\u0323\u0323\u0323\u0302", "\u1112\u1161\u11ab", "👨‍👩‍👧", "🇩🇪", "straße", "ᾳ\u0301", "\u0f71\u0f72",
	} {
		for _, count := range []uint16{1, 40, 300} {
			f.Add(seed, count)
		}
	}
	f.Fuzz(func(t *testing.T, part string, count uint16) {
		name := repeat(part, int(count))
		got := SafeName(name)
		checkSafe(t, name, got)
		if fold := FoldName(got); FoldName(fold) != fold {
			t.Errorf("FoldName(%+q) = %+q, but of that it is %+q", got, fold, FoldName(fold))
		}
	})
}

// repeat returns part count times, in at most 4 KiB: long names matter, and a fuzzer doesn't
// find them by itself.
func repeat(part string, count int) string {
	var b []byte
	for range count {
		if len(b)+len(part) > 4<<10 {
			break
		}
		b = append(b, part...)
	}
	return string(b)
}
