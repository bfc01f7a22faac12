package cli

import (
	"cmp"
	_ "embed" // for the text
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"assetfs/fs/cli/mountopt"
)

// manual is assetfs(1) in mdoc(7). The flags replace the line flagsHere.
//
//go:embed docs/assetfs.1
var manual string

const (
	flagsHere    = ".\\\" the flags\n"
	commandsHere = ".\\\" the commands\n"
)

// writeManual writes the manual page, with flags and commands from the same tables as the help.
func (s *settings) writeManual(w io.Writer) error {
	var flags, commands strings.Builder
	for _, g := range s.groups {
		fmt.Fprintf(&flags, ".Ss %s\n.Bl -tag -width 4n\n", roff(g.Name()))
		g.VisitAll(func(f *pflag.Flag) {
			if !f.Hidden {
				manualEntry(&flags, f)
			}
		})
		flags.WriteString(".El\n")
	}
	for _, c := range newRoot([]string{"help"}, nil).Commands() {
		if !c.Hidden {
			s.manualCommand(&commands, c)
		}
	}
	_, err := strings.NewReplacer(flagsHere, flags.String(), commandsHere, commands.String()).WriteString(w, manual)
	return err
}

// manualCommand writes how a command is called, what it does, and those of its flags that are
// not a mount's.
func (s *settings) manualCommand(w io.Writer, c *cobra.Command) {
	fmt.Fprintf(w, ".It Cm \"%s\"\n", strings.ReplaceAll(roff(c.UseLine()), `"`, `\(dq`))
	for line := range strings.Lines(cmp.Or(c.Long, c.Short+".")) {
		switch line = strings.TrimSuffix(line, "\n"); {
		case line == "":
			io.WriteString(w, ".Pp\n") //nolint:errcheck // to memory
		case strings.HasPrefix(line, " "):
			fmt.Fprintf(w, ".Dl %s\n", roff(strings.TrimSpace(line)))
		default:
			fmt.Fprintln(w, strings.ReplaceAll(roff(line), ". ", ".\n"))
		}
	}
	head, tail := ".Bl -tag -width 4n\n", ""
	c.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden && s.flags.Lookup(f.Name) == nil {
			io.WriteString(w, head) //nolint:errcheck // to memory
			head, tail = "", ".El\n"
			manualEntry(w, f)
		}
	})
	io.WriteString(w, tail) //nolint:errcheck // to memory
}

// manualEntry writes a flag's name, value, meaning and default.
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

// roff escapes text so that none of it is taken for a request or an escape.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(text)
	if strings.HasPrefix(text, ".") || strings.HasPrefix(text, "'") {
		return `\&` + text
	}
	return text
}
