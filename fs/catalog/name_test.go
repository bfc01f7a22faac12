package catalog

import (
	"mime"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// checkSafe asserts what SafeName promises of a result, got, of the input name.
func checkSafe(tb testing.TB, name, got string) {
	tb.Helper()
	if again := SafeName(got); again != got {
		tb.Errorf("SafeName(%q) = %q, but of that it is %q", name, got, again)
	}
	if !utf8.ValidString(got) {
		tb.Errorf("SafeName(%q) = %q, not valid UTF-8", name, got)
	}
	if !norm.NFC.IsNormalString(got) {
		tb.Errorf("SafeName(%q) = %q (%+[2]q), not in NFC", name, got)
	}
	if len(got) > 255 {
		tb.Errorf("SafeName(%q) has %d bytes, want at most 255", name, len(got))
	}
	if strings.HasPrefix(got, ".") {
		tb.Errorf("SafeName(%q) = %q, hidden", name, got)
	}
	if strings.HasPrefix(got, "-") {
		tb.Errorf("SafeName(%q) = %q, an option", name, got)
	}
	if strings.TrimSpace(got) != got {
		tb.Errorf("SafeName(%q) = %q, with space around it", name, got)
	}
	for _, r := range got {
		if r == '/' || r == '\\' || unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
			tb.Errorf("SafeName(%q) = %q, with %U in it", name, got, r)
		}
	}
}

func TestSafeName(t *testing.T) {
	const family = "👨‍👩‍👧" // 18 bytes: three people, two joiners
	for _, tc := range []struct{ name, in, want string }{
		{"as it is", "video.mp4", "video.mp4"},
		{"inner spaces and signs", `a  "b" <c>: d?.mp4`, `a  "b" <c>: d?.mp4`},
		{"taken by the tree, not unsafe", "by-id", "by-id"},
		{"an ID", "re_657739295220518912", "re_657739295220518912"},

		{"empty", "", ""},
		{"dot", ".", ""},
		{"two dots", "..", ""},
		{"only dots", ".....", ""},
		{"only spaces", "   ", ""},
		{"dots and spaces", " . .. ", ""},
		{"only control characters", "\x00\x1b\x7f", ""},
		{"only direction", "\u202e\u2066", ""},
		{"only zero width", "\u200b\u200d\u2060", ""},
		{"only separators", `//\\/`, ""},

		{"path up", "../../etc/passwd", "passwd"},
		{"absolute path", "/etc/passwd", "passwd"},
		{"Windows path", `C:\Users\a\film.mp4`, "film.mp4"},
		{"mixed path", `a/b\c.mp4`, "c.mp4"},
		{"separator at the end", "films/", "films"},
		{"separators and spaces at the end", "films/ /", "films"},
		{"path that ends above", "a/..", ""},
		{"separator behind NUL", "a/\x00b", "b"},
		{"dots behind NUL", "\x00.\x00.\x00", ""},

		{"NUL", "a\x00b.mp4", "ab.mp4"},
		{"line feed", "a\nb.mp4", "a b.mp4"},
		{"CR LF at the end", "a.mp4\r\n", "a.mp4"},
		{"tab", "a\tb.mp4", "a b.mp4"},
		{"line separator", "a\u2028b\u2029c.mp4", "a b c.mp4"},
		{"escape sequence", "\x1b[31ma\x1b[0m.mp4", "[31ma[0m.mp4"},
		{"C1 control", "a\u009b31mb", "a31mb"},
		{"next line", "a\u0085b", "a b"},
		{"delete", "a\x7fb", "ab"},

		{"right-to-left override", "a\u202e4pm.exe", "a4pm.exe"},
		{"isolates and marks", "\u2066a\u2069\u200eb\u200f\u061cc", "abc"},
		{"Hebrew", "סרט.mp4", "סרט.mp4"},
		{"byte order mark", "\ufeffa.mp4", "a.mp4"},
		{"noncharacter", "a\ufffeb\U0001ffff", "ab"},

		{"invalid UTF-8", "a\xffb.mp4", "a\ufffdb.mp4"},
		{"surrogate in UTF-8", "a\xed\xa0\x80b", "a\ufffdb"},
		{"overlong slash", "a\xc0\xafb", "a\ufffdb"},

		{"leading dash", "-rf", "_-rf"},
		{"only dashes", "--", "_--"},
		{"dash behind a dot", ".-x", "_-x"},
		{"leading dash of 255 bytes", "-" + strings.Repeat("a", 250) + ".mp4", "_-" + strings.Repeat("a", 249) + ".mp4"},
		{"leading dot", ".bashrc", "bashrc"},
		{"dots before", "...a.mp4", "a.mp4"},
		{"dot behind a zero width space", "\u200b.a", "a"},
		{"dot behind a space", " .a", "a"},
		{"trailing dots", "a.mp4...", "a.mp4"},
		{"trailing spaces", "a.mp4  ", "a.mp4"},
		{"trailing dots and spaces", "a. . ", "a"},
		{"no-break space around", "\u00a0a\u00a0", "a"},
		{"ideographic space inside", "岡\u3000岡.txt", "岡\u3000岡.txt"},
		{"two dots inside", "a..b", "a..b"},

		{"decomposed", "u\u0308ber.mp4", "über.mp4"},
		{"Hangul jamo", "\u1112\u1161\u11ab", "한"},
		{"Kelvin sign", "300\u212a", "300K"},
		{"ligature, only compatible", "ﬁlm", "ﬁlm"},
		{"emoji of several", family + ".mp4", family + ".mp4"},
		{"flag of tags", "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f", "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"},
		{"Persian with a non-joiner", "می\u200cخواهم.mp4", "می\u200cخواهم.mp4"},

		{"255 bytes", strings.Repeat("a", 251) + ".mp4", strings.Repeat("a", 251) + ".mp4"},
		{"256 bytes", strings.Repeat("a", 252) + ".mp4", strings.Repeat("a", 251) + ".mp4"},
		{"4 KiB", strings.Repeat("a", 4096), strings.Repeat("a", 255)},
		{"4 KiB with an extension", strings.Repeat("a", 4096) + ".mp4", strings.Repeat("a", 251) + ".mp4"},
		{"extension of 4 KiB", "a." + strings.Repeat("b", 4096), "a." + strings.Repeat("b", 253)},
		{"longest extension", strings.Repeat("a", 300) + "." + strings.Repeat("b", 31), strings.Repeat("a", 223) + "." + strings.Repeat("b", 31)},
		{"too long for an extension", strings.Repeat("a", 300) + "." + strings.Repeat("b", 32), strings.Repeat("a", 255)},
		{"sentence", strings.Repeat("a", 300) + ". And so on", strings.Repeat("a", 255)},
		{"cut at a space", strings.Repeat("a", 250) + " bbbb.mp4", strings.Repeat("a", 250) + ".mp4"},
		{"cut at dots", strings.Repeat("a", 253) + "..bbb ccc", strings.Repeat("a", 253)},
		{"two-byte letters", strings.Repeat("ä", 200), strings.Repeat("ä", 127)},
		{"two-byte letters with an extension", strings.Repeat("ä", 200) + ".mp4", strings.Repeat("ä", 125) + ".mp4"},
		{"no letter loses its accent", strings.Repeat("a", 253) + "x\u0323\u0302", strings.Repeat("a", 253)},
		{"no accent is left of a letter", strings.Repeat("a", 250) + "x\u0323\u0302.b", strings.Repeat("a", 250) + ".b"},
		{"no emoji is cut", strings.Repeat(family, 20) + ".mp4", strings.Repeat(family, 13) + ".mp4"},
		{"no skin tone is lost", strings.Repeat("a", 250) + "👍🏽", strings.Repeat("a", 250)},
		{"no flag is cut", strings.Repeat("a", 250) + "🇩🇪", strings.Repeat("a", 250)},
		{"no tag flag is cut", strings.Repeat("a", 240) + "🏴\U000e0067\U000e0062\U000e007f", strings.Repeat("a", 240)},
		{"old Hangul", strings.Repeat("a", 250) + "\u1140\u1161", strings.Repeat("a", 250)},
		{"endless regional indicators", strings.Repeat("🇩", 100), strings.Repeat("🇩", 63)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := SafeName(tc.in)
			if got != tc.want {
				t.Errorf("SafeName(%+q) = %+q, want %+q", tc.in, got, tc.want)
			}
			checkSafe(t, tc.in, got)
		})
	}
}

// TestSafeNameStackedAccents covers a "character" longer than a name may be: normalisation
// puts a grapheme joiner behind each 30 accents, so the result is counted, not spelt out.
func TestSafeNameStackedAccents(t *testing.T) {
	got := SafeName("a" + strings.Repeat("\u0323", 2000) + ".mp4")
	checkSafe(t, "stacked accents", got)
	if !strings.HasPrefix(got, "\u1ea1\u0323") || !strings.HasSuffix(got, "\u0323.mp4") || len(got) < 250 {
		t.Errorf("SafeName of 2000 stacked accents = %+q, want as many as fit and .mp4", got)
	}
}

func TestFoldName(t *testing.T) {
	for _, tc := range []struct {
		a, b  string
		clash bool
	}{
		{"clip.mov", "clip.mov", true},
		{"clip.mov", "Clip.MOV", true},
		{"ärger.txt", "ÄRGER.txt", true},
		{"\u00e4.txt", "A\u0308.txt", true},
		{"straße", "STRASSE", true},
		{"ΣΊΣΥΦΟΣ", "σίσυφος", true},
		{"ᾳ\u0301", "ᾴ", true},
		{"by-id", "BY-ID", true},
		{"ﬁlm", "film", true},

		{"clip.mov", "clip.mp4", false},
		{"a", "ä", false},
		{"I", "ı", false},
		{"a b", "ab", false},
		{"1", "١", false},
	} {
		a, b := FoldName(tc.a), FoldName(tc.b)
		if got := a == b; got != tc.clash {
			t.Errorf("FoldName(%q) = %q, FoldName(%q) = %q: clash is %t, want %t", tc.a, a, tc.b, b, got, tc.clash)
		}
		if again := FoldName(a); again != a {
			t.Errorf("FoldName(%q) = %q, but of that it is %q", tc.a, a, again)
		}
	}
}

// TestFoldNameEveryLetter asserts that all case variants of a character have one fold, and
// that it is its own. Package cases swaps the cases of Cherokee, which fuzzing found.
func TestFoldNameEveryLetter(t *testing.T) {
	variants := 0
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if !utf8.ValidRune(r) {
			continue
		}
		fold := FoldName(string(r))
		if again := FoldName(fold); again != fold {
			t.Errorf("FoldName(%+q) = %+q, but of that it is %+q", r, fold, again)
		}
		for v := unicode.SimpleFold(r); v != r; v = unicode.SimpleFold(v) {
			variants++
			if got := FoldName(string(v)); got != fold {
				t.Errorf("FoldName(%+q) = %+q, want that of %+q, %+q", v, got, r, fold)
			}
		}
	}
	if variants < 2*1300 { // Unicode 8 had that many pairs; it never takes one back
		t.Errorf("only %d case variants compared", variants)
	}
}

func TestFallbackName(t *testing.T) {
	for _, tc := range []struct{ contentType, want string }{
		{"video/mp4", "re_1.mp4"},
		{"image/jpeg", "re_1.jpg"},
		{"text/plain", "re_1.txt"},
		{"text/plain; charset=utf-8", "re_1.txt"},
		{" Video/MP4 ;", "re_1.mp4"},
		{"video/quicktime", "re_1.mov"},
		{"video/webm", "re_1.webm"},
		{"video/x-matroska", "re_1.mkv"},
		{"audio/mpeg", "re_1.mp3"},
		{"audio/x-m4a", "re_1.m4a"},
		{"image/png", "re_1.png"},
		{"image/svg+xml", "re_1.svg"},
		{"text/html", "re_1.html"},
		{"application/json", "re_1.json"},
		{"application/pdf", "re_1.pdf"},
		{"application/zip", "re_1.zip"},
		{"application/vnd.openxmlformats-officedocument.wordprocessingml.document", "re_1.docx"},
		{"application/octet-stream", "re_1"},
		{"binary/octet-stream", "re_1"},
		{"application/x-made-up", "re_1"},
		{"../../x/y", "re_1"},
		{"video", "re_1"},
		{"", "re_1"},
	} {
		got := FallbackName("re_1", tc.contentType)
		if got != tc.want {
			t.Errorf("FallbackName(%q, %q) = %q, want %q", "re_1", tc.contentType, got, tc.want)
		}
		checkSafe(t, got, got)
	}
}

// TestLongIDs uses IDs that leave no room for more.
func TestLongIDs(t *testing.T) {
	for _, n := range []int{240, 247, 248, 251, 252, 255} {
		id := strings.Repeat("x", n)
		fallback, distinct := FallbackName(id, "video/mp4"), distinctName("a film.mp4", id)
		if len(fallback) > 255 || !strings.HasPrefix(fallback, id) || len(distinct) > 255 || !strings.Contains(distinct, id) {
			t.Errorf("ID of %d bytes: %q of %d bytes, %q of %d", n, fallback, len(fallback), distinct, len(distinct))
		}
	}
}

func TestExtensions(t *testing.T) {
	for mediaType, ext := range extensions {
		if got := FallbackName("re_1", mediaType); got != "re_1"+ext || mediaType != strings.ToLower(mediaType) {
			t.Errorf("%s gives %s", mediaType, got)
		}
		if stem, got := splitExtension("a" + ext); stem != "a" || got != ext {
			t.Errorf("%s is taken for %q and %q", ext, stem, got)
		}
	}
}

// TestFallbackNameIgnoresSystem asserts that the machine's media types change nothing.
func TestFallbackNameIgnoresSystem(t *testing.T) {
	if err := mime.AddExtensionType(".assetfstest", "application/x-assetfs-test"); err != nil {
		t.Fatal(err)
	}
	if got, want := FallbackName("re_1", "application/x-assetfs-test"), "re_1"; got != want {
		t.Errorf("FallbackName of a type only the system knows = %q, want %q", got, want)
	}
}
