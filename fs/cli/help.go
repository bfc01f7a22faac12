package cli

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"assetfs/fs/cli/mountopt"
)

const usage = `Mounts remote assets as ordinary read-only files.

  assetfs [flags] MOUNTPOINT [ASSET_ID...]
  assetfs --demo MOUNTPOINT             sample assets; no key, no network
  assetfs check [flags]                 would a mount work? costs nothing
  assetfs status MOUNTPOINT             what a mount does, and has done
  assetfs fetch|free|pin|unpin FILE...  into the spool, out of it, keep it
`

// everyday lists the flags that --help shows.
var everyday = []string{
	"api-key-file", "ids", "base-url", "daemon", "allow-other", "spool-dir", "spool-size",
	"read-ahead", "rate-limit", "max-download", "verbose",
}

// Help fits into 80 columns, and the output of --help into 24 lines.
const (
	helpWidth = 80
	helpText  = 28 // column where a flag's text begins
)

// writeHelp writes the everyday flags.
func (s *settings) writeHelp(w io.Writer) error {
	var page bytes.Buffer
	page.WriteString(usage + "\n")
	for _, name := range everyday {
		helpLine(&page, s.flags.Lookup(name))
	}
	page.WriteString("\nassetfs --help-all has all flags, and assetfs help COMMAND those of a command.\n")
	_, err := page.WriteTo(w)
	return err
}

// writeHelpAll writes all flags by group.
func (s *settings) writeHelpAll(w io.Writer) error {
	var page bytes.Buffer
	page.WriteString(usage + `  assetfs SOURCE MOUNTPOINT -o OPTIONS  as mount(8) and fstab(5) call it;
                                        SOURCE is a file of IDs, or none
  assetfs refresh MOUNTPOINT            list the libraries again now
  assetfs completion bash|zsh|fish      print what a shell reads
`)
	for _, g := range s.groups {
		fmt.Fprintf(&page, "\n%s\n", g.Name())
		g.VisitAll(func(f *pflag.Flag) {
			if !f.Hidden {
				helpLine(&page, f)
			}
		})
	}
	_, err := page.WriteTo(w)
	return err
}

// commandHelp writes what a command does and takes, and its flags.
func commandHelp(w io.Writer, c *cobra.Command) error {
	var page bytes.Buffer
	fmt.Fprintf(&page, "%s\n\n  %s\n", cmp.Or(c.Long, c.Short), c.UseLine())
	head := "\n"
	c.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden && f.Name != "help" {
			page.WriteString(head)
			head = ""
			helpLine(&page, f)
		}
	})
	_, err := page.WriteTo(w)
	return err
}

// helpLine writes a flag's name, value, meaning and default.
func helpLine(page *bytes.Buffer, f *pflag.Flag) {
	_, text := pflag.UnquoteUsage(f)
	kind := mountopt.Kind(f)
	name := "--" + f.Name
	if f.Shorthand != "" {
		name = "-" + f.Shorthand + ", " + name
	}
	if f.NoOptDefVal == "" {
		name += " " + kind
	}
	if value := shownDefault(f); value != "" {
		text += " (" + value + ")"
	}
	line := fmt.Sprintf("  %-*s ", helpText-3, name)
	if len(line) > helpText { // the text begins on the next line
		page.WriteString(strings.TrimRight(line, " ") + "\n")
		line = strings.Repeat(" ", helpText)
	}
	for _, word := range strings.Fields(text) {
		if len(line)+len(word) > helpWidth {
			page.WriteString(strings.TrimRight(line, " ") + "\n")
			line = strings.Repeat(" ", helpText)
		}
		line += word + " "
	}
	page.WriteString(strings.TrimRight(line, " ") + "\n")
}

// shownDefault returns a flag's default as people write it, or "" if it is zero or depends on
// the user.
func shownDefault(f *pflag.Flag) string {
	switch f.DefValue {
	case "0", "000", "false", defaultBaseURL, defaultLibraryURL:
		return ""
	}
	if mountopt.Kind(f) == "ID" {
		return ""
	}
	return strings.Replace(f.DefValue, "m0s", "m", 1)
}
