package cli

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf16"
)

// isPrint reports whether a terminal shows r and does nothing else with it.
func isPrint(r rune) bool { return unicode.IsPrint(r) }

// printable escapes control characters, and those that change the direction of text, so that a
// terminal only shows s.
func printable(s string) string {
	var b strings.Builder
	for _, r := range s {
		if r == '\uFFFD' || !isPrint(r) {
			fmt.Fprintf(&b, "\\u%04x", r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// plainJSON passes JSON on so that a terminal only shows it: what is not printable stands
// in strings alone, and is escaped there. Each Write has whole runes.
type plainJSON struct{ w io.Writer }

func (p plainJSON) Write(text []byte) (int, error) {
	if !bytes.ContainsFunc(text, func(r rune) bool { return r != '\n' && !isPrint(r) }) {
		return p.w.Write(text)
	}
	var b bytes.Buffer
	for _, r := range string(text) {
		switch high, low := utf16.EncodeRune(r); {
		case r == '\n' || isPrint(r):
			b.WriteRune(r)
		case r > 0xffff:
			fmt.Fprintf(&b, "\\u%04x\\u%04x", high, low)
		default:
			fmt.Fprintf(&b, "\\u%04x", r)
		}
	}
	_, err := p.w.Write(b.Bytes())
	return len(text), err
}
