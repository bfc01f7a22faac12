package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"assetfs/fs/cli/mountopt"
	"assetfs/fs/service"
)

// once is the directory of --mount. It can't be empty.
type once string

func (o *once) Set(text string) error {
	if text == "" {
		return errors.New("write the directory that was given to assetfs")
	}
	return (*mountopt.Once)(o).Set(text)
}

func (o *once) String() string { return string(*o) }
func (o *once) Type() string   { return "string" }

// interruptible returns the context of a command. It ends with Ctrl-C, and with the terminal unless
// nohup(1) has started the command.
func interruptible() (context.Context, context.CancelFunc) {
	ending := []os.Signal{syscall.SIGINT, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		ending = append(ending, syscall.SIGHUP)
	}
	return signal.NotifyContext(context.Background(), ending...)
}

// fetcher is one run of "assetfs fetch".
type fetcher struct {
	list    bool
	maxCost float64 // dollars; negative: no limit

	out  *os.File // for assets that are done
	live *progress

	mu      sync.Mutex // guards what follows
	running map[string]service.AssetStatus
	total   tally
}

// tally sums up assets.
type tally struct {
	assets, there int
	bytes, here   int64 // of assets of known size
	cost          float64
	unknown       int // assets of unknown size
}

// newFetch is "assetfs fetch FILE...".
func newFetch() *cobra.Command {
	var mount string
	f := &fetcher{maxCost: -1, out: os.Stdout, running: map[string]service.AssetStatus{}}
	c := fileCommand("fetch", "Bring whole files into the spool", &mount)
	c.Use = "fetch [--list] [--max-cost DOLLARS] FILE... | --mount DIR ID...|-"
	c.Long += "\n\nBytes in the spool are not fetched again. Ctrl-C is safe: the same command\ncontinues from there. Exit status 0 means that all of it is in the spool."
	c.Flags().BoolVar(&f.list, "list", false, "show what is missing and what it would cost, and fetch nothing")
	c.Flags().Float64Var(&f.maxCost, "max-cost", -1, "fetch nothing if it would cost more than that many `DOLLARS`")
	c.Flags().Lookup("max-cost").DefValue = "" // none
	c.RunE = func(c *cobra.Command, args []string) error {
		if given := c.Flags().Changed("max-cost"); given && !(f.maxCost >= 0) {
			return usagef("--max-cost=%v: write a number of dollars like 2.50", f.maxCost)
		}
		ctx, stop := interruptible()
		defer stop()
		all, err := targets(args, mount, os.Stdin)
		if err != nil {
			return err
		}
		err = f.run(ctx, all)
		if ctx.Err() != nil {
			return errors.New("interrupted; what was fetched stays, and the same command continues from there")
		}
		return err
	}
	return c
}

func (f *fetcher) run(ctx context.Context, all []*target) error {
	if f.list || f.maxCost >= 0 {
		if err := f.plan(ctx, all); err != nil || f.list {
			return err
		}
		f.total = tally{}
	}
	_, tty := terminal(os.Stderr)
	f.live = newProgress(os.Stderr, tty)
	if tty {
		looks := int64(0) // there is always something to look at
		f.live.Start(activity{Requests: func() int64 { looks++; return looks }, Status: f.status, Sum: f.sum})
	}
	failed := 0
	for _, t := range all {
		n, err := f.fetch(ctx, t)
		failed += n
		if err != nil {
			f.live.Close(farewell)
			return err
		}
	}
	f.live.Close(farewell)
	if err := incomplete(failed, f.total.assets); err != nil {
		return err
	}
	_, err := fmt.Fprintf(f.out, "all %d in the spool, %s\n", f.total.assets, bytesText(f.total.bytes))
	return err
}

// plan finds out what is missing. With --list it prints that. Otherwise it returns an error if
// that would cost too much.
func (f *fetcher) plan(ctx context.Context, all []*target) error {
	failed := 0
	table := tabwriter.NewWriter(f.out, 0, 0, 2, ' ', 0)
	if f.list {
		fmt.Fprintln(table, "MISSING\tSIZE\tCOST\tNAME")
	}
	for _, t := range all {
		var results []result
		if err := t.ask(ctx, "POST", "/v1/plan", asked{IDs: t.ids}, &results); err != nil {
			return err
		}
		for _, r := range results {
			f.total.add(&r)
			if r.Error != "" {
				failed++
				complain(t.title(&r), r.Error)
				continue
			}
			missing, size := "unknown", "unknown"
			if r.Size >= 0 {
				missing, size = bytesText(r.Size-r.Spooled), bytesText(r.Size)
			}
			if f.list {
				fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", missing, size, dollars(r.Cost), printable(t.title(&r)))
			}
		}
	}
	if f.list {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", bytesText(f.total.bytes-f.total.here), bytesText(f.total.bytes), dollars(f.total.cost), f.total.text())
		if err := table.Flush(); err != nil {
			return err
		}
		return incomplete(failed, f.total.assets)
	}
	switch {
	case f.total.unknown-failed > 0:
		return fmt.Errorf("nothing was fetched: the size of %d is unknown, so --max-cost can't be kept; omit those assets, or --max-cost", f.total.unknown-failed)
	case f.total.cost > f.maxCost:
		return fmt.Errorf("nothing was fetched: it would cost %s, and --max-cost allows %s", dollars(f.total.cost), dollars(f.maxCost))
	}
	return nil
}

func (t *tally) add(r *result) {
	t.assets++
	if r.Done {
		t.there++
	}
	t.cost += r.Cost
	if r.Size < 0 {
		t.unknown++
		return
	}
	t.bytes += r.Size
	t.here += r.Spooled
}

func (t *tally) text() string {
	text := fmt.Sprintf("in all, %d of %d are in the spool", t.there, t.assets)
	if t.unknown > 0 {
		text += fmt.Sprintf(", %d of unknown size", t.unknown)
	}
	return text
}

// fetch fetches the assets of one mount, and returns how many failed.
func (f *fetcher) fetch(ctx context.Context, t *target) (failed int, err error) {
	from, err := t.call(ctx, "POST", "/v1/fetch", asked{IDs: t.ids})
	if err != nil {
		return 0, err
	}
	defer from.Close()
	left := map[string]bool{}
	for _, id := range t.ids {
		left[id] = true
	}
	for lines := json.NewDecoder(from); ; {
		var r result
		err := lines.Decode(&r)
		switch {
		case ctx.Err() != nil:
			return failed, ctx.Err()
		case err != nil && len(left) > 0:
			return failed, errors.New("the mount ended before everything was fetched")
		case errors.Is(err, io.EOF):
			return failed, nil
		case err != nil:
			return failed, err
		}
		name := t.title(&r)
		if !r.Done && r.Error == "" {
			f.goesOn(&r, name)
			continue
		}
		delete(left, r.ID)
		f.mu.Lock()
		delete(f.running, r.ID)
		f.total.add(&r)
		f.mu.Unlock()
		if r.Error != "" {
			failed++
			fmt.Fprintf(f.live, "assetfs: %s: %s\n", printable(name), printable(r.Error))
			continue
		}
		if err := f.done(fmt.Sprintf("%s: %s\n", printable(name), bytesText(r.Size))); err != nil {
			return failed, err
		}
	}
}

// done prints a line about an asset that is done, above the live lines if both go to a
// terminal.
func (f *fetcher) done(line string) (err error) {
	_, live := terminal(os.Stderr)
	if _, tty := terminal(f.out); tty && live {
		_, err = f.live.Write([]byte(line))
	} else {
		_, err = io.Copy(f.out, strings.NewReader(line))
	}
	return err
}

// goesOn records the progress of an asset.
func (f *fetcher) goesOn(r *result, name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	r.Name = name
	if len(r.Streams) == 0 {
		r.Streams = []service.StreamStatus{{Pos: r.Spooled}} // it has a line all the same
	}
	f.running[r.ID] = r.AssetStatus
}

// status returns what is being fetched, as the status of a mount.
func (f *fetcher) status() service.Status {
	f.mu.Lock()
	defer f.mu.Unlock()
	return service.Status{Assets: slices.Collect(maps.Values(f.running))}
}

// sum returns the last live line.
func (f *fetcher) sum(s *service.Status) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	here, speed := f.total.here, 0.0
	for _, a := range s.Assets {
		here += a.Spooled
		for _, st := range a.Streams {
			speed += st.Speed
		}
	}
	return fmt.Sprintf("%d done, %s at %s", f.total.there, bytesText(here), rate(speed))
}
