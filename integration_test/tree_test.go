package integration_test

import (
	"os"
	"path/filepath"
	"strconv"

	"github.com/rogpeppe/go-internal/testscript"
)

// cmdNamed implements "named ID NAME": the asset has that name, by-id points to it, and its bytes are right.
func cmdNamed(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		usage(ts, "named ID NAME")
	}
	id, name := args[0], args[1]
	mnt := ts.Getenv("MNT")
	listed := names(ts, mnt) // a listing resolves names
	target, err := os.Readlink(filepath.Join(mnt, "by-id", id))
	ts.Check(err)
	if want := "../" + name; target != want {
		ts.Fatalf("by-id/%s points to %q, want %q", id, target, want)
	}
	if !listed[name] {
		ts.Fatalf("%s is not listed as %q, but there are %q", id, name, keys(listed))
	}
	got, err := os.ReadFile(filepath.Join(mnt, name))
	ts.Check(err)
	if want := of(ts).trueBytes(ts, id); string(got) != string(want) {
		ts.Fatalf("%q has %.80q, want the bytes of %s, %.80q", name, got, id, want)
	}
}

// cmdFiles implements "files N DIR".
func cmdFiles(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		usage(ts, "files N DIR")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	if got := names(ts, ts.MkAbs(args[1])); len(got) != want {
		ts.Fatalf("%s has %d entries, want %d: %.2000q", args[1], len(got), want, keys(got))
	}
}

// names returns the names in a directory.
func names(ts *testscript.TestScript, dir string) map[string]bool {
	entries, err := os.ReadDir(dir)
	ts.Check(err)
	set := make(map[string]bool, len(entries))
	for _, e := range entries {
		set[e.Name()] = true
	}
	return set
}
