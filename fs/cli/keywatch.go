package cli

import (
	"context"
	"os"
	"sync"
	"time"

	"assetfs/remote"
)

const (
	// keyEvery is how often the key's file is checked.
	keyEvery = 500 * time.Millisecond
	// keySettled is the age at which a file's time stamp identifies its version.
	keySettled = 2 * time.Second
)

// watchKey calls changed whenever the file holds another key, until end is called. A file that
// can be read only once, like a pipe, is not watched.
func watchKey(file string, key *remote.Key, changed func()) (end func()) {
	if file == "" {
		return func() {}
	}
	key.Renewed() // changes count from now on
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(keyEvery)
		defer tick.Stop()
		var last os.FileInfo
		var read time.Time
		for {
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
			info, err := os.Stat(file)
			if err != nil || !info.Mode().IsRegular() {
				last = nil
				continue
			}
			if last != nil && os.SameFile(info, last) && info.Size() == last.Size() && info.ModTime().Equal(last.ModTime()) && read.Sub(info.ModTime()) > keySettled {
				continue
			}
			last, read = info, time.Now()
			if key.Renewed() {
				changed()
			}
		}
	})
	return func() {
		cancel()
		wg.Wait()
	}
}
