package integration_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"assetfs/remote/fakeapi"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"
)

// apiKey is the API's key, which $KEYFILE holds.
const apiKey = "sk-mavi-test"

// api is an API on loopback. It keeps its address when it is stopped and started again.
type api struct {
	fake  *fakeapi.Server
	addr  string
	held  *os.File     // keeps others from taking the port while it is stopped
	serve *http.Server // nil: stopped
	done  chan struct{}
	net   network
}

// cmdAPI implements "api VERB ...".
func cmdAPI(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		usage(ts, "api start|set|stop|freeze|thaw|asset|delete|video|videos|unlist|scopes|lists|requests|metadata|refused|paced|billed|acknowledged|idle|await|reset ...")
	}
	st, verb, args := of(ts), args[0], args[1:]
	if st.api == nil {
		if verb != "start" {
			ts.Fatalf("api start comes first")
		}
		st.api = &api{fake: fakeapi.New(), addr: "127.0.0.1:0"}
		st.api.fake.Configure(func(c *fakeapi.Config) { c.Key = apiKey })
	}
	a := st.api
	switch verb {
	case "start":
		ts.Check(a.set(args))
		ts.Check(a.start())
		ts.Setenv("API", a.url())
	case "set":
		ts.Check(a.set(args))
	case "stop":
		a.stop()
	case "freeze":
		a.net.freeze(true)
	case "thaw":
		a.net.freeze(false)
	case "asset":
		if len(args) == 0 {
			usage(ts, "api asset ID [KEY=VALUE...]")
		}
		ts.Check(a.asset(ts, args[0], args[1:]))
	case "delete":
		for _, id := range args {
			a.fake.Delete(id)
		}
	case "video":
		ts.Check(a.video(ts, args))
	case "videos":
		ts.Check(a.videos(args))
	case "unlist":
		for _, id := range args {
			a.fake.DeleteVideo(id)
		}
	case "scopes":
		if got := strings.Join(a.fake.Scopes(), " "); got != strings.Join(args, " ") {
			ts.Fatalf("the scopes are %s", got)
		}
	case "lists":
		a.count(ts, "list", args, func(fakeapi.Request) int64 { return 1 })
	case "requests":
		a.count(ts, "download", args, func(fakeapi.Request) int64 { return 1 })
	case "metadata":
		a.count(ts, "metadata", args, func(fakeapi.Request) int64 { return 1 })
	case "refused":
		a.refused(ts, args)
	case "paced":
		a.paced(ts, args)
	case "billed":
		a.count(ts, "download", args, func(r fakeapi.Request) int64 { return r.Bytes })
	case "acknowledged":
		a.count(ts, "download", args, func(r fakeapi.Request) int64 { return r.Acknowledged })
	case "idle":
		ctx, cancel := context.WithTimeout(context.Background(), readyLimit)
		defer cancel()
		ts.Check(a.fake.WaitIdle(ctx))
	case "await":
		ts.Check(a.await(args))
	case "reset":
		a.fake.ResetLog()
	default:
		ts.Fatalf("unknown verb: api %s", verb)
	}
}

// basePath is the path of the base URL.
const basePath = "/serve/api/v2"

// url returns the base URL.
func (a *api) url() string { return "http://" + a.addr + basePath }

// handler returns the API as served below basePath.
func (a *api) handler() http.Handler { return http.StripPrefix(basePath, a.fake) }

// start listens, at the same address as before if it was started before.
func (a *api) start() error {
	if a.serve != nil {
		return errors.New("the API runs already")
	}
	l, err := (&net.ListenConfig{Control: sharePort}).Listen(context.Background(), "tcp", a.addr)
	if err != nil {
		return err
	}
	a.addr = l.Addr().String()
	if a.held == nil {
		if a.held, err = hold(l.Addr().(*net.TCPAddr).Port); err != nil {
			return errors.Join(err, l.Close())
		}
	}
	a.serve = &http.Server{Handler: a.handler(), ReadHeaderTimeout: time.Minute}
	a.done = make(chan struct{})
	go func(s *http.Server, done chan struct{}) {
		_ = s.Serve(listener{fakeapi.Watch(s, l), &a.net}) // returns when stop closes it
		close(done)
	}(a.serve, a.done)
	return nil
}

// sharePort lets several sockets of this user be bound to one port.
func sharePort(_, _ string, c syscall.RawConn) error {
	var failed error
	err := c.Control(func(fd uintptr) { failed = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1) })
	return errors.Join(err, failed)
}

// hold binds a socket to a port of loopback, at which it does not listen. The garbage collector closes it.
func hold(port int) (*os.File, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), "held port")
	unix.CloseOnExec(fd)
	err = errors.Join(unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1), unix.Bind(fd, &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}))
	return f, err
}

// stop closes all connections and refuses new ones.
func (a *api) stop() {
	if a.serve == nil {
		return
	}
	a.serve.Close()
	<-a.done
	a.serve = nil
}

// await implements "api await ID [BYTES]".
func (a *api) await(args []string) error {
	if len(args) != 1 && len(args) != 2 {
		return errors.New("usage: api await ID [BYTES]")
	}
	var bytes int64
	if len(args) == 2 {
		var err error
		if bytes, err = size(args[1]); err != nil {
			return err
		}
	}
	return a.until(func(all []fakeapi.Request) bool {
		return slices.ContainsFunc(all, func(r fakeapi.Request) bool {
			return r.Op == "download" && r.ID == args[0] && r.Bytes >= bytes
		})
	})
}

// until waits until ok returns true for the log of requests.
func (a *api) until(ok func([]fakeapi.Request) bool) error {
	ctx, cancel := context.WithTimeout(context.Background(), readyLimit)
	defer cancel()
	if err := a.fake.Wait(ctx, ok); err != nil {
		return fmt.Errorf("%w; requests:\n%s", err, list(a.fake.Requests()))
	}
	return nil
}

// count implements "api requests|metadata|billed|acknowledged [ID] [<=|>=|=]N". A number that is too small has some seconds to grow: a
// program may have got its bytes before the server has counted them.
func (a *api) count(ts *testscript.TestScript, op string, args []string, of func(fakeapi.Request) int64) {
	if len(args) != 1 && len(args) != 2 {
		usage(ts, "api requests|metadata|billed|acknowledged [ID] [<=|>=|=]N")
	}
	id, limit := "", args[len(args)-1]
	if len(args) == 2 {
		id = args[0]
	}
	counts := func(r fakeapi.Request) (int64, bool) { return of(r), r.Op == op && (id == "" || r.ID == id) }
	if relation, want := parseLimit(ts, limit); relation != "<=" {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = a.fake.Wait(ctx, func(all []fakeapi.Request) bool {
			got, _ := sum(all, counts)
			return got >= want
		}) // compare judges
	}
	compare(ts, a.fake.Requests(), limit, counts)
}

// compare fails the script unless the sum of of is within limit.
func compare(ts *testscript.TestScript, all []fakeapi.Request, limit string, of func(fakeapi.Request) (int64, bool)) {
	got, counted := sum(all, of)
	if !within(ts, got, limit) {
		ts.Fatalf("%d, want %s:\n%s", got, limit, list(counted))
	}
}

// sum adds up of over all requests that it counts, and returns these, too.
func sum(all []fakeapi.Request, of func(fakeapi.Request) (int64, bool)) (total int64, counted []fakeapi.Request) {
	for _, r := range all {
		if n, ok := of(r); ok {
			total += n
			counted = append(counted, r)
		}
	}
	return total, counted
}

// within reports whether a number is within a limit: [<=|>=|=]N. N may be "stdout", the number that the last program printed.
func within(ts *testscript.TestScript, got int64, limit string) bool {
	switch relation, want := parseLimit(ts, limit); relation {
	case "<=":
		return got <= want
	case ">=":
		return got >= want
	case "", "=":
		return got == want
	}
	return false
}

func parseLimit(ts *testscript.TestScript, limit string) (relation string, want int64) {
	bare := strings.TrimLeft(limit, "<=>")
	number := bare
	if bare == "stdout" {
		number = strings.TrimSpace(ts.ReadFile("stdout"))
	}
	want, err := size(number)
	ts.Check(err)
	return strings.TrimSuffix(limit, bare), want
}

// refused implements "api refused [download|metadata] [<=|>=|=]N": the number of requests of one kind, or of all, beyond a limit.
func (a *api) refused(ts *testscript.TestScript, args []string) {
	kinds := []string{"download", "metadata", "list"}
	if len(args) == 2 {
		kinds, args = args[:1], args[1:]
	}
	if len(args) != 1 {
		usage(ts, "api refused [download|metadata] [<=|>=|=]N")
	}
	compare(ts, a.fake.Requests(), args[0], func(r fakeapi.Request) (int64, bool) {
		return 1, r.Refused && slices.Contains(kinds, r.Op)
	})
}

// paced implements "api paced N/DURATION": no N+1 requests of a kind came within DURATION, nor 2N+1 within twice as long, and so on. What
// is sent by a busy machine may leave it up to 0.4 s late.
func (a *api) paced(ts *testscript.TestScript, args []string) {
	const late = 400 * time.Millisecond
	n, interval := 0, ""
	if len(args) == 1 {
		_, _ = fmt.Sscanf(args[0], "%d/%s", &n, &interval)
	}
	per, err := time.ParseDuration(interval)
	if err != nil || n <= 0 {
		usage(ts, "api paced N/DURATION")
	}
	of := map[string][]time.Time{}
	all := a.fake.Requests()
	for _, r := range all {
		of[r.Op] = append(of[r.Op], r.Time)
	}
	for kind, times := range of {
		slices.SortFunc(times, time.Time.Compare)
		for i, from := range times {
			for j := i + n; j < len(times); j += n {
				if took, least := times[j].Sub(from), time.Duration((j-i)/n)*per-late; took < least {
					ts.Fatalf("%d %s requests came within %v, which should take %v:\n%s", j-i+1, kind, took, least, list(all))
				}
			}
		}
	}
}

// list prints requests, but no more than people can read.
func list(all []fakeapi.Request) string {
	var b strings.Builder
	for i, r := range all {
		if i == 50 {
			fmt.Fprintf(&b, "and %d more\n", len(all)-i)
			break
		}
		fmt.Fprintf(&b, "%s %s %s %q If-Range %q: %d, %d bytes, %d acknowledged, refused %v, done %v\n",
			r.Time.Format("05.000"), r.Op, r.ID, r.Range, r.IfRange, r.Status, r.Bytes, r.Acknowledged, r.Refused, r.Done)
	}
	return b.String()
}

// size reads a number of bytes. K, M and G are powers of 1024, as in head and dd.
func size(s string) (int64, error) {
	shift := 0
	for suffix, n := range map[string]int{"K": 10, "M": 20, "G": 30} {
		if t, ok := strings.CutSuffix(s, suffix); ok {
			s, shift = t, n
		}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n << shift, err
}

// cmdContent implements "content ID FILE".
func cmdContent(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		usage(ts, "content ID FILE")
	}
	asset, ok := of(ts).api.fake.Asset(args[0])
	if !ok {
		ts.Fatalf("no asset %s", args[0])
	}
	f, err := os.Create(ts.MkAbs(args[1]))
	ts.Check(err)
	_, err = io.Copy(f, io.NewSectionReader(content(asset), 0, asset.Size))
	ts.Check(errors.Join(err, f.Close()))
}

// content returns an asset's bytes.
func content(a fakeapi.Asset) io.ReaderAt {
	if a.Content != nil {
		return a.Content
	}
	return fakeapi.Content(a.ID, a.Version)
}

// trueBytes returns all bytes of a small asset.
func (st *state) trueBytes(ts *testscript.TestScript, id string) []byte {
	asset, ok := st.api.fake.Asset(id)
	if !ok {
		ts.Fatalf("no asset %s", id)
	}
	all, err := io.ReadAll(io.NewSectionReader(content(asset), 0, asset.Size))
	ts.Check(err)
	return all
}

// keys returns the elements of a set in order.
func keys(set map[string]bool) []string {
	return slices.Sorted(maps.Keys(set))
}
