package asset

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"assetfs/fs/ranges"
)

// A download that brings nothing says what it waits for.
func TestStreamsTellWhatTheyWaitFor(t *testing.T) {
	for _, tc := range []struct {
		name    string
		latency time.Duration
		rate    int64
		stall   int64
		at      time.Duration
		cause   Cause
		until   time.Duration // from the read on; 0: nobody knows
	}{
		{"an answer", 10 * time.Second, 0, 0, time.Second, CauseAnswer, 30 * time.Second},
		{"the first byte", 1, 1 << 10, 0, time.Second, CauseSilence, 30 * time.Second},
		{"nothing", 1, mib, 0, time.Second, CauseBytes, 0},
		{"the next byte", 1, mib, mib, 4 * time.Second, CauseSilence, 31 * time.Second},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, &fakeServer{size: 64 * mib, ranged: true, latency: tc.latency, rate: tc.rate, stall: tc.stall})
				defer r.store.close()
				defer r.Close()
				rd := r.Open()
				ctx, cancel := context.WithCancel(context.Background())
				began := time.Now()
				done := make(chan struct{})
				go func() {
					defer close(done)
					_, _ = rd.ReadAt(ctx, make([]byte, 16*mib), 0) // it ends with ctx
				}()
				time.Sleep(tc.at)
				all := r.Streams()
				if len(all) != 1 || all[0].Why.Cause != tc.cause || tc.until != 0 && all[0].Why.Until.Sub(began).Round(time.Second) != tc.until {
					t.Errorf("after %v: %+v; want one that waits for %v until %v", tc.at, all, tc.cause, tc.until)
				}
				cancel()
				<-done
				rd.Close()
			})
		})
	}
}

// queued is a source whose requests wait for their turn until they are let go.
type queued struct {
	*fakeServer
	step chan bool // what the source says of the request
	said chan struct{}
}

func (q *queued) Open(ctx context.Context, id string, r Request) (*Response, error) {
	for sent := range q.step {
		r.Sent(sent)
		q.said <- struct{}{}
	}
	return q.fakeServer.Open(ctx, id, r)
}

// A request that waits for its turn is told from one that has been sent, and from one
// that was refused and waits again.
func TestRequestSentOrQueued(t *testing.T) {
	test(t, &fakeServer{size: 64 * mib, ranged: true, perMin: 1}, func(r *rig) {
		q := &queued{r.server, make(chan bool), make(chan struct{})}
		r.server.times = append(r.server.times, time.Now()) // no other request may start
		r.store.engine.Source = q
		rd := r.Open()
		done := make(chan struct{})
		r.mu.Lock()
		r.openLocked(Opening{}, time.Now())
		r.mu.Unlock()
		go func() {
			defer close(done)
			_, _ = rd.ReadAt(context.Background(), make([]byte, 1000), 0)
		}()
		synctest.Wait()
		want := CauseLimit
		for _, sent := range []bool{true, false, true, false} {
			if why, present := r.Why(ranges.Range{End: 1000}); present || why.Cause != want {
				t.Errorf("waits for %v, want %v", why.Cause, want)
			}
			q.step <- sent
			<-q.said
			want = CauseLimit
			if sent {
				want = CauseAnswer
			}
		}
		close(q.step)
		<-done
		rd.Close()
	})
}
