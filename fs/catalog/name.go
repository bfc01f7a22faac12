package catalog

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

const (
	// maxName is the longest name of a directory entry, in bytes: NAME_MAX of Linux and macOS.
	maxName = 255

	// maxExtension is the longest suffix, in bytes and with its dot, that is kept as an
	// extension when a name is cut. The longest in common use (".crdownload",
	// ".sqlite-journal", ".webmanifest") have 11 to 15; more is a sentence with a dot in it.
	maxExtension = 32
)

// SafeName makes name safe as a directory entry. It returns "" when nothing usable is left.
// Any other result
//
//   - is the last component of name as a path; "/" and "\" both separate, as in browsers,
//     and those at the end are ignored,
//   - is valid UTF-8 in Normalization Form C,
//   - holds no control character, line separator or noncharacter, nothing that sets the
//     direction of writing (it can make "exe.mp4" of "4pm.exe") and no byte order mark,
//   - has no dot or space at its start, so that it is never hidden, "." or "..", and none at
//     its end, which file managers, Windows shares and USB sticks lose,
//   - does not begin with "-", which programs would take for an option: "_" is put before it,
//   - has at most 255 bytes; a longer one loses the end of its stem and keeps its extension,
//     and is cut inside what a reader sees as one character only where that fills half of it.
//
// SafeName is idempotent.
func SafeName(name string) string {
	if plain(name) {
		return name
	}
	name = strings.ToValidUTF8(name, string(utf8.RuneError))
	name = strings.Map(safeRune, name)
	name = strings.TrimRight(name, `/\ `)
	name = name[strings.LastIndexAny(name, `/\`)+1:]
	name = trimName(norm.NFC.String(name))
	if strings.HasPrefix(name, "-") {
		name = "_" + name
	}
	if len(name) <= maxName {
		return name
	}
	stem, ext := splitExtension(name)
	return trimName(cutText(stem, maxName-len(ext))) + ext
}

// plain reports whether name, as most do, shows at a glance that it is safe.
func plain(name string) bool {
	n := len(name)
	if n == 0 || n > maxName || name[0] == '-' || name[0] == '.' || name[0] == ' ' || name[n-1] == '.' || name[n-1] == ' ' {
		return false
	}
	for i := range n {
		if c := name[i]; c < ' ' || c > '~' || c == '/' || c == '\\' {
			return false
		}
	}
	return true
}

// safeRune returns what stands for r in a safe name: r itself, a space for anything that
// separates lines or columns, or -1 for nothing at all.
func safeRune(r rune) rune {
	switch {
	case unicode.IsControl(r) && unicode.IsSpace(r), unicode.In(r, unicode.Zl, unicode.Zp):
		return ' '
	case unicode.IsControl(r), unicode.In(r, unicode.Bidi_Control, unicode.Noncharacter_Code_Point):
		return -1
	case r == '\ufeff': // byte order mark
		return -1
	}
	return r
}

// trimName cuts dots and spaces off both ends. At the start it also cuts characters without
// width, which would hide a dot or be the whole name; at the end some belong to an emoji.
func trimName(name string) string {
	blank := func(r rune) bool { return r == '.' || unicode.IsSpace(r) }
	name = strings.TrimLeftFunc(name, func(r rune) bool { return blank(r) || isZeroWidth(r) })
	return strings.TrimRightFunc(name, blank)
}

// isZeroWidth reports zero width spaces and joiners and the word joiner.
func isZeroWidth(r rune) bool { return '\u200b' <= r && r <= '\u200d' || r == '\u2060' }

// splitExtension splits name before its last dot when what follows looks like an extension:
// it is short and holds no space.
func splitExtension(name string) (stem, ext string) {
	i := strings.LastIndexByte(name, '.')
	if i <= 0 || len(name)-i > maxExtension || strings.ContainsFunc(name[i:], unicode.IsSpace) {
		return name, ""
	}
	return name[:i], name[i:]
}

// cutText returns the start of s, which is longer, in at most limit bytes, without cutting
// apart what a reader sees as one character: a letter and its accents, an emoji of several. A
// "character" that fills more than half of limit (stacked accents can be endless) is cut
// between runes.
func cutText(s string, limit int) string {
	end := limit
	for !utf8.RuneStart(s[end]) {
		end--
	}
	for i := end; i > limit/2; {
		prev, size := utf8.DecodeLastRuneInString(s[:i])
		next, _ := utf8.DecodeRuneInString(s[i:])
		if !joined(prev, next) {
			return s[:i]
		}
		i -= size
	}
	return s[:end]
}

// joined reports whether a character of several runes may go on from prev to next. It errs
// on the side of true, for pairs of regional indicators (flags) and Hangul that NFC left in
// jamo. See Unicode Standard Annex #29, grapheme clusters.
func joined(prev, next rune) bool {
	const joiner = '\u200d'
	switch {
	case prev == joiner, next == joiner:
		return true
	case unicode.Is(unicode.M, next): // accents, vowel signs, variation selectors
		return true
	case next >= 0x1f3fb && next <= 0x1f3ff: // skin tones
		return true
	case next >= 0xe0020 && next <= 0xe007f: // tags: flags of regions
		return true
	case next >= 0x1160 && next <= 0x11ff: // Hangul vowels and finals
		return true
	}
	return unicode.Is(unicode.Regional_Indicator, prev) && unicode.Is(unicode.Regional_Indicator, next)
}

// FoldName returns the form of name by which clashes are found: two names clash when their
// folds are equal. Case and normal form don't count in it, because on the volumes that macOS
// formats by default "Clip.MOV" and "clip.mov" are one file, as are both spellings of "ä":
// a copy of the directory to such a volume would lose one of them, and one listing serves
// Linux and macOS.
func FoldName(name string) string {
	if lower, ascii := lowerASCII(name); ascii {
		return lower
	}
	// A Caser may hold state, so each call makes its own. Decomposing first makes the fold
	// of canonically equivalent names equal (Unicode Standard, D145).
	fold := cases.Fold().String(norm.NFD.String(name))
	return norm.NFC.String(strings.Map(foldCherokee, fold))
}

// lowerASCII is the fold of a name of ASCII alone, as most are.
func lowerASCII(name string) (lower string, ascii bool) {
	for i := range len(name) {
		if name[i] >= utf8.RuneSelf {
			return "", false
		}
	}
	return strings.ToLower(name), true
}

// foldCherokee mends the fold of Cherokee letters, which package cases swaps instead of
// folding: small ones become capitals, as Unicode has it, but capitals become small.
func foldCherokee(r rune) rune {
	if unicode.Is(unicode.Cherokee, r) {
		return unicode.ToUpper(r)
	}
	return r
}

// FallbackName names an asset whose response gives no usable name: its ID and an extension
// that fits the media type of the Content-Type field, parameters ignored. A type that says
// nothing about the file (application/octet-stream) or isn't known gives no extension. The
// result depends on nothing but the arguments, so that a spool moved to another machine keeps
// its names. The ID must be a valid directory entry itself; an extension for which it leaves
// no room is omitted.
func FallbackName(id, contentType string) string {
	mediaType, _, _ := strings.Cut(contentType, ";")
	name := id + extensions[strings.ToLower(strings.TrimSpace(mediaType))]
	if len(name) > maxName {
		return id
	}
	return name
}

// distinctName is the name of an asset whose own is taken: "stem (ID).ext". What doesn't fit
// is cut off the stem, never off the ID; where the ID leaves no room for more, it is the name.
func distinctName(name, id string) string {
	stem, ext := splitExtension(name)
	tail := " (" + id + ")" + ext
	room := maxName - len(tail)
	if room < 1 {
		return id
	}
	if len(stem) > room {
		stem = cutText(stem, room)
	}
	return strings.TrimSpace(stem) + tail
}
