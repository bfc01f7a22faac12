package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/pflag"
)

// parse reads a command line as the program does. The settings are nil if it does not ask for a mount.
func parse(args []string) (s *settings, err error) {
	root := newRoot(args, func(got *settings) error {
		s = got
		return nil
	})
	root.SetOut(io.Discard)
	return s, root.Execute()
}

func mustParse(t *testing.T, args ...string) *settings {
	t.Helper()
	s, err := parse(args)
	if err != nil {
		t.Fatalf("parse(%q): %v", args, err)
	}
	return s
}

// The defaults are those in DESIGN.md, "The command line".
func TestDefaults(t *testing.T) {
	t.Setenv("ASSETFS_BASE_URL", "")
	s := mustParse(t, "/mnt", "re_1", "re_2")
	if s.Mountpoint != "/mnt" || !reflect.DeepEqual(s.Args, []string{"re_1", "re_2"}) || s.Daemon {
		t.Errorf("mount point %q, IDs %q, daemon %t", s.Mountpoint, s.Args, s.Daemon)
	}
	got := []any{
		s.BaseURL, s.Pattern, s.Resolve.Value, s.ListWait, int64(s.SpoolSize), int64(s.MinFree), int64(s.ReadAhead), s.RateLimit.String(),
		int64(s.MaxDownload), s.PricePerGB, s.StallTimeout, s.RetryFor, s.LogFormat.Value,
	}
	want := []any{
		defaultBaseURL, "re_[0-9]+", "disposition", 5 * time.Second, int64(20 << 30), int64(1 << 30), int64(64 << 20), "auto",
		int64(0), 0.12, 30 * time.Second, 2 * time.Minute, "text",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("the defaults are %v, want %v", got, want)
	}
	t.Setenv("ASSETFS_BASE_URL", "https://example.com/api")
	if s := mustParse(t, "/mnt"); s.BaseURL != "https://example.com/api" {
		t.Errorf("with ASSETFS_BASE_URL set the base URL is %q", s.BaseURL)
	}
}

func TestMountForm(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	for _, test := range []struct {
		args   []string
		point  string
		ids    string
		assets []string
		daemon bool
	}{
		{[]string{"none", "/m", "-o", "rw,dev,suid"}, "/m", "", nil, true},
		{[]string{"list", "m", "-o", "rw"}, filepath.Join(dir, "m"), filepath.Join(dir, "list"), nil, true},
		{[]string{"none", "/m", "-o", "rw,ids=/l"}, "/m", "/l", nil, true},
		{[]string{"none", "/m", "-o", "ids=-"}, "/m", "-", nil, true},
		{[]string{"/m", "re_1", "-o", "rw"}, "/m", "", []string{"re_1"}, false},
		{[]string{"/m", "-o", "rw"}, "/m", "", nil, false},
		{[]string{"/m", "-o", "daemon,ids=l"}, "/m", filepath.Join(dir, "l"), nil, true},
		{[]string{"/m", "re_1", "re_2", "-o", "rw"}, "/m", "", []string{"re_1", "re_2"}, false},
	} {
		s := mustParse(t, test.args...)
		if s.Mountpoint != test.point || s.IDs != test.ids || len(s.Args) != len(test.assets) || s.Daemon != test.daemon {
			t.Errorf("parse(%q): mount point %q, ids %q, assets %q, daemon %t; want %+v", test.args, s.Mountpoint, s.IDs, s.Args, s.Daemon, test)
		}
	}
}

// Bad usage is one line that says what to write instead.
func TestUsage(t *testing.T) {
	for line, want := range map[string]string{
		"":                                     "write assetfs [flags] MOUNTPOINT",
		"/m video.mp4":                         `"video.mp4" is not an asset ID; write one that matches re_[0-9]+`,
		"/m -":                                 "--ids=- reads IDs from standard input",
		"/m --id-pattern=(":                    "--id-pattern=(",
		"/m --resolve=guess":                   "write disposition or metadata",
		"/m --log-format=xml":                  "write text or json",
		"/m --progress=yes":                    "write auto, never or always",
		"/m --list-wait=0s":                    "--list-wait must be more than 0; write a duration like 5s",
		"/m --list-wait=soon":                  "write a duration like 5s",
		"/m --stall-timeout=-1s":               "--stall-timeout",
		"/m --retry-for=0s":                    "--retry-for",
		"/m --requests-per-minute=6":           "is --rate-limit now; write --rate-limit=12/m",
		"none /m -o requests_per_minute=0":     "is --rate-limit now",
		"/m --rate-limit=fast":                 "write 1/s",
		"/m --rate-limit=":                     "--rate-limit",
		"/m --price-per-gb=NaN":                "write a number like 0.12",
		"/m --umask=8":                         "write octal digits",
		"/m --umask=1000":                      "write octal digits",
		"/m --json":                            "write assetfs status --json MOUNTPOINT",
		"--status /m":                          "--status is a command now; write assetfs status MOUNTPOINT",
		"status":                               "write assetfs status [--all] [--json] MOUNTPOINT",
		"status /m /n":                         "write assetfs status",
		"status --quiet /m":                    "there is no flag --quiet; see assetfs status --help",
		"status --josn /m":                     "there is no flag --josn; did you mean --json?",
		"stauts /m":                            "there is no command stauts; did you mean assetfs status?",
		"fecth /m/film.mp4":                    "did you mean assetfs fetch?",
		"fetch":                                "write assetfs fetch",
		"free":                                 "write assetfs free FILE...",
		"free -":                               "write assetfs free --mount=DIR -",
		"fetch --list -":                       "write assetfs fetch --mount=DIR -",
		"pin --mount":                          "--mount needs a value; write --mount=DIR",
		"pin --mount= x":                       "--mount",
		"fetch --max-cost=-1 x":                "write a number of dollars",
		"completion":                           "write assetfs completion bash|zsh|fish",
		"completion tcsh":                      "write assetfs completion bash|zsh|fish",
		"help fecth":                           `there is no command "fecth"`,
		"version x":                            "takes no",
		"-spool-size=1G /m":                    "there is no flag -spool-size; write --spool-size",
		"-sool-size 1G /m":                     "did you mean --spool-size?",
		"/m --spol-size=1G":                    "there is no flag --spol-size; did you mean --spool-size?",
		"/m --quiet":                           "there is no flag --quiet; see assetfs --help-all",
		"/m -q":                                "there is no flag -q; see assetfs --help-all",
		"none /m -o spol_size=1G":              "there is no such option; did you mean spool_size?",
		"/m --demo --ids=x":                    "--demo has its own API and assets; omit --ids, or omit --demo",
		"/m --demo --base-url=https://a.b":     "omit --base-url, or omit --demo",
		"/m --api-key-file=k --demo":           "omit --api-key-file,",
		"/m --demo --ca-file=c":                "omit --ca-file,",
		"/m --demo --insecure-http":            "omit --insecure-http,",
		"/m --demo --rate-limit=1/s":           "omit --rate-limit,",
		"/m --demo --library-url=https://a":    "omit --library-url,",
		"none /m -o demo,base_url=https://a.b": "omit --base-url,",
		"list /m -o demo":                      "write none as the source, or omit the option demo",
		"list /m -o ids=other":                 "given twice",
		"/m -o status":                         "there is no such option",
		"/m --spool-size=10":                   "--spool-size=10 is too small; write a size like 64MiB",
		"/m --max-download=0":                  "--max-download=0: write a size like 64MiB or 10G, or omit it",
		"none /m -o max_per_month=0":           "--max-per-month=0: write a size",
		"/m --api-key=x":                       "there is no flag --api-key; did you mean --api-key-file?",
		"stat /m":                              "did you mean assetfs status?",
		"check -o what":                        `-o "what": there is no such option`,
		"none /m -o rate_limit=1/s,12/m":       `write \, for a comma`,
		"\u2013ids list /m":                    "begins with another character than -",
		"\u2014demo /m":                        "begins with another character than -",
		"/m \u2212\u2212demo":                  "begins with another character than -",
		"/m --spool-size":                      "write --spool-size=SIZE",
		"none /m -o rw,spool_dir":              "write spool_dir=DIR",
		"/m --no-such-flag":                    "--no-such-flag",
		"/m -o rw,uid=-1":                      "write a number",
		"/m --price-per-gb=1e308":              "write a number like 0.12",
		"/m --price-per-gb=Inf":                "write a number like 0.12",
		"re_1 re_2":                            "re_1 is an asset ID; write the mount point before it",
		"/m --ids=a --ids=b":                   "--ids=b: write only one, a is given already",
		"none /m -o ids=a,ids=b":               "-o ids=b: write only one",
		"none /m -o ids=":                      "--ids is empty; write --ids=FILE",
		"list /m re_1 -o rw,allow_othr":        "allow_othr",
		"/m --library=":                        "--library=: write the unique_id",
		"/m --library=-o --daemon":             "write the unique_id",
		"/m --library=a --library=a":           "given twice",
		"none /m -o library=a,library=b,base_url=https://example.com": "write --library-url=URL",
	} {
		_, err := parse(strings.Fields(line))
		var usage *usageError
		if !errors.As(err, &usage) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("assetfs %s: %v; want one line with %q", line, err, want)
		}
	}
}

// Whatever the user writes, an error is one line that a terminal only shows.
func TestErrorIsOneLine(t *testing.T) {
	const odd = "a\nb\x1b[2J\u202e\xff"
	for _, args := range [][]string{
		{"status", "/" + odd},
		{"fetch", odd},
		{"free", "--mount=/" + odd, "x"},
		{"refresh", odd},
		{"--" + odd, "/m"},
		{"-" + odd, "/m"},
		{"--spool-size=" + odd, "/m"},
		{"--rate-limit=" + odd, "/m"},
		{"--id-pattern=(" + odd, "/m"},
		{"/m", odd},
		{odd, odd},
		{"help", odd},
		{"completion", odd},
		{"version", odd},
		{"/m", "-o", odd},
		{"/m", "-o", odd + "=" + odd},
		{"check", "/m", odd},
	} {
		_, err := parse(args)
		if err == nil {
			t.Errorf("assetfs %q: no error", args)
			continue
		}
		line := report(err)
		text, ok := strings.CutSuffix(line, "\n")
		if !ok || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) || !utf8.ValidString(text) {
			t.Errorf("assetfs %q: %q", args, line)
		}
	}
}

// Each flag of the contract is in the help. For a bad or an empty value it says what to write instead.
func TestEachFlag(t *testing.T) {
	contract := strings.Fields(`demo base-url api-key-file ids id-pattern library library-url resolve list-wait spool-dir spool-size spool-min-free
		read-ahead rate-limit max-download max-per-month price-per-gb ca-file stall-timeout retry-for insecure-http allow-other stable-inodes uid gid umask options
		daemon progress log-format verbose debug-fuse version help help-all manual`)
	s := newSettings()
	var page bytes.Buffer
	if err := s.writeHelpAll(&page); err != nil {
		t.Fatal(err)
	}
	flags := map[string]*pflag.Flag{}
	for _, g := range s.groups {
		g.VisitAll(func(f *pflag.Flag) {
			if !f.Hidden {
				flags[f.Name] = f
			}
		})
	}
	if len(flags) != len(contract) {
		t.Errorf("there are %d flags, want %d", len(flags), len(contract))
	}
	for _, name := range contract {
		f := flags[name]
		if f == nil || !regexp.MustCompile(`(?m)^  (-\w, )?--`+name+` .*\w`).Match(page.Bytes()) {
			t.Errorf("the help lacks --%s", name)
			continue
		}
		values := []string{"", "-1x"}
		if f.Value.Type() == "string" {
			values = values[:1] // texts are checked where they are used
		}
		for _, value := range values {
			if name == "base-url" || name == "options" && value == "" {
				continue // remote checks it; an empty -o is valid
			}
			_, err := parse([]string{"/m", "--" + name + "=" + value})
			var usage *usageError
			if !errors.As(err, &usage) || !strings.Contains(err.Error(), "write ") || strings.Contains(err.Error(), "\n") {
				t.Errorf("--%s=%s: %v; want one line that says what to write", name, value, err)
			}
		}
	}
	for _, args := range [][]string{{""}, {"", "re_1"}, {"/m", ""}, {"check", ""}} {
		if _, err := parse(args); err == nil || !strings.Contains(err.Error(), "an argument is empty; write assetfs") {
			t.Errorf("assetfs %q: %v; want that an argument is empty", args, err)
		}
	}
}

// The output of --help fits into 80 columns and 24 lines. All other help fits into the columns.
func TestHelpFitsAScreen(t *testing.T) {
	s := newSettings()
	help := map[string]string{}
	for name, write := range map[string]func(io.Writer) error{"--help": s.writeHelp, "--help-all": s.writeHelpAll} {
		var page strings.Builder
		if err := write(&page); err != nil {
			t.Fatal(err)
		}
		help[name] = page.String()
	}
	for _, c := range newRoot([]string{"status"}, nil).Commands() {
		var page strings.Builder
		if err := commandHelp(&page, c); err != nil {
			t.Fatal(err)
		}
		help["help "+c.Name()] = page.String()
	}
	for name, page := range help {
		for line := range strings.Lines(page) {
			line = strings.TrimSuffix(line, "\n")
			if n := utf8.RuneCountInString(line); n > helpWidth && !strings.Contains(line, "/completions/") {
				t.Errorf("assetfs %s has a line of %d columns: %s", name, n, line)
			}
		}
	}
	if n := strings.Count(help["--help"], "\n"); n > 24 {
		t.Errorf("--help has %d lines", n)
	}
	for _, want := range []string{"\nAssets\n", "\nAPI\n", "\nSpool and cost\n", "\nMount\n", "\nOutput\n", "MOUNTPOINT", "-o, --options OPTS", "--retry-for DURATION", "(2m)", "(1GiB)"} {
		if !strings.Contains(help["--help-all"], want) {
			t.Errorf("--help-all lacks %q:\n%s", want, help["--help-all"])
		}
	}
}

// The manual page has each flag of --help-all, and nothing that roff would take for a request.
func TestManual(t *testing.T) {
	s := newSettings()
	var page strings.Builder
	if err := s.writeManual(&page); err != nil {
		t.Fatal(err)
	}
	s.flags.VisitAll(func(f *pflag.Flag) {
		if want := `Fl \-` + roff(f.Name); !f.Hidden && !strings.Contains(page.String(), want) {
			t.Errorf("the manual page has no %s", f.Name)
		}
	})
	for line := range strings.Lines(page.String()) {
		if strings.HasPrefix(line, "'") || strings.HasPrefix(line, ".") && !regexp.MustCompile(`^\.([A-Z][a-z]|\\")`).MatchString(line) {
			t.Errorf("the manual page has the line %q", line)
		}
	}
	for text, want := range map[string]string{"a-b": `a\-b`, ".x": `\&.x`, "'x": `\&'x`, `\n`: `\en`} {
		if got := roff(text); got != want {
			t.Errorf("roff(%q) is %q, want %q", text, got, want)
		}
	}
}

// In a directory that is gone, relative paths can't be completed, and others need not be.
func TestNoDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "gone")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string]string{
		"/m":               "",
		"m":                "m: write the whole path, from /: the current directory is gone",
		"/m --spool-dir s": "s: write the whole path, from /: the current directory is gone",
	} {
		_, err := parse(strings.Fields(line))
		if got := fmt.Sprint(err); (err != nil) != (want != "") || !strings.HasPrefix(got, want) && want != "" {
			t.Errorf("assetfs %s: %s, want %q", line, got, want)
		}
	}
}

// A path, an existing directory, and mount(8)'s SOURCE are not commands.
func TestNotCommands(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.Mkdir("pin", 0o700); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"./status", "pin re_1", "check /m -o rw", "check /m -orw", "--verbose pin", "-v pin", "--umask 022 pin", "statuses", "-- status"} {
		if s, err := parse(strings.Fields(line)); err != nil || s == nil {
			t.Errorf("assetfs %s: %v; want a mount", line, err)
		}
	}
}

// With options, too, the word of a command is a command if it is alone.
func TestCommandWithOptions(t *testing.T) {
	s := newSettings()
	for line, want := range map[string]string{
		"check -o rw": "check", "-orw check": "check", "check -o rw /m": "", "-o rw /m": "", "-o check": "",
	} {
		if got := commandWord(s.flags, strings.Fields(line)); got != want {
			t.Errorf("assetfs %s runs the command %q, want %q", line, got, want)
		}
	}
}

// Where a directory is called like a command, an error says how to run that.
func TestHiddenCommands(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.Mkdir("status", 0o700); err != nil {
		t.Fatal(err)
	}
	for line, hidden := range map[string]bool{
		"status /m": true, "status --all /m": true, "status --json": true, "status re_1 --umask=9": true,
		"./status /m": false, "/m --all": false, "fetch --all": false, "status /n -o rw,what": false,
	} {
		_, err := parse(strings.Fields(line))
		var usage *usageError
		if !errors.As(err, &usage) || strings.Contains(err.Error(), "to run the command of that name, change to another one") != hidden || strings.Contains(err.Error(), "\n") {
			t.Errorf("assetfs %s: %v; names the command: want %t", line, err, hidden)
		}
	}
}

// Help, version and completion need no mount point, and mount nothing.
func TestCommands(t *testing.T) {
	for line, want := range map[string]string{
		"--help": "--spool-size SIZE", "-h": "MOUNTPOINT", "help": "--spool-size SIZE", "help fetch": "assetfs fetch", "fetch --help": "--max-cost",
		"status --help": "--all", "completion bash": "__assetfs", "completion zsh": "#compdef assetfs", "completion fish": "complete -c assetfs",
		"__complete st": "status", "__complete completion ": "zsh", "__complete --resolve ": "metadata",
	} {
		var out bytes.Buffer
		root := newRoot(strings.Split(line, " "), func(*settings) error {
			t.Errorf("assetfs %s mounts", line)
			return nil
		})
		root.SetOut(&out)
		root.SetErr(io.Discard)
		if err := root.Execute(); err != nil || !strings.Contains(out.String(), want) {
			t.Errorf("assetfs %s: %v, and what it prints lacks %q:\n%s", line, err, want, out.String())
		}
	}
}

// A check takes the flags of a mount, except those that don't mount.
func TestCheckRefuses(t *testing.T) {
	for _, line := range []string{"check --manual", "--manual check", "check --version /m", "check --help-all", "check --status", "check --all"} {
		root := newRoot(strings.Fields(line), nil)
		var out bytes.Buffer
		root.SetOut(&out)
		var usage *usageError
		if err := root.Execute(); !errors.As(err, &usage) || strings.Contains(err.Error(), "\n") || out.Len() > 0 {
			t.Errorf("assetfs %s: %v, and prints %q; want one line of usage", line, err, out.String())
		}
	}
}
