package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/pflag"

	"assetfs/fs/cli/idlist"
	"assetfs/fs/cli/mountopt"
	"assetfs/fs/mount"
)

// check validates the arguments and flags, and completes the settings. Its errors say what
// to write instead.
func (s *settings) check(args []string) error {
	switch {
	case len(args) == 0:
		return errors.New("which directory? write assetfs [flags] MOUNTPOINT [ASSET_ID...]; see assetfs --help")
	case slices.Contains(args, ""): // probably a shell variable that is not set
		return errors.New("an argument is empty; write assetfs [flags] MOUNTPOINT [ASSET_ID...]; see assetfs --help")
	}
	var err error
	if s.IDPattern, err = idlist.Anchored(s.Pattern); err != nil {
		return fmt.Errorf("--id-pattern=%s: %w; write a regular expression like %s", s.Pattern, err, defaultPattern)
	}
	for _, arg := range args {
		if r, _ := utf8.DecodeRuneInString(arg); r > '-' && (unicode.Is(unicode.Pd, r) || r == '\u2212') {
			return fmt.Errorf("%s begins with another character than -; write a flag like --ids, a path like ./%[1]s", arg)
		}
	}
	if args, err = s.mountForm(args); err != nil {
		return err
	}
	s.Mountpoint, s.Args = args[0], args[1:]
	_, err = os.Lstat(s.Mountpoint)
	exists := err == nil
	if !exists && s.IDPattern.MatchString(s.Mountpoint) {
		return fmt.Errorf("%s is an asset ID; write the mount point before it, or ./%[1]s if that is the mount point", s.Mountpoint)
	}
	for _, id := range s.Args {
		if id == "-" {
			return errors.New("- is not an asset ID; --ids=- reads IDs from standard input")
		}
		if !idlist.Valid(s.IDPattern, id) {
			if near := instead(args[0]); near != "" && !exists {
				return fmt.Errorf("there is no command %s; did you mean %s?", args[0], near)
			}
			return fmt.Errorf("%q is not an asset ID; write one that matches %s (see --id-pattern)", id, s.Pattern)
		}
	}
	if err := s.demo(); err != nil {
		return err
	}
	if err := s.Library.check(s.BaseURL, s.Demo); err != nil {
		return err
	}
	if err := s.numbers(); err != nil {
		return err
	}
	return s.absolute()
}

// demo rejects flags that mean nothing to a demo. Whoever gives a key wants their own assets.
func (s *settings) demo() error {
	if !s.Demo {
		return nil
	}
	for _, flag := range []string{"ids", "base-url", "api-key-file", "ca-file", "insecure-http", "rate-limit", "library-url"} {
		if s.flags.Changed(flag) {
			return fmt.Errorf("--demo has its own API and assets; omit --%s, or omit --demo", flag)
		}
	}
	if s.IDs != "" { // given as mount(8) gives it
		return errors.New("--demo has its own API and assets; write none as the source, or omit the option demo")
	}
	return nil
}

// instead returns what a word that is no command was probably meant to be; "": nothing.
func instead(word string) string {
	switch near := mountopt.Nearest(word, slices.Concat(commands, []string{"mount", "umount", "unmount"})); near {
	case "":
		return ""
	case "mount":
		return "assetfs MOUNTPOINT"
	case "umount", "unmount":
		return mount.UnmountHint("MOUNTPOINT")
	default:
		return "assetfs " + near
	}
}

// notEmpty rejects flags with an empty value: probably a shell variable that is not set.
func notEmpty(flags *pflag.FlagSet) error {
	var err error
	flags.VisitAll(func(f *pflag.Flag) {
		if _, ok := f.Value.(*mountopt.List); !ok && f.Changed && f.Value.String() == "" && err == nil {
			err = fmt.Errorf("--%s is empty; write --%s=%s, or omit it", f.Name, f.Name, mountopt.Kind(f))
		}
	})
	return err
}

// leastSpool is the smallest spool. Below it most reads would fail, and probably a unit is missing.
const leastSpool = 1 << 20

// numbers rejects numbers out of range.
func (s *settings) numbers() error {
	const dearest = 1e6                                  // dollars; products with any size must stay finite, for JSON
	if !(s.PricePerGB >= 0 && s.PricePerGB <= dearest) { // rejects NaN, too
		return fmt.Errorf("--price-per-gb=%v: write a number like 0.12", s.PricePerGB)
	}
	for _, d := range []struct {
		flag string
		got  time.Duration
	}{{"list-wait", s.ListWait}, {"stall-timeout", s.StallTimeout}, {"retry-for", s.RetryFor}} {
		if d.got <= 0 {
			return fmt.Errorf("--%s must be more than 0; write a duration like 5s or 2m", d.flag)
		}
	}
	// Perhaps somebody wants to download nothing. That must not become anything.
	for flag, size := range map[string]mountopt.Size{"max-download": s.MaxDownload, "max-per-month": s.MaxPerMonth} {
		if size == 0 && s.flags.Changed(flag) {
			return fmt.Errorf("--%s=0: write a size like 64MiB or 10G, or omit it for no limit", flag)
		}
	}
	if s.SpoolSize > 0 && s.SpoolSize < leastSpool {
		return fmt.Errorf("--spool-size=%s is too small; write a size like 64MiB or 10G, or 0 for no limit", &s.SpoolSize)
	}
	return nil
}

// mountForm recognises SOURCE MOUNTPOINT -o OPTS, the form that mount(8) uses: there are
// options, and the second argument is not an asset ID. It returns the arguments in the usual
// form.
func (s *settings) mountForm(args []string) ([]string, error) {
	if !s.options.Given() || len(args) != 2 || s.IDPattern.MatchString(args[1]) {
		return args, nil
	}
	if source := args[0]; source != "none" && source != "" {
		if s.IDs != "" {
			return nil, fmt.Errorf("the list of assets is given twice, as %s and as ids=%s; write none as the source", source, s.IDs)
		}
		s.IDs = source
	}
	s.Source, s.Daemon = args[0], true
	return args[1:], nil
}

// absolute makes all paths absolute, since a background process changes its directory.
func (s *settings) absolute() error {
	paths := []*string{&s.Mountpoint, &s.KeyFile, &s.CAFile, &s.SpoolDir}
	if s.IDs != "-" {
		paths = append(paths, &s.IDs)
	}
	for _, p := range paths {
		if *p == "" {
			continue
		}
		abs, err := filepath.Abs(*p)
		if err != nil {
			return fmt.Errorf("%s: write the whole path, from /: the current directory is gone (%w)", *p, err)
		}
		*p = abs
	}
	return nil
}
