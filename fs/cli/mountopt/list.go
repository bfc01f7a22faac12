package mountopt

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/pflag"
)

// UnknownError means that an option has the name of no flag.
type UnknownError struct {
	Option Option
	Near   string // a flag that may be meant; "": none
}

func (e *UnknownError) Error() string {
	if e.Option.Name == "remount" {
		return "-o remount: assetfs can't change a mount; unmount it, then mount it again"
	}
	if strings.Trim(strings.ToLower(e.Option.Name), "abcdefghijklmnopqrstuvwxyz0123456789_-") != "" {
		return fmt.Sprintf(`-o %.80q: there is no such option; in a value, write \, for a comma`, e.Option.Name)
	}
	if e.Near != "" {
		return fmt.Sprintf("-o %.80q: there is no such option; did you mean %s?", e.Option.Name, strings.ReplaceAll(e.Near, "-", "_"))
	}
	return fmt.Sprintf("-o %.80q: there is no such option; write a long flag without its dashes (see assetfs --help-all)", e.Option.Name)
}

// ValueError means that an option's value is missing or invalid.
type ValueError struct {
	Option Option
	Err    error
}

func (e *ValueError) Error() string { return fmt.Sprintf("-o %.80s: %v", e.Option, e.Err) }
func (e *ValueError) Unwrap() error { return e.Err }

// List is the value of the flag -o. Setting it sets other flags at once.
type List struct {
	flags  *pflag.FlagSet
	refuse map[string]bool
	given  bool
}

var _ pflag.Value = (*List)(nil)

// NewList returns a value that sets flags, except those in refuse.
func NewList(flags *pflag.FlagSet, refuse ...string) *List {
	l := &List{flags: flags, refuse: map[string]bool{}}
	for _, name := range refuse {
		l.refuse[name] = true
	}
	return l
}

// Given reports whether -o was given, even with an empty list.
func (l *List) Given() bool { return l.given }

// Set sets the flags that the options in text stand for, in order. Errors are of the types
// *SyntaxError, *UnknownError and *ValueError.
func (l *List) Set(text string) error {
	options, err := Parse(text)
	if err != nil {
		return err
	}
	l.given = true
	for _, o := range options {
		if o.Ignored() {
			continue
		}
		if err := l.apply(o); err != nil {
			return err
		}
	}
	return nil
}

func (l *List) apply(o Option) error {
	name := o.Flag()
	flag := l.flags.Lookup(name)
	if flag == nil || l.refuse[name] {
		var known []string
		for _, n := range names(l.flags) {
			if !l.refuse[n] {
				known = append(known, n)
			}
		}
		return &UnknownError{o, Nearest(name, known)}
	}
	value := o.Value
	if !o.Valued {
		if value = flag.NoOptDefVal; value == "" {
			return &ValueError{o, fmt.Errorf("it needs a value; write %s=%s", o.Name, Kind(flag))}
		}
	}
	if err := l.flags.Set(name, value); err != nil {
		var invalid *pflag.InvalidValueError
		if errors.As(err, &invalid) {
			err = Explain(flag, invalid.Unwrap())
		}
		return &ValueError{o, err}
	}
	return nil
}

// String returns "", because the options show as the flags that they set.
func (l *List) String() string { return "" }

// Type names the value in the help text.
func (l *List) Type() string { return "OPTS" }

// Usage describes in one line an error of pflag, and what to write instead. help is the command that
// lists all of flags.
func Usage(err error, flags *pflag.FlagSet, help string) error {
	var (
		invalid *pflag.InvalidValueError
		missing *pflag.ValueRequiredError
		unknown *pflag.NotExistError
	)
	switch {
	case errors.As(err, &invalid):
		flag := invalid.GetFlag()
		switch flag.Value.(type) {
		case *List:
			return invalid.Unwrap() // it names the option
		case Gone:
			return fmt.Errorf("--%s %w", flag.Name, invalid.Unwrap())
		}
		return fmt.Errorf("--%s=%s: %w", flag.Name, invalid.GetValue(), Explain(flag, invalid.Unwrap()))
	case errors.As(err, &missing):
		flag := missing.GetFlag()
		return fmt.Errorf("--%s needs a value; write --%s=%s", flag.Name, flag.Name, Kind(flag))
	case errors.As(err, &unknown):
		return unknownFlag(unknown, flags, help)
	}
	return fmt.Errorf("%w; see %s", err, help)
}

// unknownFlag says that a flag does not exist, and which one may be meant.
func unknownFlag(unknown *pflag.NotExistError, flags *pflag.FlagSet, help string) error {
	dashes, name := "--", unknown.GetSpecifiedName()
	if group := unknown.GetSpecifiedShortnames(); group != "" {
		dashes = "-"
		// Perhaps a long flag with one dash.
		long, _, _ := strings.Cut(group, "=")
		if f := flags.Lookup(long); f != nil && !f.Hidden {
			return fmt.Errorf("there is no flag -%s; write --%s", long, long)
		}
		if near := Nearest(long, names(flags)); near != "" {
			return fmt.Errorf("there is no flag -%s; did you mean --%s?", long, near)
		}
	}
	if near := Nearest(name, names(flags)); near != "" {
		return fmt.Errorf("there is no flag %s%s; did you mean --%s?", dashes, name, near)
	}
	return fmt.Errorf("there is no flag %s%s; see %s", dashes, name, help)
}

// names returns the names of all visible flags.
func names(flags *pflag.FlagSet) (all []string) {
	flags.VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			all = append(all, f.Name)
		}
	})
	return all
}
