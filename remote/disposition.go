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
)

// maxDisposition bounds what is read of one Content-Disposition field, in bytes. It is
// the limit that the client sets for all header fields of a response together.
const maxDisposition = 64 << 10

// FileName returns the file name that the Content-Disposition header fields give, decoded
// but not sanitised, or "" when they give none. The strings hold the raw bytes of the
// fields, as net/http leaves them; the result is valid UTF-8.
//
// It reads RFC 6266 as leniently as browsers do: what can't be understood is skipped, and
// the first parameter that gives a name wins, in the order filename* (RFC 8187), filename,
// filename*0 and its continuations (RFC 2231). The disposition type doesn't matter. More
// than 64 KiB of one field are not read.
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

// A param is one parameter of a header field: its name in lower case and its value in raw
// bytes, without quotes and escapes.
type param struct{ name, value string }

// scanParams splits a header field at its semicolons into parameters. The disposition type
// and all else that has no equals sign is left out. It takes time linear in len(s): only a
// quote at the start of a name or value is looked at, so each is matched once.
func scanParams(s string) []param {
	var params []param
	for s != "" {
		if _, rest, ok := cutQuoted(trimLeft(s)); ok {
			// A quoted string where a name should be: its semicolons separate nothing.
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

// scanValue reads the value at the start of s and what follows the semicolon after it. A
// value without quotes reaches to the semicolon, spaces included; so does one whose closing
// quote is missing.
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

// cutQuoted cuts a quoted string off the start of s and undoes its escapes. It reports
// false when s starts with none or the closing quote is missing.
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
// that follows it. One at the end stands for itself.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
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

// decodeExtended decodes charset'language'percent-encoded (RFC 8187). It reports false when
// that is broken in any way: then a plain filename beside it is the better source.
func decodeExtended(value string) (string, bool) {
	charset, rest, ok := strings.Cut(value, "'")
	if !ok {
		return "", false
	}
	_, encoded, ok := strings.Cut(rest, "'")
	if !ok {
		return "", false
	}
	raw, err := url.PathUnescape(encoded)
	if err != nil {
		return "", false
	}
	return decodeCharset(charset, raw)
}

// decodeCharset converts raw from the charset of that label. Labels mean what browsers take
// them for (WHATWG Encoding): iso-8859-1 is windows-1252. It reports false for an unknown
// charset and for bytes that are not of it.
func decodeCharset(charset, raw string) (string, bool) {
	enc, err := htmlindex.Get(charset)
	if err != nil {
		return "", false
	}
	if name, err := htmlindex.Name(enc); err == nil && name == "utf-8" {
		return raw, utf8.ValidString(raw) // its decoder would drop a byte order mark and replace what is invalid
	}
	text, err := enc.NewDecoder().String(raw)
	return text, err == nil && !strings.ContainsRune(text, utf8.RuneError)
}

// decodePlain decodes the value of a filename parameter. RFC 6266 knows no encoding here,
// servers use four: raw UTF-8, raw Latin-1, the encoded words of mail (RFC 2047) and percent
// encoding. A value that is none of them is the name as it stands.
func decodePlain(value string) string {
	if !isASCII(value) {
		return decodeRaw(value)
	}
	if strings.Contains(value, "=?") {
		if name := decodeWords(value); name != value {
			return name
		}
	}
	if name, ok := decodePercent(value); ok {
		return name
	}
	return value
}

// encodedWord is a word of RFC 2047: charset, encoding, text.
var encodedWord = regexp.MustCompile(`=\?[^?\s]+\?[BbQq]\?[^?]*\?=`)

// decodeWords decodes the encoded words in value. One whose charset is unknown, or
// whose bytes are not of it, stays as it is, as in browsers; the blanks between two
// that could be decoded belong to the encoding.
func decodeWords(value string) string {
	words := mime.WordDecoder{CharsetReader: wordReader}
	var b strings.Builder
	end, joins := 0, false // behind the last word; whether that could be decoded
	for _, at := range encodedWord.FindAllStringIndex(value, -1) {
		between, word := value[end:at[0]], value[at[0]:at[1]]
		text, err := words.Decode(word)
		decoded := err == nil && utf8.ValidString(text) && !strings.ContainsRune(text, utf8.RuneError)
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

// wordReader is the CharsetReader of a mime.WordDecoder. Mail knows more names
// than the web has: those of IANA ("cp936"), and a language behind the charset
// (RFC 2231, 5).
func wordReader(charset string, input io.Reader) (io.Reader, error) {
	charset, _, _ = strings.Cut(charset, "*")
	enc, err := htmlindex.Get(charset)
	if err != nil {
		enc, err = ianaindex.IANA.Encoding(charset)
	}
	if err != nil || enc == nil {
		return nil, fmt.Errorf("charset %q is not known", charset)
	}
	return enc.NewDecoder().Reader(input), nil
}

// decodePercent decodes a value that an encoder has written, and reports false for one that
// merely contains percent signs. An encoder leaves no space, escapes no letter or digit of
// ASCII, and starts from UTF-8; so "100%25.txt" is decoded, "foo-%41.html", "50%.html" and
// "50%20 off.txt" are not.
func decodePercent(value string) (string, bool) {
	if !strings.Contains(value, "%") || strings.ContainsAny(value, " \t\"") {
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

// decodeRaw makes text of bytes whose charset is not named: UTF-8 when they are valid as
// such, otherwise windows-1252, which is Latin-1 with letters in place of control characters.
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

// joinContinuations returns the name that filename*0, filename*1, ... give together, up to
// the first that is missing. Each may be encoded (filename*0*); the charset is the first
// one's.
func joinContinuations(params []param) string {
	first := make(map[string]string)
	for _, p := range params {
		if _, dup := first[p.name]; !dup && strings.HasPrefix(p.name, "filename*") {
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
