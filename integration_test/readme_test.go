package integration_test

import (
	iofs "io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestReadme holds README.md and the program together: the messages of its
// troubleshooting table are the system's or stand in the source, its flags are
// in the help, and its attributes are those that cli_status asks for.
func TestReadme(t *testing.T) {
	readme := read(t, filepath.Join("..", "README.md"))
	source := sourceText(t)
	_, table, _ := strings.Cut(readme, "\n| message | ")
	table, _, _ = strings.Cut(table, "\n\n")
	rows := regexp.MustCompile("(?m)^\\| `(.*?)`(?: \\(([A-Z]+)\\))? \\|").FindAllStringSubmatch(table, -1)
	if want := strings.Count(table, "\n") - 1; len(rows) != want || want < 10 {
		t.Errorf("the table has %d messages in %d rows", len(rows), want)
	}
	for _, row := range rows {
		message, errno := row[1], row[2]
		if errno != "" {
			if got := errnoText[errno]; !strings.EqualFold(got, message) {
				t.Errorf("%s is %q, in README.md %q", errno, got, message)
			}
			continue
		}
		for _, part := range strings.Split(message, "...") {
			if !strings.Contains(source, part) {
				t.Errorf("no message of the program has %q, of the row %q", part, message)
			}
		}
	}

	// What is found in README.md, but is no flag of ours.
	others := []string{"--only-values", "--cache", "--device", "--cap-add", "--read"}
	program := filepath.Join(build(t), "assetfs")
	help, err := exec.CommandContext(t.Context(), program, "--help-all").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{"status", "fetch", "free", "check"} {
		more, err := exec.CommandContext(t.Context(), program, "help", command).Output()
		if err != nil {
			t.Fatal(err)
		}
		help = append(help, more...)
	}
	for _, flag := range regexp.MustCompile(`--[a-z]+(-[a-z]+)*`).FindAllString(readme, -1) {
		if !slices.Contains(others, flag) && !regexp.MustCompile(flag+`\s`).Match(help) {
			t.Errorf("README.md has %s, the help does not", flag)
		}
	}

	_, attrs, _ := strings.Cut(readme, "\n| `user.assetfs.` on the root | ")
	attrs, _, _ = strings.Cut(attrs, "\n\n")
	script := read(t, filepath.Join("testdata", "script", "cli_status.txtar"))
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
			t.Errorf("cli_status asks for the attribute %s, which README.md does not list", name)
		}
		delete(names, name)
	}
	for name := range names {
		t.Errorf("README.md lists the attribute %s, which cli_status does not ask for", name)
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// sourceText is all Go source but tests.
func sourceText(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir("..", func(path string, _ iofs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") {
			all.WriteString(read(t, path))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}
