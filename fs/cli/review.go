package cli

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"sync"
	"time"

	"assetfs/fs/mount"
	"assetfs/fs/service"
	"assetfs/fs/spool"
	"assetfs/remote"
)

// reviewFor is how long a mount in the background waits for the API before it is ready, so that its
// user sees the warnings.
const reviewFor = 2 * time.Second

// review does the checks of "assetfs check" while a mount is made, without delaying it.
type review struct {
	log *slog.Logger

	mu    sync.Mutex    // guards the fields below
	found []finding     // not logged yet
	done  chan struct{} // closed when the API has answered
	wg    sync.WaitGroup
	stop  context.CancelFunc
}

// warn prints a warning on standard error.
func (a *app) warn(text string) { fmt.Fprintln(a.out, "assetfs: warning:", printable(text)) }

// newReview examines this machine, and calls the API in the background. dir is the open spool.
func (a *app) newReview(client *remote.Client, base *url.URL, dir *service.Store, ids []string) *review {
	ctx, cancel := context.WithTimeout(context.Background(), answerWithin)
	r := &review{log: a.log, done: make(chan struct{}), stop: cancel}
	r.add(machineFindings(mount.LookAtMachine(), a.settings))
	r.add(processFindings(openFiles(), memoryLimit(), os.Getenv))
	state := dir.State()
	state.Kind = spool.Lasting // whoever put it in memory or on a network meant to
	r.add(diskFindings(state.State, a.settings))
	if _, found := a.keyFindings(); !a.noKey {
		r.add(found)
	}
	// Without a listed asset the API is called only for a background mount, whose user won't see
	// what the first read meets.
	if a.noKey || a.Demo || len(ids) == 0 && a.child == nil {
		close(r.done)
		return r
	}
	id := append(ids, unlistedID)[0]
	check := client.CheckFirst(id)
	r.wg.Go(func() {
		defer close(r.done)
		if c := check(ctx); ctx.Err() == nil || c.Verdict == remote.Silent {
			r.add(networkFindings(c, base, true))
		}
	})
	return r
}

// add adds findings that are worth a warning.
func (r *review) add(all []finding) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, f := range all {
		if f.grade > fine {
			r.found = append(r.found, f)
		}
	}
}

// wait waits for the API, for reviewFor at most, and returns what was found.
func (r *review) wait() []string {
	select {
	case <-r.done:
	case <-time.After(reviewFor):
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	var texts []string
	for _, f := range r.found {
		texts = append(texts, f.what+": "+f.text)
	}
	return texts
}

// publish logs what was found, and later what is still to come.
func (r *review) publish() {
	say := func() {
		r.mu.Lock()
		found := r.found
		r.found = nil
		r.mu.Unlock()
		for _, f := range found {
			r.log.Warn("problem found", "what", f.what, "text", f.text)
		}
	}
	say()
	r.wg.Go(func() {
		<-r.done
		say()
	})
}

// close ends a running call.
func (r *review) close() {
	r.stop()
	r.wg.Wait()
}
