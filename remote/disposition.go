package remote

import (
	"fmt"
	"io"
	"mime"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/ianaindex"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// maxDisposition bounds how much of one Content-Disposition field is read, in bytes. The
// client has the same limit for all header fields of a response together.
const maxDisposition = 64 << 10

// FileName returns the file name in Content-Disposition header fields, decoded but not
// sanitised, or "" if there is none. The strings hold the raw bytes of the fields, as
// net/http returns them; the result is valid UTF-8.
//
// It reads RFC 6266 as leniently as browsers do. What it can't understand it skips. The
// first parameter with a name wins, in the order filename* (RFC 8187), filename, and
// filename*0 with its continuations (RFC 2231). The disposition type doesn't matter. At
// most 64 KiB of each field are read.
func FileName(dispositions []string) string {
	var params []param
	for _, d := range dispositions {
		params = append(params, scanParams(d[:min(len(d), maxDisposition)])...)
	}
	for _, p := range params {
		if p.name != "filename*" {
			continue
		}
		if name, ok := decodeExtended(p.value); ok && name != "" {
			return name
		}
	}
	for _, p := range params {
		if p.name == "filename" && p.value != "" {
			return decodePlain(p.value)
		}
	}
	return joinContinuations(params)
}

// A param is one parameter of a header field: its name in lower case, and the raw bytes of
// its value without quotes and escapes.
type param struct{ name, value string }

// scanParams splits a header field into parameters at its semicolons. It leaves out the
// disposition type and everything else without an equals sign. It takes time linear in
// len(s): quotes matter only at the start of a name or value, so each is matched once.
func scanParams(s string) []param {
	var params []param
	for s != "" {
		if _, rest, ok := cutQuoted(trimLeft(s)); ok {
			// A quoted string instead of a name: semicolons inside it separate nothing.
			_, s, _ = strings.Cut(rest, ";")
			continue
		}
		i := strings.IndexAny(s, "=;")
		if i < 0 {
			break
		}
		name, sep := strings.ToLower(trimSpace(s[:i])), s[i]
		s = s[i+1:]
		if sep == ';' {
			continue
		}
		var value string
		value, s = scanValue(s)
		params = append(params, param{name, value})
	}
	return params
}

// scanValue returns the value at the start of s, and what follows its semicolon. A value
// without quotes, or without a closing quote, extends to the semicolon, spaces included.
func scanValue(s string) (value, rest string) {
	if v, after, ok := cutQuoted(trimLeft(s)); ok {
		_, rest, _ = strings.Cut(after, ";")
		return v, rest
	}
	value, rest, _ = strings.Cut(s, ";")
	value = trimSpace(value)
	if broken, ok := strings.CutPrefix(value, `"`); ok {
		value = unescape(broken)
	}
	return value, rest
}

// cutQuoted cuts a quoted string off the start of s and undoes its escapes. It returns
// false if s starts with none or the closing quote is missing.
func cutQuoted(s string) (value, rest string, ok bool) {
	if s == "" || s[0] != '"' {
		return "", s, false
	}
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return unescape(s[1:i]), s[i+1:], true
		}
	}
	return "", s, false
}

// unescape undoes the quoted pairs of a quoted string: a backslash stands for the byte
// after it. A backslash at the end stands for itself.
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// headerSpace is what counts as white space in a header field.
const headerSpace = " \t\r\n"

func trimSpace(s string) string { return strings.Trim(s, headerSpace) }
func trimLeft(s string) string  { return strings.TrimLeft(s, headerSpace) }

// decodeExtended decodes charset'language'percent-encoded (RFC 8187). It returns "" or false if
// the value is broken in any way: a plain filename is then the better source.
func decodeExtended(value string) (string, bool) {
	charset, rest, _ := strings.Cut(value, "'")
	_, encoded, _ := strings.Cut(rest, "'")
	raw, _ := url.PathUnescape(encoded)
	return decodeCharset(charset, raw)
}

// decodeCharset decodes raw from a charset. Labels mean what they mean to browsers (WHATWG
// Encoding): iso-8859-1 is windows-1252, and a byte order mark decides. It returns false for an unknown charset and for
// bytes that are invalid in it.
func decodeCharset(charset, raw string) (string, bool) {
	enc, err := htmlindex.Get(charset)
	if err != nil {
		return "", false
	}
	if name, _ := htmlindex.Name(enc); name == "utf-8" {
		return raw, utf8.ValidString(raw) // the decoder would drop a byte order mark and replace invalid bytes
	}
	text, _, err := transform.String(unicode.BOMOverride(enc.NewDecoder()), raw)
	return text, err == nil && !strings.ContainsRune(text, utf8.RuneError)
}

// decodePlain decodes the value of a filename parameter. RFC 6266 defines no encoding for
// it, and servers use four: raw UTF-8, raw Latin-1, encoded words as in mail (RFC 2047),
// and percent encoding. A value in none of them is returned unchanged.
func decodePlain(value string) string {
	if !isASCII(value) {
		return decodeRaw(value)
	}
	if name := decodeWords(value); name != value {
		return name
	}
	if name, ok := decodePercent(value); ok {
		return name
	}
	return value
}

// encodedWord matches an encoded word of RFC 2047: charset, encoding, text.
var encodedWord = regexp.MustCompile(`=\?[^?\s]+\?[BbQq]\?[^?]*\?=`)

// decodeWords decodes the encoded words in value. As in browsers, a word with an unknown
// charset or invalid bytes stays as it is. Blanks between two decoded words are part of
// the encoding, and are removed.
func decodeWords(value string) string {
	words := mime.WordDecoder{CharsetReader: wordReader}
	var b strings.Builder
	end, joins := 0, false // end of the last word; whether it was decoded
	for _, at := range encodedWord.FindAllStringIndex(value, -1) {
		between, word := value[end:at[0]], value[at[0]:at[1]]
		text, err := words.Decode(word)
		decoded := err == nil && !strings.ContainsRune(text, utf8.RuneError)
		if !decoded {
			text = word
		}
		if !decoded || !joins || trimSpace(between) != "" {
			b.WriteString(between)
		}
		b.WriteString(text)
		end, joins = at[1], decoded
	}
	b.WriteString(value[end:])
	return b.String()
}

// wordReader is the CharsetReader of a mime.WordDecoder. Mail uses more labels than the
// web: those of IANA ("cp936"), and a language after the charset (RFC 2231, 5).
func wordReader(charset string, input io.Reader) (io.Reader, error) {
	charset, _, _ = strings.Cut(charset, "*")
	enc, _ := htmlindex.Get(charset)
	if enc == nil {
		enc, _ = ianaindex.IANA.Encoding(charset) // nil also if it knows no more than the label
	}
	if enc == nil {
		return nil, fmt.Errorf("unknown charset %q", charset)
	}
	return enc.NewDecoder().Reader(input), nil
}

// decodePercent decodes a percent-encoded value. It returns false for a value that merely
// contains percent signs. An encoder leaves no space, escapes no ASCII letter or digit, and
// starts from UTF-8. So "100%25.txt" is decoded; "foo-%41.html", "50%.html" and
// "50%20 off.txt" are not.
func decodePercent(value string) (string, bool) {
	if strings.ContainsAny(value, " \t\"") {
		return "", false
	}
	name, err := url.PathUnescape(value)
	if err != nil || !utf8.ValidString(name) {
		return "", false
	}
	for rest := value; ; {
		_, after, ok := strings.Cut(rest, "%")
		if !ok {
			return name, true
		}
		if c, _ := strconv.ParseUint(after[:2], 16, 8); isAlphanumeric(byte(c)) {
			return "", false
		}
		rest = after[2:]
	}
}

// decodeRaw decodes bytes whose charset is unknown: as UTF-8 if they are valid, otherwise
// as windows-1252, which is Latin-1 with letters instead of control characters.
func decodeRaw(raw string) string {
	if utf8.ValidString(raw) {
		return raw
	}
	var b strings.Builder
	for i := range len(raw) {
		b.WriteRune(charmap.Windows1252.DecodeByte(raw[i]))
	}
	return b.String()
}

// joinContinuations joins filename*0, filename*1, ... up to the first that is missing.
// Each part may be encoded (filename*0*); the charset of the first part applies to all.
func joinContinuations(params []param) string {
	first := make(map[string]string)
	for _, p := range params {
		if _, dup := first[p.name]; !dup {
			first[p.name] = p.value
		}
	}
	var raw strings.Builder
	charset := ""
	for i := 0; ; i++ {
		name := "filename*" + strconv.Itoa(i)
		if section, ok := first[name]; ok {
			raw.WriteString(section)
			continue
		}
		section, ok := first[name+"*"]
		if !ok {
			break
		}
		if i == 0 {
			parts := strings.SplitN(section, "'", 3)
			if len(parts) < 3 {
				return ""
			}
			charset, section = parts[0], parts[2]
		}
		decoded, err := url.PathUnescape(section)
		if err != nil {
			break
		}
		raw.WriteString(decoded)
	}
	if name, ok := decodeCharset(charset, raw.String()); ok {
		return name
	}
	return decodeRaw(raw.String())
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func isAlphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}
