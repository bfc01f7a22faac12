package integration_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// guides are the documents for users besides README.md.
var guides = filepath.Join("..", "fs", "cli", "docs", "*.md")

// TestReadme checks README.md and the guides against the program: the messages in the troubleshooting table are the system's or are
// asserted by a script, flags are in the help, and attributes are those that cli_status reads.
func TestReadme(t *testing.T) {
	readme := read(t, filepath.Join("..", "README.md"))
	lines := strings.Split(strings.TrimSuffix(readme, "\n"), "\n")
	if len(lines) > 160 {
		t.Errorf("README.md has %d lines, want at most 160", len(lines))
	}
	for i, line := range lines {
		if n := utf8.RuneCountInString(line); n > 120 {
			t.Errorf("line %d of README.md has %d columns, want at most 120", i+1, n)
		}
	}

	_, table, _ := strings.Cut(readme, "\n| message | ")
	table, _, _ = strings.Cut(table, "\n\n")
	rows := regexp.MustCompile("(?m)^\\| `(.*?)`(?: \\(([A-Z]+)\\))? \\|").FindAllStringSubmatch(table, -1)
	if want := strings.Count(table, "\n") - 1; len(rows) != want || want < 10 {
		t.Errorf("the table has %d messages in %d rows", len(rows), want)
	}
	asserted := assertions(t)
	for _, row := range rows {
		message, errno := row[1], row[2]
		if errno == "" {
			if !strings.Contains(asserted, message) {
				t.Errorf("no script asserts the message %q", message)
			}
			continue
		}
		if got := errnoText[errno]; !strings.EqualFold(got, message) {
			t.Errorf("%s is %q, in README.md %q", errno, got, message)
		}
		if !strings.Contains(asserted, "errno "+errno+" ") && !strings.Contains(asserted, message) {
			t.Errorf("no script has a program that fails with %s", errno)
		}
	}

	program := filepath.Join(build(t), "assetfs")
	help := output(t, program, "--help-all")
	for _, command := range []string{"status", "fetch", "free", "pin", "unpin", "check"} {
		help += output(t, program, "help", command)
	}
	text := guideTexts(t)
	text["README.md"] = readme
	// These are not our flags.
	others := []string{"--only-values", "--cache", "--device", "--cap-add", "--user", "--now", "--read", "--help-all"}
	for name, text := range text {
		for _, flag := range regexp.MustCompile(`--[a-z]+(-[a-z]+)*`).FindAllString(text, -1) {
			if !slices.Contains(others, flag) && !regexp.MustCompile(flag+`\s`).MatchString(help) {
				t.Errorf("%s has %s, the help does not", name, flag)
			}
		}
	}

	_, attrs, _ := strings.Cut(text["behaviour.md"], "\n| `user.assetfs.` on the root | ")
	attrs, _, _ = strings.Cut(attrs, "\n\n")
	files := scripts(t, "script")
	status := slices.IndexFunc(files, func(name string) bool { return filepath.Base(name) == "cli_status.txtar" })
	script := read(t, files[status])
	_, asked, _ := strings.Cut(script, "\nfor name in ")
	asked, _, _ = strings.Cut(asked, ";")
	names := map[string]bool{}
	for _, row := range regexp.MustCompile("(?m)^\\| (`.*`) \\|").FindAllStringSubmatch(attrs, -1) {
		for _, name := range strings.Split(row[1], ", ") {
			names[strings.Replace(strings.Trim(name, "`"), ".N", ".0", 1)] = true
		}
	}
	for _, name := range strings.Fields(asked) {
		if !names[name] && name != "assets.7" {
			t.Errorf("cli_status asks for the attribute %s, which behaviour.md does not list", name)
		}
		delete(names, name)
	}
	for name := range names {
		t.Errorf("behaviour.md lists the attribute %s, which cli_status does not ask for", name)
	}
}

// TestReadmeLinks checks the links in README.md and the guides.
func TestReadmeLinks(t *testing.T) {
	texts := guideTexts(t)
	link := regexp.MustCompile(`\]\(([^)#:]+)\)`)
	for _, m := range link.FindAllStringSubmatch(read(t, filepath.Join("..", "README.md")), -1) {
		if _, err := os.Stat(filepath.Join("..", m[1])); err != nil {
			t.Error(err)
		}
	}
	for name, text := range texts {
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			if texts[m[1]] == "" {
				t.Errorf("%s links to %s, which is not there", name, m[1])
			}
		}
	}
}

// TestReadmeSession pastes the terminal session of README.md, line by line, as an ordinary user, and compares the output.
func TestReadmeSession(t *testing.T) {
	if err := missing(); err != nil {
		t.Skipf("NOT TESTED, because of what this machine lacks: %v", err)
	}
	readme := read(t, filepath.Join("..", "README.md"))
	_, session, _ := strings.Cut(readme, "\n<!-- session -->\n```console\n")
	session, _, ok := strings.Cut(session, "\n```\n")
	if !ok {
		t.Fatal("README.md has no session")
	}
	var paste, want strings.Builder
	for _, line := range strings.Split(session, "\n") {
		if command, ok := strings.CutPrefix(line, "$ "); ok {
			fmt.Fprintf(&paste, "%s\necho '$'\n", command)
			line = `\$`
			if want.Len() == 0 {
				continue // nothing is printed before the first command
			}
		} else {
			line = regexp.QuoteMeta(line)
		}
		switch line {
		case `\.\.\.`:
			want.WriteString(`(?:.*\n)*?`)
		default:
			want.WriteString(strings.ReplaceAll(line, `\.\.\.`, `.*`) + `\n`)
		}
	}
	want.WriteString(`\$\n`)
	cmd := exec.CommandContext(t.Context(), "bash")
	cmd.Env = []string{"PATH=" + build(t) + ":" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "TMPDIR=" + t.TempDir(), "LC_ALL=C.UTF-8"}
	if os.Geteuid() == 0 {
		cmd.Args = []string{"unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "bash", "-c", asVisitor, "bash", filepath.Join(build(t), "assetfs")}
		cmd.Path, _ = exec.LookPath("unshare")
	}
	cmd.Stdin = strings.NewReader(paste.String())
	got, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v", err)
	}
	if !regexp.MustCompile(`\A` + want.String() + `\z`).Match(got) {
		t.Errorf("printed:\n%s\nwant:\n%s", got, want.String())
	}
}

// asVisitor, run by root, becomes an ordinary user who may use FUSE, with the program $1, and runs a shell.
// When that ends the kernel kills the demo, which leaves its spool behind.
const asVisitor = `set -e
mount -t tmpfs -o mode=755,dev none /mnt
mknod -m 666 /mnt/fuse c 10 229
mount --bind /mnt/fuse /dev/fuse
cp "$1" /mnt
mkdir -m 700 /mnt/home
chown 65534:65534 /mnt/home
exec env -i PATH="/mnt:$PATH" HOME=/mnt/home TMPDIR=/mnt/home LC_ALL=C.UTF-8 setpriv --reuid=65534 --regid=65534 --clear-groups bash`

// assertions returns all assertions of the scripts about output, without the backslashes of regular expressions.
func assertions(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	line := regexp.MustCompile(`(?m)^(?:stderr|stdout|logged|errno|grep|exec grep) .*$`)
	for _, name := range slices.Concat(scripts(t, "script"), scripts(t, "clients"), scripts(t, "servers")) {
		for _, assertion := range line.FindAllString(read(t, name), -1) {
			all.WriteString(strings.ReplaceAll(assertion, `\`, "") + "\n")
		}
	}
	return all.String()
}

func guideTexts(t *testing.T) map[string]string {
	t.Helper()
	names, err := filepath.Glob(guides)
	if err != nil || len(names) == 0 {
		t.Fatal("no guides: ", err)
	}
	texts := map[string]string{}
	for _, name := range names {
		texts[filepath.Base(name)] = read(t, name)
	}
	return texts
}

func output(t *testing.T, program string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), program, args...).Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
