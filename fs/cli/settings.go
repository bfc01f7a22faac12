package cli

import (
	"cmp"
	"os"
	"regexp"
	"time"

	"github.com/spf13/pflag"

	"assetfs/fs/cli/mountopt"
	"assetfs/remote"
)

const (
	defaultBaseURL = "https://mavi-backend.memories.ai/serve/api/v2"
	defaultPattern = "re_[0-9]+"
)

// keyVariable is the environment variable that may hold the API key.
const keyVariable = "MEMORIES_API_KEY"

// settings are the flags and arguments. DESIGN.md, "The command line", is the contract.
type settings struct {
	Mountpoint string   // absolute
	Args       []string // asset IDs given as arguments
	Source     string   // SOURCE as mount(8) gave it, which fstab and `mount -a` compare; "": not called by mount(8)

	Demo, Version, HelpAll, Manual, Daemon bool

	IDs          string         // file of asset IDs, absolute; "-": standard input, "": none
	Pattern      string         // as the user wrote it
	IDPattern    *regexp.Regexp // Pattern, anchored
	Resolve      *mountopt.Choice
	ListWait     time.Duration
	BaseURL      string // unchecked
	Insecure     bool
	KeyFile      string // absolute; "": none
	CAFile       string // absolute; "": none
	RateLimit    remote.RateLimit
	StallTimeout time.Duration
	RetryFor     time.Duration
	SpoolDir     string // absolute; "": the default
	SpoolSize    mountopt.Size
	MinFree      mountopt.Size
	ReadAhead    mountopt.Size
	MaxDownload  mountopt.Size
	MaxPerMonth  mountopt.Size
	PricePerGB   float64
	AllowOther   bool
	StableInodes bool
	UID, GID     uint32
	Umask        mountopt.Umask
	Progress     *mountopt.Choice
	LogFormat    *mountopt.Choice
	Verbose      int
	DebugFUSE    bool
	Library      libraries

	hidden  string // the command that a directory of that name hides; "": none
	flags   *pflag.FlagSet
	groups  []*pflag.FlagSet // for the help text, each named by its title
	options *mountopt.List
}

// usageError is a mistake on the command line.
type usageError struct{ Err error }

func (e *usageError) Error() string { return e.Err.Error() }
func (e *usageError) Unwrap() error { return e.Err }

// newSettings returns the defaults, bound to the flags that change them.
func newSettings() *settings {
	s := &settings{
		RateLimit: remote.AutoRateLimit(), SpoolSize: 20 << 30, MinFree: 1 << 30, ReadAhead: 64 << 20,
		Resolve: mountopt.OneOf("disposition", "metadata"), LogFormat: mountopt.OneOf("text", "json"),
		Progress: mountopt.OneOf("auto", "never", "always"),
	}
	s.flags = s.define()
	return s
}

// complete reads the arguments after the flags have been parsed, and checks everything. Errors are of
// type *usageError and are one line.
func (s *settings) complete(args []string) error {
	err := notEmpty(s.flags)
	if err == nil {
		err = s.check(args)
	}
	if err != nil {
		return &usageError{err}
	}
	return nil
}

// define binds the flags.
func (s *settings) define() *pflag.FlagSet {
	group := func(title string) *pflag.FlagSet {
		g := pflag.NewFlagSet(title, pflag.ContinueOnError)
		g.SortFlags = false
		s.groups = append(s.groups, g)
		return g
	}
	f := group("Assets")
	f.Var((*mountopt.Once)(&s.IDs), "ids", "`FILE` of asset IDs, one a line; - is standard input")
	f.StringVar(&s.Pattern, "id-pattern", defaultPattern, "`REGEXP` that asset IDs match")
	s.Library.define(f)
	f.VarP(s.Resolve, "resolve", "", "where names come from")
	f.DurationVar(&s.ListWait, "list-wait", 5*time.Second, "how long a listing waits for names")
	f.BoolVar(&s.Demo, "demo", false, "sample assets; no key, no network")

	f = group("API")
	f.StringVar(&s.BaseURL, "base-url", cmp.Or(os.Getenv("ASSETFS_BASE_URL"), defaultBaseURL), "`URL` of the API (else env ASSETFS_BASE_URL)")
	f.StringVar(&s.KeyFile, "api-key-file", "", "`FILE` with the key (else env "+keyVariable+")")
	f.StringVar(&s.CAFile, "ca-file", "", "`FILE` of additional certificates to trust")
	f.BoolVar(&s.Insecure, "insecure-http", false, "allow plain http to other hosts than loopback")
	f.Var((*rateLimit)(&s.RateLimit), "rate-limit", "`LIST` like 1/s,12/m; none; auto: 1/s, and learn")
	gone(f, "requests-per-minute", "is --rate-limit now; write --rate-limit=12/m, or --rate-limit=none")
	f.DurationVar(&s.StallTimeout, "stall-timeout", 30*time.Second, "give a download up after this long without a byte")
	f.DurationVar(&s.RetryFor, "retry-for", 2*time.Minute, "how long one read keeps retrying")

	f = group("Spool and cost")
	f.StringVar(&s.SpoolDir, "spool-dir", "", "`DIR` for bytes; else assetfs in the user's cache")
	f.Var(&s.SpoolSize, "spool-size", "keep the spool within this; 0 = no limit")
	f.Var(&s.MinFree, "spool-min-free", "always leave this much of the disk")
	f.Var(&s.ReadAhead, "read-ahead", "the most a download runs ahead of readers")
	f.Var(&s.MaxDownload, "max-download", "a budget: stop downloading after this much")
	f.Var(&s.MaxPerMonth, "max-per-month", "a monthly budget for this spool")
	f.Float64Var(&s.PricePerGB, "price-per-gb", 0.12, "`DOLLARS`, for reports")

	f = group("Mount")
	f.BoolVar(&s.AllowOther, "allow-other", false, "let other users use the mount")
	f.BoolVar(&s.StableInodes, "stable-inodes", false, "one inode per content, as overlayfs needs")
	f.Uint32Var(&s.UID, "uid", uint32(os.Getuid()), "`ID` of the files' owner")
	f.Uint32Var(&s.GID, "gid", uint32(os.Getgid()), "`ID` of the files' group")
	f.Var(&s.Umask, "umask", "octal mode bits to remove")
	f.BoolVar(&s.Daemon, "daemon", false, "return when ready; log to assetfs.log in --spool-dir")

	out := group("Output")
	gone(out, "status", "is a command now; write assetfs status MOUNTPOINT")
	gone(out, "json", "is a flag of a command; write assetfs status --json MOUNTPOINT")
	out.Var(s.Progress, "progress", "live lines of running downloads")
	out.Var(s.LogFormat, "log-format", "how log lines are written")
	out.CountVarP(&s.Verbose, "verbose", "v", "log more; -v -v logs every request")
	out.BoolVar(&s.DebugFUSE, "debug-fuse", false, "log every request of the kernel")
	out.BoolVar(&s.Version, "version", false, "print the version")
	out.BoolP("help", "h", false, "print the everyday flags")
	out.BoolVar(&s.HelpAll, "help-all", false, "print all flags")
	out.BoolVar(&s.Manual, "manual", false, "print the manual page, for man -l -")

	all := pflag.NewFlagSet("assetfs", pflag.ContinueOnError)
	s.options = mountopt.NewList(all, "options", "status", "json", "version", "help", "help-all", "manual")
	f.VarP(s.options, "options", "o", "as for mount(8); flags are options: spool_size=1G")
	for _, g := range s.groups {
		all.AddFlagSet(g)
	}
	return all
}

// gone adds a removed flag. instead says what replaces it.
func gone(f *pflag.FlagSet, name, instead string) {
	f.Var(mountopt.Gone(instead), name, "")
	f.Lookup(name).Hidden = true
	f.Lookup(name).NoOptDefVal = "true" // with or without a value
}

// rateLimit is the value of --rate-limit.
type rateLimit remote.RateLimit

func (l *rateLimit) Set(text string) error {
	limit, err := remote.ParseRateLimit(text)
	*l = rateLimit(limit)
	return err
}

func (l *rateLimit) String() string { return (*remote.RateLimit)(l).String() }
func (l *rateLimit) Type() string   { return "list" }
