package cli

import (
	"context"
	"os"
	"sync"
	"time"

	"assetfs/remote"
)

// keySettled is the age at which a file's time stamp identifies its version.
const keySettled = 2 * time.Second

// watching runs watch until end is called. That does not wait for watch, which may look
// at a disk that hangs, but what watch calls do for is not done any more then.
func watching(watch func(ctx context.Context, do func(func()))) (end func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var mu sync.Mutex // held while something is done
	go watch(ctx, func(what func()) {
		mu.Lock()
		defer mu.Unlock()
		if ctx.Err() == nil {
			what()
		}
	})
	return func() {
		mu.Lock()
		defer mu.Unlock()
		cancel()
	}
}

// watchKey calls changed whenever the file holds another key, until end is called. A file that
// can be read only once, like a pipe, is not watched. The file is checked each second.
func watchKey(file string, key *remote.Key, changed func()) (end func()) {
	if file == "" {
		return func() {}
	}
	return watching(func(ctx context.Context, do func(func())) {
		key.Renewed() // changes count from now on
		var last os.FileInfo
		var read time.Time
		for {
			now := time.Now()
			select { // at each full second; see ledger
			case <-time.After(now.Truncate(time.Second).Add(time.Second).Sub(now)):
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
				do(changed)
			}
		}
	})
}
