package integration_test

import (
	"errors"
	iofs "io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// licences are the licences that modules linked into assetfs may have, with words that identify them.
var licences = []struct{ name, words string }{
	{"Apache-2.0", "Apache License Version 2.0, January 2004"},
	{"MIT", "Permission is hereby granted, free of charge, to any person obtaining a copy of this software"},
	{"Unlicense", "This is free and unencumbered software released into the public domain."},
	{"BSD", "Redistribution and use in source and binary forms, with or without modification, are permitted"},
}

// TestLicences logs the licence of each module linked into assetfs, and fails if one is not in the list above.
func TestLicences(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{with .Module}}{{.Path}} {{.Dir}}{{end}}", "assetfs").Output()
	if err != nil {
		t.Fatal(err)
	}
	modules := strings.Split(strings.TrimSpace(string(out)), "\n")
	slices.Sort(modules)
	listed := 0
	for _, module := range slices.Compact(modules) {
		path, dir, _ := strings.Cut(module, " ")
		if path == "assetfs" || path == "" {
			continue
		}
		listed++
		name, err := licence(dir)
		if err != nil || name == "" {
			t.Errorf("%s: unknown licence in %s, %v", path, dir, err)
		}
		t.Logf("%-40s %s", path, name)
	}
	if listed == 0 {
		t.Error("no module found")
	}
}

// licence returns the name of the licence in dir, "" if it is unknown.
func licence(dir string) (string, error) {
	for _, file := range []string{"LICENSE", "LICENSE.txt", "LICENSE.md", "COPYING", "UNLICENSE"} {
		b, err := os.ReadFile(filepath.Join(dir, file))
		if errors.Is(err, iofs.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", err
		}
		text := strings.Join(strings.Fields(string(b)), " ")
		for _, l := range licences {
			if strings.Contains(text, l.words) {
				return l.name, nil
			}
		}
		return "", nil
	}
	return "", iofs.ErrNotExist
}
