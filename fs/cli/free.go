package cli

import (
	"fmt"
	"os"
	"slices"

	"github.com/spf13/cobra"
)

// newFree is "assetfs free FILE...".
func newFree() *cobra.Command {
	return eachFile("free", "Free the room of files in the spool now; open ones can still be read", func(r *result, name string) string {
		switch {
		case r.Later:
			return fmt.Sprintf("%s: in use; its %s are freed when it is closed", name, bytesText(r.Spooled))
		case r.Freed == 0:
			return fmt.Sprintf("%s: nothing was in the spool", name)
		}
		return fmt.Sprintf("%s: %s freed", name, bytesText(r.Freed))
	})
}

// newPin is "assetfs pin FILE...".
func newPin() *cobra.Command {
	return eachFile("pin", "Keep files in the spool; absent bytes are fetched in the background", func(r *result, name string) string {
		if r.Size >= 0 && r.Spooled < r.Size {
			return fmt.Sprintf("%s: pinned, %s to come", name, bytesText(r.Size-r.Spooled))
		}
		return name + ": pinned"
	})
}

// newUnpin is "assetfs unpin FILE...".
func newUnpin() *cobra.Command {
	return eachFile("unpin", "Allow pinned files to be evicted again", func(_ *result, name string) string {
		return name + ": not pinned"
	})
}

// eachFile returns a command whose results come at once. say describes the result for one asset.
func eachFile(verb, short string, say func(r *result, name string) string) *cobra.Command {
	var mount string
	c := fileCommand(verb, short, &mount)
	c.RunE = func(_ *cobra.Command, args []string) error {
		ctx, stop := interruptible()
		defer stop()
		all, err := targets(args, mount, os.Stdin)
		if err != nil {
			return err
		}
		failed, total := 0, 0
		for _, t := range all {
			var results []result
			if err := t.ask(ctx, "POST", "/v1/"+verb, asked{IDs: t.ids}, &results); err != nil {
				return err
			}
			total += len(results)
			for _, r := range results {
				if r.Error != "" {
					failed++
					complain(t.title(&r), r.Error)
					continue
				}
				if _, err := fmt.Println(printable(say(&r, t.title(&r)))); err != nil {
					return err
				}
			}
		}
		return incomplete(failed, total)
	}
	return c
}

// fileCommand returns a command on files, or, with --mount, on IDs.
func fileCommand(verb, short string, mount *string) *cobra.Command {
	c := &cobra.Command{
		Use:                   verb + " FILE... | --mount DIR ID...|-",
		Short:                 short,
		Long:                  short + ".\n\nFILE is a file or a directory in a mount. With --mount, give IDs instead; -\nreads them from standard input, one a line.",
		ValidArgsFunction:     completeFiles,
		DisableFlagsInUseLine: true,
	}
	c.Args = func(c *cobra.Command, args []string) error {
		if *mount == "" && slices.Contains(args, "-") {
			return usagef("- reads IDs from standard input; write %s --mount=DIR -", c.CommandPath())
		}
		return some(c, args)
	}
	c.Flags().Var((*once)(mount), "mount", "arguments are asset IDs in the mount at `DIR`")
	if err := c.MarkFlagDirname("mount"); err != nil {
		panic(err) // the flag does not exist
	}
	return c
}

// complain prints the error of one asset.
func complain(name, why string) {
	fmt.Fprintf(os.Stderr, "assetfs: %s: %s\n", printable(name), printable(why))
}

// incomplete returns the error of a command that failed for some assets, whose errors were
// printed.
func incomplete(failed, total int) error {
	if failed == 0 {
		return nil
	}
	return fmt.Errorf("%d of %d failed", failed, total)
}
