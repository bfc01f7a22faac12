package mount

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
)

// Who mounts on a directory while another process still removes it waits for that moment, and makes it anew.
func TestPrepareWhileItIsRemoved(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	path := filepath.Join(t.TempDir(), "mnt")
	for round := range 100 {
		ending, err := Prepare(path, log)
		if err != nil {
			t.Fatal(err)
		}
		removed := make(chan struct{})
		go func() {
			defer close(removed)
			ending.Remove()
		}()
		p, err := Prepare(path, log)
		<-removed
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		if _, err := os.Stat(path); err != nil {
			t.Fatalf("round %d: it is prepared, and %v", round, err)
		}
		p.Remove()
		os.Remove(path) // if p has found it there
	}
}

// A directory that another process keeps is refused after a moment.
func TestPrepareClaimed(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	path := t.TempDir()
	p, err := Prepare(path, log)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Mounted()
	if _, err := Prepare(path, log); !errors.Is(err, errClaimed) {
		t.Errorf("a claimed directory: %v, want %v", err, errClaimed)
	}
}
