package mountopt

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
)

func TestParse(t *testing.T) {
	for _, test := range []struct {
		text string
		want []Option
	}{
		{"", []Option{{}}},
		{"rw", []Option{{Name: "rw"}}},
		{"rw,uid=1000,dev", []Option{{Name: "rw"}, {"uid", "1000", true}, {Name: "dev"}}},
		{"ids=", []Option{{"ids", "", true}}},
		{"base_url=https://h/?a=b", []Option{{"base_url", "https://h/?a=b", true}}},
		{`id_pattern=re_[0-9]{1\,3}\\.x`, []Option{{"id_pattern", `re_[0-9]{1,3}\.x`, true}}},
		{`spool_dir="/a,b",ro`, []Option{{"spool_dir", "/a,b", true}, {Name: "ro"}}},
		{`a\=b=c\"d`, []Option{{"a=b", `c"d`, true}}},
		{",rw,", []Option{{}, {Name: "rw"}, {}}},
	} {
		got, err := Parse(test.text)
		if err != nil || !reflect.DeepEqual(got, test.want) {
			t.Errorf("Parse(%q) = %+v, %v; want %+v", test.text, got, err, test.want)
		}
	}
	for text, want := range map[string]string{`a\`: "backslash", `a="b`: "quote", "a\nb": "one line", "a\x00": "one line"} {
		var syntax *SyntaxError
		if _, err := Parse(text); !errors.As(err, &syntax) || !strings.Contains(err.Error(), want) {
			t.Errorf("Parse(%q): %v; want a SyntaxError about %q", text, err, want)
		}
	}
}

// flags has a flag of each kind.
type flags struct {
	*pflag.FlagSet
	list  *List
	dir   string
	other bool
	wait  time.Duration
	uid   uint32
	size  Size
	umask Umask
	names *Choice
	level int
}

func newFlags() *flags {
	f := &flags{FlagSet: pflag.NewFlagSet("assetfs", pflag.ContinueOnError), size: 1 << 20, names: OneOf("disposition", "metadata")}
	f.StringVar(&f.dir, "spool-dir", "", "`DIR` for bytes")
	f.BoolVar(&f.other, "allow-other", false, "")
	f.DurationVar(&f.wait, "list-wait", 0, "")
	f.Uint32Var(&f.uid, "uid", 0, "")
	f.Var(&f.size, "spool-size", "")
	f.Var(&f.umask, "umask", "")
	f.Var(f.names, "resolve", "")
	f.CountVarP(&f.level, "verbose", "v", "")
	f.Bool("status", false, "")
	f.list = NewList(f.FlagSet, "status", "options")
	f.VarP(f.list, "options", "o", "")
	return f
}

func TestListSetsFlags(t *testing.T) {
	f := newFlags()
	args := []string{
		"ids", "-o", `rw,dev,suid,_netdev,x-systemd.automount,X-mount.mkdir=0755,user=me,nofail`,
		"mnt", "-o", `spool_dir=/a\,b,allow_other,list-wait=3s,uid=1000,spool_size=10GiB,umask=027,resolve=metadata,verbose`,
	}
	if err := f.Parse(args); err != nil {
		t.Fatal(err)
	}
	if f.dir != "/a,b" || !f.other || f.wait != 3*time.Second || f.uid != 1000 || f.size != 10<<30 || f.umask != 0o27 ||
		f.names.Value != "metadata" || f.level != 1 || !f.list.Given() {
		t.Errorf("Parse(%q) set %+v", args, f)
	}
	if got := f.Args(); !reflect.DeepEqual(got, []string{"ids", "mnt"}) {
		t.Errorf("arguments left are %q, want ids and mnt", got)
	}
}

func TestListSaysWhatToWrite(t *testing.T) {
	for text, want := range map[string]string{
		"nonempty":         "there is no such option",
		"rw,bogus=1":       `"bogus"`,
		"status":           "there is no such option; write a long flag",
		"option":           "there is no such option; write a long flag", // one that is refused is not proposed
		"options=rw":       "there is no such option",
		"uid=1,b/c":        `in a value, write \, for a comma`,
		"remount,rw":       "unmount it, then mount it again",
		"spool_dir":        "write spool_dir=DIR",
		"list_wait=soon":   "write a duration like 5s",
		"uid=me":           "write a number",
		"allow_other=some": "write true or false",
		"spool-size=many":  "write a size like",
		"umask=99":         "write octal digits",
		"resolve=guess":    "write disposition or metadata",
		`uid=1\`:           "backslash",
	} {
		err := newFlags().list.Set(text)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("-o %q: %v; want one line with %q", text, err, want)
		}
	}
}

func TestUsage(t *testing.T) {
	for arg, want := range map[string]string{
		"--bogus":           "there is no flag --bogus; see assetfs --help-all",
		"-z":                "there is no flag -z; see assetfs --help-all",
		"--spool-dir":       "--spool-dir needs a value; write --spool-dir=DIR",
		"--uid=me":          "--uid=me: write a number (see: id)",
		"--spool-size=many": "--spool-size=many: write a size like 64MiB, 10G or 4096",
		"-oumask=8":         "-o umask=8: write octal digits like 022",
		"-obogus":           `-o "bogus": there is no such option; write a long flag without its dashes (see assetfs --help-all)`,
		"--=x":              "bad flag syntax: --=x; see assetfs --help-all",
	} {
		flags := newFlags()
		err := flags.Parse([]string{arg})
		if got := Usage(err, flags.FlagSet, "assetfs --help-all"); got.Error() != want {
			t.Errorf("for %s it says %q, want %q", arg, got, want)
		}
	}
}

func TestMayAllowOther(t *testing.T) {
	dir := t.TempDir()
	for name, test := range map[string]struct {
		text string
		want bool
	}{
		"comment": {"# user_allow_other\n#user_allow_other\n", false},
		"line":    {"mount_max = 10\n  user_allow_other \n", true},
		"longer":  {"user_allow_others\n", false},
		"remark":  {"user_allow_other # yes", true},
	} {
		conf := filepath.Join(dir, name)
		if err := os.WriteFile(conf, []byte(test.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := MayAllowOther(conf); (err == nil) != test.want {
			t.Errorf("MayAllowOther of %q: %v, want allowed %t", test.text, err, test.want)
		}
	}
	err := MayAllowOther(filepath.Join(dir, "none"))
	if err == nil || !strings.Contains(err.Error(), "user_allow_other to "+dir) {
		t.Errorf("MayAllowOther of no file: %v; want what to write where", err)
	}
}

// FuzzParse checks that no list of options breaks the parser, and that what it read can be written and read again.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{"", "rw,allow_other,uid=1000", `a\,b="c,d",e=\"`, `x=\\,y=`, ",,=", `id_pattern=re_[0-9]{1\,3}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		options, err := Parse(text)
		if err != nil {
			return
		}
		words := make([]string, len(options))
		for i, o := range options {
			words[i] = o.String()
		}
		again, err := Parse(strings.Join(words, ","))
		if err != nil || !reflect.DeepEqual(again, options) {
			t.Errorf("Parse(%q) = %+v; written as %q it reads %+v, %v", text, options, words, again, err)
		}
		newFlags().list.Set(text) //nolint:errcheck // it must not panic
	})
}

func TestNearest(t *testing.T) {
	known := []string{"spool-size", "spool-dir", "ids", "uid", "status"}
	for word, want := range map[string]string{
		"spool-siez": "spool-size", "spoolsize": "spool-size", "spol-dirr": "spool-dir", "stauts": "status", "statsu": "status", "idz": "ids", "is": "ids",
		"ids": "ids", "quiet": "", "": "", "s": "", "size": "spool-size", "spool": "", "gid": "uid",
	} {
		if got := Nearest(word, known); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", word, got, want)
		}
	}
	// Only the swap of two neighbours is one mistake.
	for pair, want := range map[[2]string]int{{"ab", "ba"}: 1, {"xab", "xba"}: 1, {"ab", "bc"}: 2, {"ab", "ca"}: 2, {"", "abc"}: 3} {
		if got := distance(pair[0], pair[1]); got != want {
			t.Errorf("%q is %d from %q, want %d", pair[0], got, pair[1], want)
		}
	}
}
