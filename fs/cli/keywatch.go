package cli

import (
	"context"
	"os"
	"sync"
	"time"

	"assetfs/remote"
)

const (
	// keyEvery is how often the file of the key is looked at.
	keyEvery = 500 * time.Millisecond
	// keySettled is the age from which on a file's time stamp tells versions apart.
	keySettled = 2 * time.Second
)

// watchKey calls changed when the file holds another key, until the function that
// it returns is called. What can be read only once, a pipe, say, is not watched.
func watchKey(file string, key *remote.Key, changed func()) (end func()) {
	if file == "" {
		return func() {}
	}
	key.Renewed() // from now on
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
