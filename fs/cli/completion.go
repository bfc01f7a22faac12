package cli

import (
	"bytes"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"assetfs/fs/cli/mountopt"
)

// newCompletion is "assetfs completion SHELL".
func newCompletion() *cobra.Command {
	shells := []string{"bash", "zsh", "fish"}
	return &cobra.Command{
		Use:   "completion bash|zsh|fish",
		Short: "Print what a shell needs to complete command lines",
		Long: `Print what a shell needs to complete command lines of assetfs:

  bash   assetfs completion bash >~/.local/share/bash-completion/completions/assetfs
  zsh    assetfs completion zsh >"${fpath[1]}/_assetfs"
  fish   assetfs completion fish >~/.config/fish/completions/assetfs.fish`,
		ValidArgs:             shells,
		DisableFlagsInUseLine: true,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) != 1 || !slices.Contains(shells, args[0]) {
				return usagef("which shell? write %s", c.UseLine())
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			var script bytes.Buffer
			var err error
			switch args[0] {
			case "bash":
				err = c.Root().GenBashCompletionV2(&script, true)
			case "zsh":
				err = c.Root().GenZshCompletion(&script)
			case "fish":
				err = c.Root().GenFishCompletion(&script, true)
			}
			if err != nil {
				return err
			}
			_, err = harmless.WriteString(c.OutOrStdout(), script.String())
			return err
		},
	}
}

// harmless keeps the scripts of cobra from evaluating names of files, which the server has chosen,
// when they evaluate the command line.
var harmless = strings.NewReplacer(
	// zsh: the prefix --FLAG= of a word, not everything between any - and the last =.
	`=~ '-.*=' ]]`, `=~ '^--?[a-zA-Z-]+=' ]]`,
	// fish: -o removes the quotes, so take the text before the current word instead.
	`set -l args (commandline -opc)`,
	`set -l line (commandline -cp | string collect)
    set -l word (commandline -ct | string collect)
    set line (string sub -l (math (string length -- "$line") - (string length -- "$word")) -- "$line")
    set -l args (string match -r -- '(?s)^\s*(\S+)(.*)$' "$line")[2..]`,
)

// completeMount completes the arguments of a mount: a directory, then asset IDs, which only
// the user knows. While the word may become a command, the shell must not look for directories
// only.
func completeMount(c *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
	switch {
	case len(args) > 0:
		return nil, cobra.ShellCompDirectiveNoFileComp
	case !c.HasParent() && slices.ContainsFunc(commands, func(name string) bool { return strings.HasPrefix(name, word) }):
		return nil, cobra.ShellCompDirectiveDefault
	}
	return nil, cobra.ShellCompDirectiveFilterDirs
}

// completeFlags completes the values of flags according to their kind.
func completeFlags(c *cobra.Command, flags *pflag.FlagSet) {
	flags.VisitAll(func(f *pflag.Flag) {
		var err error
		if choice, ok := f.Value.(*mountopt.Choice); ok {
			err = c.RegisterFlagCompletionFunc(f.Name, cobra.FixedCompletions(choice.Words(), cobra.ShellCompDirectiveNoFileComp))
		} else {
			switch mountopt.Kind(f) {
			case "FILE":
				err = c.MarkFlagFilename(f.Name)
			case "DIR":
				err = c.MarkFlagDirname(f.Name)
			case "BOOL", "COUNT":
			default:
				err = c.RegisterFlagCompletionFunc(f.Name, cobra.NoFileCompletions)
			}
		}
		if err != nil {
			panic(err) // the flag does not exist, or is registered twice
		}
	})
}

// completeFiles completes the arguments of commands on files: paths, or with --mount the IDs
// listed there.
func completeFiles(c *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
	mount, err := c.Flags().GetString("mount")
	if err != nil || mount == "" {
		return nil, cobra.ShellCompDirectiveDefault
	}
	ctx, stop := interruptible()
	defer stop()
	status, err := askStatus(ctx, mount, true) // a listing could wait for names, and cost money
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var ids []string
	for _, a := range status.Assets {
		if strings.HasPrefix(a.ID, word) && !slices.Contains(args, a.ID) && printable(a.ID) == a.ID {
			ids = append(ids, a.ID+"\t"+printable(a.Name))
		}
	}
	return ids, cobra.ShellCompDirectiveNoFileComp
}
