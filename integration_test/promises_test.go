package integration_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestPromises checks that each promise to users in fs/doc.go (P1, P2, ...) is quoted,
// word for word, by a script that tests it, and that the table in doc_test.go names the tests
// that hold it.
func TestPromises(t *testing.T) {
	doc, err := os.ReadFile(filepath.Join("..", "fs", "doc.go"))
	if err != nil {
		t.Fatal(err)
	}
	table, err := os.ReadFile("doc_test.go")
	if err != nil {
		t.Fatal(err)
	}
	held := map[string]string{}
	for _, line := range regexp.MustCompile(`(?m)^//\t(P[0-9]+) +(.*)$`).FindAllStringSubmatch(string(table), -1) {
		held[line[1]] = line[2]
	}
	known := holders{}
	quotes, quotedIn := map[string]string{}, map[string]string{}
	for _, name := range slices.Concat(scripts(t, "script"), scripts(t, "clients")) {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for id, promise := range promises(string(text), "#") {
			quotes[id] = promise
			quotedIn[id] = strings.TrimSuffix(filepath.Base(name), ".txtar")
		}
	}
	made := promises(string(doc), "//")
	if len(made) < 14 {
		t.Errorf("found %d promises in fs/doc.go, want at least 14", len(made))
	}
	for id, promise := range made {
		if quotes[id] != promise {
			t.Errorf("%s is %q in fs/doc.go, and %q in the scripts", id, promise, quotes[id])
		}
		known.check(t, id, held[id])
		if !regexp.MustCompile(`\b(script|clients) ` + quotedIn[id] + `\b`).MatchString(held[id]) {
			t.Errorf("%s is quoted by %s, which the table of doc_test.go does not name", id, quotedIn[id])
		}
		delete(held, id)
	}
	for id := range held {
		t.Errorf("%s stands in the table of doc_test.go, and is no promise", id)
	}
}

var promiseStart = regexp.MustCompile(`^(P[0-9]+)\. `)

// promises returns the promises in the comments of a text. Each begins with its number
// and ends before the next one, a heading, an empty line or other text.
func promises(text, comment string) map[string]string {
	found := map[string]string{}
	id := ""
	for _, line := range strings.Split(text, "\n") {
		body, ok := strings.CutPrefix(line, comment+" ")
		if !ok || strings.HasPrefix(body, "#") {
			id = ""
			continue
		}
		if m := promiseStart.FindStringSubmatch(body); m != nil {
			id = m[1]
		}
		if id != "" {
			found[id] = strings.TrimSpace(found[id] + " " + body)
		}
	}
	return found
}
