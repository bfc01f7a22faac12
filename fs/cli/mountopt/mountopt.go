// Package mountopt reads the options of mount(8) and fstab, the text after -o, and sets flags with
// them: every long flag without its dashes is an option. It is a leaf.
package mountopt

import (
	"fmt"
	"strings"
)

// Option is one element of an option list.
type Option struct {
	Name   string // as written
	Value  string
	Valued bool // there was a "=", even if Value is ""
}

// ignored are options that mount(8), mount.fuse and systemd pass on or keep in fstab, and that have
// no effect: the mount is always read-only, without devices and set-user-ID programs, and has no
// access times.
var ignored = map[string]bool{
	"": true, "defaults": true,
	"rw": true, "ro": true, "dev": true, "nodev": true, "suid": true, "nosuid": true, "exec": true, "noexec": true,
	"atime": true, "noatime": true, "diratime": true, "nodiratime": true, "relatime": true, "norelatime": true,
	"strictatime": true, "nostrictatime": true, "lazytime": true, "nolazytime": true,
	"sync": true, "async": true, "dirsync": true, "mand": true, "nomand": true, "silent": true, "loud": true,
	"_netdev": true, "auto": true, "noauto": true, "nofail": true, "comment": true,
	"user": true, "nouser": true, "users": true, "nousers": true, "owner": true, "noowner": true, "group": true, "nogroup": true,
}

// Ignored reports whether the option is accepted without any effect.
func (o Option) Ignored() bool {
	return ignored[o.Name] || strings.HasPrefix(o.Name, "x-") || strings.HasPrefix(o.Name, "X-")
}

// Flag returns the name of the long flag that the option stands for. Underscores mean dashes.
func (o Option) Flag() string { return strings.ReplaceAll(o.Name, "_", "-") }

// SyntaxError means that a list of options can't be parsed.
type SyntaxError struct {
	Text    string // the list
	Problem string // what is wrong, and what to write instead
}

func (e *SyntaxError) Error() string { return fmt.Sprintf("-o %.80q: %s", e.Text, e.Problem) }

// Parse splits a list of options at its commas. As in fstab and mount(8), a backslash makes the
// next character literal, and commas between double quotes don't separate. Errors are of type
// *SyntaxError.
func Parse(text string) ([]Option, error) {
	var (
		options         []Option
		o               Option
		word            strings.Builder
		quoted, escaped bool
	)
	// end ends the name at the first "=", and the option at a comma.
	end := func() {
		if o.Valued {
			o.Value = word.String()
		} else {
			o.Name = word.String()
		}
		word.Reset()
	}
	for _, c := range []byte(text) {
		switch {
		case c == 0 || c == '\n':
			return nil, &SyntaxError{text, "options are one line of text"}
		case escaped:
			escaped = false
			word.WriteByte(c)
		case c == '\\':
			escaped = true
		case c == '"':
			quoted = !quoted
		case c == '=' && !o.Valued && !quoted:
			end()
			o.Valued = true
		case c == ',' && !quoted:
			end()
			options = append(options, o)
			o = Option{}
		default:
			word.WriteByte(c)
		}
	}
	switch {
	case escaped:
		return nil, &SyntaxError{text, `a backslash stands at the end; write \\ for a backslash, \, for a comma`}
	case quoted:
		return nil, &SyntaxError{text, `a double quote has no partner; write \" for a double quote`}
	}
	end()
	return append(options, o), nil
}

// String writes the option so that Parse reads it back.
func (o Option) String() string {
	escape := strings.NewReplacer(`\`, `\\`, `,`, `\,`, `"`, `\"`, `=`, `\=`)
	if !o.Valued {
		return escape.Replace(o.Name)
	}
	return escape.Replace(o.Name) + "=" + escape.Replace(o.Value)
}
