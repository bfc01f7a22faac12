package cli

import (
	_ "embed" // for the text
	"fmt"
	"io"
	"strings"

	"github.com/spf13/pflag"

	"assetfs/fs/cli/mountopt"
)

// manual is assetfs(1) in mdoc(7). The line flagsHere stands for the flags.
//
//go:embed docs/assetfs.1
var manual string

const flagsHere = ".\\\" the flags\n"

// writeManual writes the manual page. Its flags are those of --help.
func (s *settings) writeManual(w io.Writer) error {
	var flags strings.Builder
	for _, g := range s.groups {
		fmt.Fprintf(&flags, ".Ss %s\n.Bl -tag -width 4n\n", roff(g.Name()))
		g.VisitAll(func(f *pflag.Flag) {
			if !f.Hidden {
				manualEntry(&flags, f)
			}
		})
		flags.WriteString(".El\n")
	}
	_, err := io.WriteString(w, strings.Replace(manual, flagsHere, flags.String(), 1))
	return err
}

// manualEntry writes what a flag is called, takes, means and is by default.
func manualEntry(w io.Writer, f *pflag.Flag) {
	_, text := pflag.UnquoteUsage(f)
	name := "Fl \\-" + roff(f.Name)
	if f.Shorthand != "" {
		name = "Fl " + f.Shorthand + " , " + name
	}
	if f.NoOptDefVal == "" {
		name += " Ar " + roff(mountopt.Kind(f))
	}
	fmt.Fprintf(w, ".It %s\n%s.\n", name, roff(strings.ToUpper(text[:1])+text[1:]))
	if value := shownDefault(f); value != "" {
		fmt.Fprintf(w, "The default is %s.\n", roff(value))
	}
}

// roff writes a text so that none of it is taken for a request or an escape.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(text)
	if strings.HasPrefix(text, ".") || strings.HasPrefix(text, "'") {
		return `\&` + text
	}
	return text
}
