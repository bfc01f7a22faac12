package cli

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"sync"
	"time"

	"assetfs/fs"
	"assetfs/fs/spool"
	"assetfs/remote"
)

// reviewFor is how long a mount in the background waits for the API before it is
// ready, so that whoever mounts sees the warnings.
const reviewFor = 2 * time.Second

// review is what "assetfs check" would have found, while a mount is made. It delays
// none.
type review struct {
	log *slog.Logger

	mu    sync.Mutex    // guards what follows
	found []finding     // until they are logged
	done  chan struct{} // closed when the API has been asked
	wg    sync.WaitGroup
	stop  context.CancelFunc
}

// warn says on standard error what a user should know.
func (a *app) warn(text string) { fmt.Fprintln(a.out, "assetfs: warning:", printable(text)) }

// newReview looks at this machine, and asks the API in the background. dir is the
// spool, which is open.
func (a *app) newReview(client *remote.Client, base *url.URL, dir *fs.Store, ids []string) *review {
	ctx, cancel := context.WithTimeout(context.Background(), answerWithin)
	r := &review{log: a.log, done: make(chan struct{}), stop: cancel}
	r.add(machineFindings(fs.LookAtMachine(), a.settings))
	r.add(processFindings(openFiles(), memoryLimit(), os.Getenv))
	state := dir.State()
	state.Kind = spool.Lasting // who has it in memory or on a network wants it there
	r.add(diskFindings(state.State, a.settings))
	if _, found := a.keyFindings(); !a.noKey {
		r.add(found)
	}
	// Of no asset it is asked only for those who leave: others see what the first
	// read meets.
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

// add takes findings that are worth a warning.
func (r *review) add(all []finding) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, f := range all {
		if f.grade > fine {
			r.found = append(r.found, f)
		}
	}
}

// wait waits for the API, but not for long, and returns what was found until then
// in words.
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

// publish logs what was found and what is still to be.
func (r *review) publish() {
	say := func() {
		r.mu.Lock()
		found := r.found
		r.found = nil
		r.mu.Unlock()
		for _, f := range found {
			r.log.Warn("not as it should be", "what", f.what, "text", f.text)
		}
	}
	say()
	r.wg.Go(func() {
		<-r.done
		say()
	})
}

// close ends what is under way.
func (r *review) close() {
	r.stop()
	r.wg.Wait()
}
