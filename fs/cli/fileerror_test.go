package cli

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// An error of a file names the flag and the path once each.
func TestFileError(t *testing.T) {
	dir := t.TempDir()
	link := func(name, target string) {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	link("dangling", "nowhere")
	link("circle", "circle")
	for name, want := range map[string]string{
		"missing":        "no such file",
		"no/such/folder": "no such file",
		"dangling":       "is a dangling symbolic link",
		"circle":         "is a loop of symbolic links",
		".":              "is a directory",
	} {
		path := filepath.Join(dir, name)
		_, err := os.ReadFile(path)
		err = fileError("--ids", path, err, "give a file")
		var usage *usageError
		if want := "--ids " + path + ": " + want + "; give a file"; err.Error() != want || !errors.As(err, &usage) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	err := fileError("--ids", "x", errors.New("odd"), "give a file")
	if !strings.HasPrefix(err.Error(), "--ids x: odd;") {
		t.Error(err)
	}
}

func TestEnoughFiles(t *testing.T) {
	err := enoughFiles(12)
	if want := "the open-file limit of 12 is too low, 64 are needed; raise it (ulimit -n 1024)"; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	if err := enoughFiles(filesLeast); err != nil {
		t.Error(err)
	}
}
