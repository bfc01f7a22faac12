package mountopt

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/spf13/pflag"
)

// Size is a number of bytes on the command line: 64MiB, 10G, 4096.
type Size int64

var _ pflag.Value = (*Size)(nil)

// Set reads a size.
func (s *Size) Set(text string) error {
	n, err := humanize.ParseBytes(text)
	if err != nil || n > 1<<62 || strings.Contains(text, ",") { // 1,5G would be 15G
		return errors.New("write a size like 64MiB, 10G or 4096")
	}
	*s = Size(n)
	return nil
}

// String writes the size exactly, in the units that the user probably used.
func (s *Size) String() string {
	n := uint64(*s)
	for _, text := range []string{humanize.IBytes(n), humanize.Bytes(n)} {
		text = strings.NewReplacer(" ", "", ".0", "").Replace(text)
		if same, err := humanize.ParseBytes(text); n >= 1024 && err == nil && same == n {
			return text
		}
	}
	return strconv.FormatUint(n, 10)
}

// Type names the value in the help text.
func (s *Size) Type() string { return "SIZE" }

// Once is a text that may be given only once; a second one would silently replace the first.
type Once string

var _ pflag.Value = (*Once)(nil)

// Set sets the text.
func (o *Once) Set(text string) error {
	if *o != "" && string(*o) != text { // completion parses flags twice
		return fmt.Errorf("write only one, %s is given already", *o)
	}
	*o = Once(text)
	return nil
}

// String returns the text.
func (o *Once) String() string { return string(*o) }

// Type names the value in the help text.
func (o *Once) Type() string { return "string" }

// Umask is a set of mode bits, written in octal.
type Umask uint32

var _ pflag.Value = (*Umask)(nil)

// Set reads octal digits.
func (u *Umask) Set(text string) error {
	n, err := strconv.ParseUint(text, 8, 32)
	if err != nil || n > 0o777 {
		return errors.New("write octal digits like 022")
	}
	*u = Umask(n)
	return nil
}

// String writes the bits as octal digits.
func (u *Umask) String() string { return fmt.Sprintf("%03o", uint32(*u)) }

// Type names the value in the help text.
func (u *Umask) Type() string { return "MASK" }

// Choice is one of several words.
type Choice struct {
	Value string
	words []string
}

var _ pflag.Value = (*Choice)(nil)

// OneOf returns a Choice of words. The first one is the default.
func OneOf(words ...string) *Choice { return &Choice{words[0], words} }

// Words returns the words to choose from.
func (c *Choice) Words() []string { return c.words }

// Set chooses a word.
func (c *Choice) Set(text string) error {
	if !slices.Contains(c.words, text) {
		last := len(c.words) - 1
		return fmt.Errorf("write %s or %s", strings.Join(c.words[:last], ", "), c.words[last])
	}
	c.Value = text
	return nil
}

// String returns the chosen word.
func (c *Choice) String() string { return c.Value }

// Type names the value in the help text by listing the words.
func (c *Choice) Type() string { return strings.Join(c.words, "|") }

// Gone is a flag that was removed. Its text says what replaces it.
type Gone string

var _ pflag.Value = Gone("")

// Set always fails.
func (g Gone) Set(string) error { return errors.New(string(g)) }

// String returns "".
func (g Gone) String() string { return "" }

// Type returns "", since the flag is never shown.
func (g Gone) Type() string { return "" }

// Kind names a flag's value in the help text and in hints. The words of a Choice stay as they are.
func Kind(flag *pflag.Flag) string {
	if c, ok := flag.Value.(*Choice); ok {
		return c.Type()
	}
	kind, _ := pflag.UnquoteUsage(flag)
	return strings.ToUpper(kind)
}

// Explain replaces the standard library's error about a bad value by what to write instead.
func Explain(flag *pflag.Flag, err error) error {
	write := map[string]string{
		"duration": "write a duration like 5s or 2m",
		"uint32":   "write a number (see: id)",
		"int":      "write a whole number",
		"float64":  "write a number like 0.12",
		"bool":     "write true or false, or no value at all",
		"count":    "write a number, or no value at all",
	}[flag.Value.Type()]
	if write == "" {
		return err
	}
	return errors.New(write)
}
