package cli

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"assetfs/fs/cli/mountopt"
)

// commands are the words that are not taken for mount points.
var commands = []string{"status", "fetch", "free", "pin", "unpin", "refresh", "check", "completion", "help", "version"}

// newRoot returns the root command for args: it runs another command, or mount. Usage errors
// are of type *usageError; each is one line.
func newRoot(args []string, mount func(*settings) error) *cobra.Command {
	s := newSettings()
	root := &cobra.Command{
		Use:                   "assetfs [flags] MOUNTPOINT [ASSET_ID...]",
		Short:                 "Mount remote assets as ordinary read-only files",
		Args:                  cobra.ArbitraryArgs,
		SilenceErrors:         true,
		SilenceUsage:          true,
		DisableFlagsInUseLine: true,
		CompletionOptions:     cobra.CompletionOptions{DisableDefaultCmd: true},
		ValidArgsFunction:     completeMount,
		RunE: func(_ *cobra.Command, args []string) error {
			switch {
			case s.Version:
				return printVersion(os.Stdout)
			case s.HelpAll:
				return s.writeHelpAll(os.Stdout)
			case s.Manual:
				return s.writeManual(os.Stdout)
			}
			if err := s.complete(args); err != nil {
				return s.orCommand(err)
			}
			return mount(s)
		},
	}
	root.SetArgs(args)
	root.Flags().AddFlagSet(s.flags)
	completeFlags(root, s.flags)
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		if c == root {
			return &usageError{s.orCommand(mountopt.Usage(err, c.Flags(), "assetfs --help-all"))}
		}
		return &usageError{mountopt.Usage(err, c.Flags(), c.CommandPath()+" --help")}
	})
	root.SetHelpFunc(func(c *cobra.Command, _ []string) {
		write := s.writeHelp
		if c != root {
			write = func(w io.Writer) error { return commandHelp(w, c) }
		}
		_ = write(c.OutOrStdout()) // run reports the error
	})
	root.SetHelpCommand(newHelp())
	word := commandWord(s.flags, args)
	if info, err := os.Stat(word); word != "" && err == nil && info.IsDir() {
		s.hidden = word
	} else if word != "" {
		root.AddCommand(newStatus(), newFetch(), newFree(), newPin(), newUnpin(), newRefresh(), newCheck(), newCompletion(), newVersion())
	}
	return root
}

// commandWord returns the word of a command with which args begin, "" if they don't. A
// path is none, nor is the first of two arguments with -o, the SOURCE of mount(8).
func commandWord(flags *pflag.FlagSet, args []string) string {
	word, words, options := "", 0, false
	for i := 0; i < len(args) && args[i] != "--"; i++ {
		arg := args[i]
		var flag *pflag.Flag // the last one in arg
		valued := false
		switch name, long := strings.CutPrefix(arg, "--"); {
		case long:
			name, _, valued = strings.Cut(name, "=")
			flag = flags.Lookup(name)
		case len(arg) > 1 && arg[0] == '-':
			for j := 1; j < len(arg) && !valued; j++ {
				if flag = flags.ShorthandLookup(arg[j : j+1]); flag == nil {
					break
				}
				valued = flag.NoOptDefVal == "" && j+1 < len(arg)
			}
		default:
			word = cmp.Or(word, arg)
			words++
		}
		if flag == nil {
			continue
		}
		if _, ok := flag.Value.(*mountopt.List); ok {
			options = true
		}
		if !valued && flag.NoOptDefVal == "" {
			i++
		}
	}
	if options && words != 1 {
		return ""
	}
	if strings.HasPrefix(word, cobra.ShellCompRequestCmd) || slices.Contains(commands, word) {
		return word
	}
	return ""
}

// orCommand adds to an error of a mount whose mount point is called like a command what
// to do if that was meant.
func (s *settings) orCommand(err error) error {
	if err == nil || s.hidden == "" {
		return err
	}
	return fmt.Errorf("%w; %s is a directory here: to run the command of that name, change to another one", err, s.hidden)
}

// newHelp is "assetfs help [COMMAND]".
func newHelp() *cobra.Command {
	return &cobra.Command{
		Use:                   "help [COMMAND]",
		Short:                 "Print the help of a command",
		DisableFlagsInUseLine: true,
		RunE: func(c *cobra.Command, args []string) error {
			topic := c.Root()
			for _, word := range args {
				sub, _, err := topic.Find([]string{word})
				if err != nil || sub == topic {
					return &usageError{fmt.Errorf("there is no command %q; see assetfs help", word)}
				}
				topic = sub
			}
			return topic.Help()
		},
	}
}

// newVersion is "assetfs version".
func newVersion() *cobra.Command {
	return &cobra.Command{
		Use:    "version",
		Short:  "Print the version",
		Args:   none,
		Hidden: true,

		DisableFlagsInUseLine: true,
		RunE:                  func(*cobra.Command, []string) error { return printVersion(os.Stdout) },
	}
}

// none rejects arguments.
func none(c *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usagef("%s takes no %q; write %s", c.CommandPath(), args[0], c.UseLine())
	}
	return nil
}

// some requires arguments, and rejects empty ones: probably a shell variable that is not set.
func some(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return usagef("which ones? write %s", c.UseLine())
	}
	for _, arg := range args {
		if arg == "" {
			return usagef("an argument is empty; write %s", c.UseLine())
		}
	}
	return nil
}

func usagef(format string, args ...any) error { return &usageError{fmt.Errorf(format, args...)} }
