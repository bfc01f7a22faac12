package integration_test

import (
	"context"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"assetfs/remote/fakeapi"
)

// restart starts the API again.
func (m *modelRun) restart(t *testing.T) {
	t.Helper()
	if err := m.api.start(); err != nil {
		t.Error(err)
	}
}

// event makes something random happen.
func (m *modelRun) event(t *testing.T, kill chan<- struct{}) {
	t.Helper()
	a := m.job.Assets[m.random.IntN(len(m.job.Assets))]
	if m.serve == nil && m.random.IntN(3) == 0 {
		m.restart(t)
		return
	}
	switch n := m.random.IntN(52); {
	case n < 20:
		m.fake.Update(a.ID, func(f *fakeapi.Asset) { f.Faults = []fakeapi.Fault{randomFault(m.random, a.Size)} })
	case n < 27:
		m.fake.Update(a.ID, func(f *fakeapi.Asset) { f.Faults = nil })
	case n < 30:
		m.fake.Update(a.ID, func(f *fakeapi.Asset) { f.Version = m.random.IntN(a.Versions) })
	case n < 32:
		m.fake.Configure(func(c *fakeapi.Config) { c.NoRange = !c.NoRange })
	case n < 33:
		m.fake.ResetLog() // or it would grow without end
		m.stop()
	case n < 36:
		if f, ok := m.fake.Asset(a.ID); ok {
			m.fake.Delete(a.ID)
			defer m.fake.Put(f)
			m.signalDaemon(t)
		}
	case n < 37:
		m.signalDaemon(t)
	case n < 39:
		select {
		case kill <- struct{}{}:
		default:
		}
	case n < 46:
		m.randomCommand(t, a)
	case n < 51:
		if a.Versions == 1 { // a change that no validator tells of may go unseen
			m.fake.Update(a.ID, func(f *fakeapi.Asset) { *f = randomHabit(m.random, *f) })
		}
	case m.job.Restarts:
		m.command.Wait()
		signal := []string{"TERM", "KILL"}[m.random.IntN(2)]
		if err := m.unmount(signal); err != nil {
			t.Error(err)
		}
		m.start(t)
	}
}

// commandSpan is how long a command may run before Ctrl-C. Only fetch takes long: it waits while the API doesn't answer.
const commandSpan = 2 * time.Second

// randomCommand gives a command, as people do at any time, unless one is running.
func (m *modelRun) randomCommand(t *testing.T, a modelAsset) {
	t.Helper()
	word := []string{"free", "free", "pin", "unpin", "unpin", "fetch", "status"}[m.random.IntN(7)]
	if strings.HasSuffix(word, "pin") {
		a = m.job.Assets[m.random.IntN(modelAssets)] // pins of 200 assets would leave no room for anything else
	}
	if m.busy.Swap(true) {
		return
	}
	m.command.Go(func() {
		defer m.busy.Store(false)
		m.give(t, word, a)
	})
}

// give runs a command. What it says of an asset that fails is its own matter.
func (m *modelRun) give(t *testing.T, word string, a modelAsset) {
	t.Helper()
	path := filepath.Join(m.mnt(), a.ID)
	if word == "status" {
		path = m.mnt()
	}
	ctx, cancel := context.WithTimeout(t.Context(), commandSpan)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(m.bin, "assetfs"), word, path)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = modelHang
	out, err := cmd.CombinedOutput()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.count.Done[word]++; err != nil {
		m.count.Failed[word]++
	}
	code, interrupted := cmd.ProcessState.ExitCode(), ctx.Err() != nil
	if killed := cmd.ProcessState.String() == "signal: killed"; killed || !interrupted && code != 0 && code != 1 {
		t.Errorf("assetfs %s %s: %v\n%s", word, a.ID, err, out)
	}
}

// randomHabit is an asset whose server is odd in every answer from now on, or in none.
func randomHabit(random *rand.Rand, a fakeapi.Asset) fakeapi.Asset {
	plain := fakeapi.Asset{ID: a.ID, Name: a.Name, Size: a.Size, ModTime: a.ModTime, Faults: a.Faults}
	all := []func(*fakeapi.Asset){
		func(*fakeapi.Asset) {},
		func(a *fakeapi.Asset) { a.Whole200 = true },
		func(a *fakeapi.Asset) { a.NoRange = true },
		func(a *fakeapi.Asset) { a.ETag = "new" },
		func(a *fakeapi.Asset) { a.ETag, a.LastModified = "turns", "new" },
		func(a *fakeapi.Asset) { a.ETag = "unquoted" },
		func(a *fakeapi.Asset) { a.LastModified = "now" },
		func(a *fakeapi.Asset) { a.ContentRange = "bytes {first}-/{size}" },
		func(a *fakeapi.Asset) {
			if !a.ModTime.IsZero() { // else another size is what tells of another content
				a.ContentRange = "bytes {first}-{last}/{size+1}"
			}
		},
		func(a *fakeapi.Asset) { a.ContentRange = "-" },
		func(a *fakeapi.Asset) { a.Encoding = "aws-chunked" },
		func(a *fakeapi.Asset) { a.EmptyRange = 403 },
	}
	all[random.IntN(len(all))](&plain)
	return plain
}

// signalDaemon makes assetfs forget failures.
func (m *modelRun) signalDaemon(t *testing.T) {
	t.Helper()
	if err := m.daemon.signal("HUP"); err != nil {
		t.Error(err)
	}
}

// randomFault returns a fault that can be detected. Nothing can detect wrong bytes that come without any sign.
func randomFault(random *rand.Rand, size int64) fakeapi.Fault {
	at := random.Int64N(size + 1)
	if at == 0 {
		at = fakeapi.AtOnce
	}
	all := []fakeapi.Fault{
		{Cut: at},
		{Cut: at, Reset: true},
		{Stall: at},
		{Stall: at, StallFor: 200 * time.Millisecond},
		{Rate: 1 << 20},
		{Drop: true},
		{Drop: true, Reset: true},
		{Hang: true},
		{Delay: 300 * time.Millisecond},
		{Chunked: true},
		{Status: 500, PadBody: 1 << 20},
		{Status: 502, Form: "page"},
		{Form: "page"},
		{Status: 503, RetryAfter: "1"},
		{Status: 429, RetryAfter: "1"},
		{Status: 401},
		{Status: 402},
		{Status: 403},
		{Status: 400, Msg: "Asset not found"},
		{Status: 200, OldCode: "0402"},
		{Status: 402, TruncateJSON: true},
		{Status: 304},
		{Status: 416},
		{Redirect: "self"},
		{EndlessHeader: true},
		{ControlHeader: true},
		{Gzip: true},
		{IgnoreRange: true},
		{Shift: 1000},
		{Shift: -1000},
		{Length: "-5"},
		{Length: "9223372036854775808"},
	}
	f := all[random.IntN(len(all))]
	f.Times = random.IntN(3)
	if random.IntN(8) == 0 {
		f.Op = "any"
	}
	return f
}
