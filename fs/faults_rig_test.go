package fs

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log" //nolint:depguard // net/http takes no other
	"log/slog"
	"net/http/httptest"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"assetfs/fs/asset"
	"assetfs/fs/service"
	"assetfs/remote"
	"assetfs/remote/fakeapi"
)

const (
	faultID    = "re_1"
	faultKey   = "secret"
	faultSize  = 3<<19 + 123 // more than the first read-ahead, and no multiple of anything
	faultChunk = 100_000     // what readers ask for at a time: no multiple of a block
	// faultPatience is RetryFor where retries go on until it ends: two attempts
	// and a bit, since the first backoff is 125 to 375 ms.
	faultPatience = 300 * time.Millisecond
	// faultStall is when a silent server is dead where that is what is tested,
	// and faultStalls RetryFor there: as many attempts.
	faultStall  = 200 * time.Millisecond
	faultStalls = 900 * time.Millisecond
	// faultAmple is either of them where it must not matter, however slow the
	// machine is.
	faultAmple = 10 * time.Second
	// faultHang bounds one cell; whatever reaches it hangs.
	faultHang = 30 * time.Second
)

// faultContent are the bytes of the asset in both versions.
var faultContent = sync.OnceValue(func() (all [2][]byte) {
	for v := range all {
		all[v] = make([]byte, faultSize)
		if _, err := fakeapi.Content(faultID, v).ReadAt(all[v], 0); err != nil {
			panic(err)
		}
	}
	return all
})

// countedSource counts the bodies that are not closed.
type countedSource struct {
	asset.Source
	open atomic.Int64
}

type countedBody struct {
	asset.Body
	closed func()
}

func (s *countedSource) Open(ctx context.Context, id string, r asset.Request) (*asset.Response, error) {
	resp, err := s.Source.Open(ctx, id, r)
	if err == nil {
		s.open.Add(1)
		resp.Body = &countedBody{resp.Body, sync.OnceFunc(func() { s.open.Add(-1) })}
	}
	return resp, err
}

func (b *countedBody) Close() error {
	b.closed()
	return b.Body.Close()
}

// faultRig is an asset over real HTTP, wired as Mount does it, without a mount.
type faultRig struct {
	t       *testing.T
	ctx     context.Context
	server  *fakeapi.Server
	other   *fakeapi.Server // where redirects go
	fakes   []*fakeapi.Server
	webs    []*httptest.Server // of fakes
	client  *remote.Client
	store   *asset.Store
	source  *countedSource
	options asset.Options
	asset   *asset.Asset
}

// newFaultRig serves a with cfg, and again at another port. The caller closes it.
func newFaultRig(t *testing.T, a fakeapi.Asset, cfg fakeapi.Config, patience, stall time.Duration) *faultRig {
	server, other := fakeapi.New(a), fakeapi.New(a)
	var webs []*httptest.Server
	for _, s := range []*fakeapi.Server{server, other} {
		s.Configure(func(c *fakeapi.Config) { *c = cfg })
		web := httptest.NewUnstartedServer(s)
		web.Config.ErrorLog = quiet()
		web.Start()
		webs = append(webs, web)
	}
	r := wireFaultRig(t, webs[0].URL, patience, stall, nil)
	r.serve(server, webs[0])
	r.serve(other, webs[1])
	return r
}

// quiet is a log for what a server finds wrong with its client.
func quiet() *log.Logger { return slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) }

// serve makes the rig end a server.
func (r *faultRig) serve(s *fakeapi.Server, web *httptest.Server) {
	if r.server == nil {
		r.server = s
	}
	r.other = s
	r.fakes, r.webs = append(r.fakes, s), append(r.webs, web)
}

// wireFaultRig makes what Mount would mount of the API at address.
func wireFaultRig(t *testing.T, address string, patience, stall time.Duration, config *tls.Config) *faultRig {
	ctx, cancel := context.WithTimeout(t.Context(), faultHang)
	t.Cleanup(cancel)
	r := &faultRig{t: t, ctx: ctx}
	base, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	r.client = remote.NewClient(base, remote.Options{Key: remote.NewKey("", faultKey), ResponseTimeout: stall, TLS: config})
	if r.store, err = asset.OpenStore(t.TempDir(), base.String(), asset.StoreOptions{}); err != nil {
		t.Fatal(err)
	}
	r.source = &countedSource{Source: &service.Source{Client: r.client, Log: slog.New(slog.DiscardHandler), Place: func(string) (bucket, blob string, err error) { return "", "", nil }}}
	r.options = asset.Options{
		Source:    r.source,
		ReadAhead: 64 << 20, StallTimeout: stall, RetryFor: patience,
	}
	r.store.Serve(&r.options)
	r.asset = r.store.Asset(faultID)
	return r
}

// close ends everything and fails if a body is left open.
func (r *faultRig) close() {
	r.store.CloseAssets()
	if n := r.source.open.Load(); n != 0 {
		r.t.Errorf("%d bodies open after Close", n)
	}
	r.client.Close()
	for _, s := range r.fakes {
		if err := s.WaitIdle(r.ctx); err != nil {
			r.t.Errorf("a request is still running: %v", err)
		}
	}
	for _, web := range r.webs {
		web.Close()
	}
	if err := r.store.Close(); err != nil {
		r.t.Error(err)
	}
}

// seen is what one reader saw.
type seen struct {
	err  error // the first; nil: the end of the asset
	size int64 // where the asset ended, -1 unknown
	read int64 // right bytes
}

func (s seen) String() string {
	name := unix.ErrnoName(errno(s.err))
	if s.err == nil {
		name = "ok"
	}
	return fmt.Sprintf("%s after %d bytes, end at %d (%v)", name, s.read, s.size, s.err)
}

// read reads the asset through one handle, from start to the end and then what
// is before start, until an error. Each byte must be right, and all of them of
// one version.
func (r *faultRig) read(start int64) seen {
	h := r.asset.Open()
	defer h.Close()
	s := seen{size: -1}
	versions := []int{0, 1}
	// run reads [off,end) and returns where it ended.
	run := func(off, end int64) int64 {
		for p := make([]byte, faultChunk); off < end && s.err == nil; {
			q := p[:min(faultChunk, end-off)]
			var n int
			n, s.err = h.ReadAt(r.ctx, q, off)
			versions = slices.DeleteFunc(versions, func(v int) bool {
				b := faultContent()[v]
				return off+int64(n) > faultSize || !bytes.Equal(q[:n], b[off:off+int64(n)])
			})
			if len(versions) == 0 {
				r.t.Errorf("wrong bytes in [%d,%d)", off, off+int64(n))
				return off
			}
			off, s.read = off+int64(n), s.read+int64(n)
			if n == 0 {
				break
			}
		}
		return off
	}
	end := run(start, faultSize+faultChunk) // past the end
	if s.err != nil {
		return s
	}
	s.size = end
	if s.read == 0 {
		s.size = -1 // somewhere before start
	}
	if end = run(0, start); end < start {
		s.size = end
	}
	return s
}

// readAll lets n readers read at once, spread over the asset.
func (r *faultRig) readAll(n int) []seen {
	all := make([]seen, n)
	var wg sync.WaitGroup
	for i := range all {
		wg.Go(func() { all[i] = r.read(faultSize / 4 * int64(i)) })
	}
	wg.Wait()
	return all
}

// recovered reads again after the server was repaired. A handle may have been opened on a lie, or may meet an
// answer from before the repair; the third handle at the latest meets neither.
func (r *faultRig) recovered() seen {
	r.options.RetryFor = faultAmple // nobody reads it now
	var s seen
	for range 3 {
		r.client.ForgetFailures()
		r.store.ForgetFailures()
		if s = r.read(0); s.err == nil {
			break
		}
	}
	return s
}

// checkSpool fails unless every byte that the spool claims is right, and all of
// them of one version. It returns how many there are. A stream that ends may just
// be finding out that the content has changed: then it looks again.
func (r *faultRig) checkSpool(when string) int64 {
	for {
		version := r.asset.Status().Version
		total, wrong, changing := r.spooled()
		if r.asset.Status().Version != version || changing && r.ctx.Err() == nil {
			continue
		}
		if wrong != "" {
			r.t.Errorf("%s: %s", when, wrong)
		}
		return total
	}
}

// spooled returns how many bytes the spool claims, and what is wrong with them;
// changing means that old content is just being dropped.
func (r *faultRig) spooled() (total int64, wrong string, changing bool) {
	matches := [2]bool{true, true}
	h := r.asset.Open()
	defer h.Close()
	ctx, cancel := context.WithCancel(r.ctx)
	cancel() // it waits for nothing
	for _, run := range r.asset.Runs() {
		total += run.Len()
		if run.End > faultSize {
			return total, fmt.Sprintf("the spool claims %v of %d bytes", run, faultSize), false
		}
		p := make([]byte, run.Len())
		if n, err := h.ReadAt(ctx, p, run.Start); err != nil && !errors.Is(err, io.EOF) || n < len(p) {
			return total, fmt.Sprintf("reading %v of the spool: %d bytes, %v", run, n, err), errors.Is(err, context.Canceled)
		}
		for v := range matches {
			matches[v] = matches[v] && bytes.Equal(p, faultContent()[v][run.Start:run.End])
		}
	}
	if !matches[0] && !matches[1] {
		return total, "wrong bytes in the spool", false
	}
	return total, "", false
}
