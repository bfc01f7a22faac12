package remote

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

const (
	// maxName is the longest directory entry, in bytes: NAME_MAX of Linux and macOS.
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
//   - has at most 255 bytes; a longer one loses the end of its stem and keeps its extension,
//     and is cut inside what a reader sees as one character only where that fills half of it.
//
// SafeName is idempotent.
func SafeName(name string) string {
	name = strings.ToValidUTF8(name, string(utf8.RuneError))
	name = strings.Map(safeRune, name)
	name = strings.TrimRight(name, `/\ `)
	name = name[strings.LastIndexAny(name, `/\`)+1:]
	name = trimName(norm.NFC.String(name))
	if len(name) <= maxName {
		return name
	}
	stem, ext := splitExtension(name)
	return trimName(cutText(stem, maxName-len(ext))) + ext
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

// isZeroWidth tells zero width spaces and joiners and the word joiner.
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
	// A Caser may hold state, so each call makes its own. Decomposing first makes the fold
	// of canonically equivalent names equal (Unicode Standard, D145).
	fold := cases.Fold().String(norm.NFD.String(name))
	return norm.NFC.String(strings.Map(foldCherokee, fold))
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
// its names. The ID must be a valid directory entry itself.
func FallbackName(id, contentType string) string {
	mediaType, _, _ := strings.Cut(contentType, ";")
	return id + extension(strings.ToLower(strings.TrimSpace(mediaType)))
}

// extension returns the preferred extension, with its dot, of a media type in lower case
// without parameters, or "" for one that isn't known.
//
// The table is our own: package mime asks the system's mime.types, which differs from one
// machine to the next and gives several extensions in alphabetical order (".jfif" for
// image/jpeg).
func extension(mediaType string) string {
	switch mediaType {
	case "video/mp4", "application/mp4":
		return ".mp4"
	case "video/x-m4v":
		return ".m4v"
	case "video/quicktime":
		return ".mov"
	case "video/webm":
		return ".webm"
	case "video/x-matroska", "video/matroska":
		return ".mkv"
	case "video/mpeg":
		return ".mpg"
	case "video/mp2t":
		return ".ts"
	case "video/x-msvideo", "video/avi":
		return ".avi"
	case "video/x-ms-wmv":
		return ".wmv"
	case "video/ogg":
		return ".ogv"
	case "video/3gpp":
		return ".3gp"

	case "audio/mpeg", "audio/mp3":
		return ".mp3"
	case "audio/mp4", "audio/x-m4a", "audio/m4a":
		return ".m4a"
	case "audio/aac":
		return ".aac"
	case "audio/wav", "audio/x-wav", "audio/wave", "audio/vnd.wave":
		return ".wav"
	case "audio/flac", "audio/x-flac":
		return ".flac"
	case "audio/ogg":
		return ".ogg"
	case "audio/opus":
		return ".opus"
	case "audio/webm":
		return ".weba"

	case "image/jpeg", "image/jpg", "image/pjpeg":
		return ".jpg"
	case "image/png":
		return ".png"
	case "image/gif":
		return ".gif"
	case "image/webp":
		return ".webp"
	case "image/avif":
		return ".avif"
	case "image/heic":
		return ".heic"
	case "image/heif":
		return ".heif"
	case "image/tiff":
		return ".tiff"
	case "image/bmp", "image/x-ms-bmp":
		return ".bmp"
	case "image/svg+xml":
		return ".svg"
	case "image/vnd.adobe.photoshop":
		return ".psd"

	case "text/plain":
		return ".txt"
	case "text/html":
		return ".html"
	case "text/css":
		return ".css"
	case "text/csv":
		return ".csv"
	case "text/markdown":
		return ".md"
	case "text/calendar":
		return ".ics"
	case "text/vtt":
		return ".vtt"
	case "application/x-subrip":
		return ".srt"
	case "text/javascript", "application/javascript":
		return ".js"
	case "application/json":
		return ".json"
	case "application/x-ndjson":
		return ".ndjson"
	case "application/xml", "text/xml":
		return ".xml"
	case "application/yaml":
		return ".yaml"

	case "application/pdf":
		return ".pdf"
	case "application/rtf", "text/rtf":
		return ".rtf"
	case "application/epub+zip":
		return ".epub"
	case "application/msword":
		return ".doc"
	case "application/vnd.ms-excel":
		return ".xls"
	case "application/vnd.ms-powerpoint":
		return ".ppt"
	case "application/vnd.openxmlformats-officedocument.wordprocessingml.document":
		return ".docx"
	case "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet":
		return ".xlsx"
	case "application/vnd.openxmlformats-officedocument.presentationml.presentation":
		return ".pptx"
	case "application/vnd.oasis.opendocument.text":
		return ".odt"
	case "application/vnd.oasis.opendocument.spreadsheet":
		return ".ods"

	case "application/zip", "application/x-zip-compressed":
		return ".zip"
	case "application/gzip", "application/x-gzip":
		return ".gz"
	case "application/x-tar":
		return ".tar"
	case "application/x-bzip2":
		return ".bz2"
	case "application/zstd":
		return ".zst"
	case "application/x-7z-compressed":
		return ".7z"

	case "application/vnd.apple.mpegurl", "application/x-mpegurl":
		return ".m3u8"
	}
	return ""
}
