package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"assetfs/fs/service"
)

// socketName is the name of the socket in the spool directory. That directory is private and
// locked, so an existing socket was left by a mount that was killed.
const socketName = "socket"

// maxAsked bounds the body of a request, in bytes: enough for a million IDs.
const maxAsked = 64 << 20

// askedWithin bounds how long a command takes to say so, and how long a connection is
// kept that says nothing.
const askedWithin = 10 * time.Second

// control serves commands on a socket: HTTP and JSON, under /v1/.
type control struct {
	server http.Server
	dir    *os.File // of the socket, which is reached through it because paths of sockets must be short
	done   sync.WaitGroup
}

// peerKey is the key of the client process in a request's context.
type peerKey struct{}

// process is the client of a command.
type process struct {
	uid int
	pid int // 0: unknown
}

// listen starts to serve commands for m on a socket in the directory path, until close.
func listen(m *service.Service, path string, log *slog.Logger) (c *control, err error) {
	c = &control{}
	if c.dir, err = os.Open(path); err != nil {
		return nil, err
	}
	l, err := bind(c.dir)
	if err != nil {
		c.dir.Close()
		return nil, err
	}
	c.server = http.Server{
		Handler:           (&commander{m}).handler(),
		ReadHeaderTimeout: askedWithin,
		IdleTimeout:       askedWithin,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		ConnContext: func(ctx context.Context, conn net.Conn) context.Context {
			return context.WithValue(ctx, peerKey{}, peer(conn.(*visitor).Conn))
		},
	}
	c.done.Go(func() {
		if err := c.server.Serve(&door{Listener: l, room: make(chan struct{}, atATime(openFiles()))}); !errors.Is(err, http.ErrServerClosed) {
			log.Warn("commands are no longer possible", "error", err)
		}
	})
	m.SetSocket(filepath.Join(path, socketName))
	return c, nil
}

// bind makes the socket in dir, for its owner alone. It replaces one that was left there.
func bind(dir *os.File) (net.Listener, error) {
	path := within(dir, socketName)
	if info, err := os.Lstat(path); err == nil && info.Mode().Type() == os.ModeSocket {
		if err := os.Remove(path); err != nil {
			return nil, err
		}
	}
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

// close ends running commands and removes the socket.
func (c *control) close() {
	c.server.Close()
	c.done.Wait()
	c.dir.Close()
}

// allowed reports whether a user may give commands: the owner of the mount, and root.
func allowed(uid int) bool { return uid == os.Geteuid() || uid == 0 }

// commander executes commands.
type commander struct{ m *service.Service }

// asked is the body of a request.
type asked struct {
	IDs []string `json:"ids"`
}

func (c *commander) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/status", c.status)
	mux.HandleFunc("POST /v1/plan", c.forEach(c.plan))
	mux.HandleFunc("POST /v1/fetch", c.fetch)
	mux.HandleFunc("POST /v1/free", c.forEach(c.free))
	mux.HandleFunc("POST /v1/refresh", c.refresh)
	mux.HandleFunc("POST /v1/pin", c.pin(true))
	mux.HandleFunc("POST /v1/unpin", c.pin(false))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if who, ok := r.Context().Value(peerKey{}).(process); !ok || !allowed(who.uid) {
			http.Error(w, errOtherUser.Error(), http.StatusForbidden)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxAsked)
		mux.ServeHTTP(w, r)
	})
}

// status answers with the assets worth showing, or, on request, with all assets and in
// indented JSON.
func (c *commander) status(w http.ResponseWriter, r *http.Request) {
	if r.FormValue("all") == "" {
		s := c.m.Status(shown())
		brief(&s)
		answer(w, &s)
		return
	}
	s := c.m.Status(func(*service.AssetStatus) bool { return false })
	_ = writeJSON(w, &s, c.m.Assets()) // who has gone needs no answer
}

// ids reads the IDs in a request. If it returns false, the request has been answered.
func (c *commander) ids(w http.ResponseWriter, r *http.Request) ([]string, bool) {
	var a asked
	until := http.NewResponseController(w)
	_ = until.SetReadDeadline(time.Now().Add(askedWithin)) // of a socket it can't fail
	if err := json.NewDecoder(r.Body).Decode(&a); err != nil {
		w.Header().Set("Connection", "close") // the rest is not waited for
		http.Error(w, fmt.Sprintf("the command is not understood: %v", err), http.StatusBadRequest)
		return nil, false
	}
	_ = until.SetReadDeadline(time.Time{}) // what follows takes as long as it takes
	return a.IDs, true
}

// result is what came of a command for one asset. Its Error is that of the command.
type result struct {
	service.AssetStatus
	Cost  float64 `json:"cost_dollars,omitempty"` // of what is absent
	Freed int64   `json:"freed_bytes,omitempty"`
	Later bool    `json:"later,omitempty"` // will be freed at the last close
	Done  bool    `json:"done,omitempty"`
}

func resultOf(a service.AssetStatus, err error) result {
	a.Error = ""
	if err != nil {
		a.Error = err.Error()
	}
	return result{AssetStatus: a}
}

// forEach answers with what came of do for each asset that a command is about.
func (c *commander) forEach(do func(ctx context.Context, id string) result) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ids, ok := c.ids(w, r)
		if !ok {
			return
		}
		results := make([]result, len(ids))
		each(r.Context(), len(ids), func(i int) { results[i] = do(r.Context(), ids[i]) })
		answer(w, results)
	}
}

// plan tells what is absent and what that costs.
func (c *commander) plan(ctx context.Context, id string) result {
	r := resultOf(c.m.Asset(ctx, id))
	if r.Size >= 0 {
		r.Cost = c.m.Cost(r.Size - r.Spooled)
		r.Done = r.Size == r.Spooled
	}
	return r
}

func (c *commander) free(_ context.Context, id string) result {
	freed, later, err := c.m.Free(id)
	r := resultOf(c.m.Peek(id), err)
	r.Freed, r.Later = freed, later
	return r
}

func (c *commander) pin(pinned bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ids, ok := c.ids(w, r)
		if !ok {
			return
		}
		results := make([]result, len(ids))
		for i, err := range c.m.SetPinned(r.Context(), ids, pinned) {
			results[i] = resultOf(c.m.Peek(ids[i]), err)
		}
		answer(w, results)
	}
}

// atOnce is how many assets are fetched or examined at the same time. Each needs a request of
// its own; four streams fill a line.
const atOnce = 4

// each calls do with 0 to n-1, atOnce at a time, until ctx ends.
func each(ctx context.Context, n int, do func(int)) {
	var wg sync.WaitGroup
	next := make(chan int)
	for range min(n, atOnce) {
		wg.Go(func() {
			for i := range next {
				do(i)
			}
		})
	}
	for i := range n {
		select {
		case next <- i:
			continue
		case <-ctx.Done():
		}
		break
	}
	close(next)
	wg.Wait()
}

// told is the interval of progress reports.
const told = 250 * time.Millisecond

// fetch fetches assets and reports their progress, one JSON object a line: repeatedly for each
// asset being fetched, and finally when it is done or has failed. What is there of them is kept
// in the spool until all are done.
func (c *commander) fetch(w http.ResponseWriter, r *http.Request) {
	ids, ok := c.ids(w, r)
	if !ok {
		return
	}
	defer c.m.Hold(ids)()
	out := &lines{w: w, running: map[string]bool{}}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	if who, ok := ctx.Value(peerKey{}).(process); ok {
		ctx = service.ForProcess(ctx, who.pid)
	}
	var teller sync.WaitGroup
	teller.Go(func() { out.tell(ctx, c.m) })
	var mu sync.Mutex
	var release []func()
	defer func() {
		for _, f := range release {
			f()
		}
	}()
	each(ctx, len(ids), func(i int) {
		out.begin(ids[i])
		free, err := c.m.Fetch(ctx, ids[i])
		if err == nil {
			mu.Lock()
			release = append(release, free)
			mu.Unlock()
		}
		line := resultOf(c.m.Peek(ids[i]), err)
		line.Done = err == nil
		out.end(&line)
	})
	cancel()
	teller.Wait()
}

// lines writes JSON objects, one a line, and flushes each.
type lines struct {
	mu      sync.Mutex // guards the fields below; held while writing, to keep lines in order
	w       http.ResponseWriter
	running map[string]bool
}

func (l *lines) begin(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.running[id] = true
}

func (l *lines) end(r *result) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.running, r.ID)
	l.writeLocked(r)
}

func (l *lines) writeLocked(r *result) {
	if json.NewEncoder(l.w).Encode(r) == nil {
		_ = http.NewResponseController(l.w).Flush() // if the client is gone, the request ends
	}
}

// tell writes the progress of running assets, until ctx ends.
func (l *lines) tell(ctx context.Context, m *service.Service) {
	tick := time.NewTicker(told)
	defer tick.Stop()
	for {
		l.mu.Lock()
		ids := make([]string, 0, len(l.running))
		for id := range l.running {
			ids = append(ids, id)
		}
		l.mu.Unlock()
		for _, id := range ids {
			line := resultOf(m.Peek(id), nil)
			l.mu.Lock()
			if l.running[id] {
				l.writeLocked(&line)
			}
			l.mu.Unlock()
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // fails only if the client is gone
}
