package cli

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"assetfs/fs/service"
)

const (
	// look is how often running downloads are looked at. Figures that change faster can't
	// be read.
	look = 250 * time.Millisecond
	// glance is how often an idle mount is asked whether it has made a request.
	glance = 500 * time.Millisecond
	// maxBars bounds the number of lines.
	maxBars = 8
	// nameCells bounds the width of a name, in columns.
	nameCells = 28
	// plainWidth is the width of lines if the output is not a terminal.
	plainWidth = 100
)

// activity is what live lines show.
type activity struct {
	// Requests returns the number of download requests so far. It is called often, even
	// while nothing happens, so it must be cheap.
	Requests func() int64
	// Status returns the rest. It is called only while downloads may be running.
	Status func() service.Status
	// Sum returns the last line; nil: what all downloads have cost.
	Sum func(*service.Status) string
}

// progress shows running downloads as live lines. Other text for the same terminal must be written
// through it: it is an io.Writer that puts text above the lines. It may be used before Start and
// after Close.
type progress struct {
	out  io.Writer
	tty  bool
	size func() (width, height int) // of the terminal

	stop chan struct{}
	done sync.WaitGroup

	mu    sync.Mutex    // guards the fields below, and the order of writes to out
	lines *mpb.Progress // nil if nothing is being downloaded
	bars  map[string]*bar
	total *bar // the last line
}

var _ io.Writer = (*progress)(nil)

// newProgress returns live lines on out. If out is not a terminal, new lines are appended to the old
// ones.
func newProgress(out io.Writer, tty bool) *progress {
	return &progress{out: out, tty: tty, size: terminalSize, stop: make(chan struct{})}
}

// Start starts to show what a mount does, until Close.
func (p *progress) Start(a activity) {
	p.done.Go(func() { p.run(a) })
}

// Close removes the lines. It returns when nothing more will be drawn, or after limit, because a
// terminal may be stopped. It may be called once, even without Start.
func (p *progress) Close(limit time.Duration) {
	close(p.stop)
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		p.done.Wait()
		p.mu.Lock()
		defer p.mu.Unlock()
		p.clearLocked()
	}()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-closed:
	case <-timer.C:
	}
}

// Write writes text above the lines. It may block.
func (p *progress) Write(text []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.lines != nil {
		return p.lines.Write(text)
	}
	return p.out.Write(text)
}

// run draws until Close. While no download is running it only asks whether there was a request.
func (p *progress) run(a activity) {
	timer := time.NewTimer(glance)
	defer timer.Stop()
	seen, running := int64(0), false
	for {
		select {
		case <-p.stop:
			return
		case <-timer.C:
		}
		if n := a.Requests(); n != seen || running {
			seen = n
			running = p.draw(a.Status(), a.Sum)
		}
		if running {
			timer.Reset(look)
		} else {
			timer.Reset(glance)
		}
	}
}

// draw updates the lines and reports whether there are any.
func (p *progress) draw(s service.Status, total func(*service.Status) string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	var show []service.AssetStatus
	hidden := 0
	for _, a := range s.Assets {
		switch {
		case len(a.Streams) == 0:
		case len(show) == maxBars:
			hidden++
		default:
			show = append(show, a)
		}
	}
	if len(show) == 0 {
		p.clearLocked()
		return false
	}
	if p.lines == nil {
		p.openLocked()
	}
	width := plainWidth
	if p.tty {
		width, _ = p.size()
	}
	name := min(nameCells, max(1, width/3))
	now := map[string]bool{}
	for _, a := range show {
		now[a.ID] = true
		b := p.bars[a.ID]
		if b == nil {
			b = newBar(p.lines, max(0, a.Size))
			p.bars[a.ID] = b
		}
		b.show(&a, name)
	}
	for id, b := range p.bars {
		if !now[id] {
			b.bar.Abort(true)
			delete(p.bars, id)
		}
	}
	if total != nil {
		p.total.set(total(&s), "")
	} else {
		p.total.set(sum(&s, hidden), "")
	}
	return true
}

// openLocked starts the live lines.
func (p *progress) openLocked() {
	options := []mpb.ContainerOption{mpb.WithRefreshRate(look), mpb.WithAutoRefresh()}
	if p.tty {
		options = append(options, mpb.WithConsoleWriter(&liveTerminal{out: deaf{p.out}, size: p.size}))
	} else {
		options = append(options, mpb.WithOutput(deaf{p.out}), mpb.WithWidth(plainWidth))
	}
	p.lines = mpb.New(options...)
	p.bars = map[string]*bar{}
	p.total = newTotal(p.lines)
}

// deaf ignores errors: mpb panics after one, but a mount must outlive its terminal.
type deaf struct{ io.Writer }

func (d deaf) Write(p []byte) (int, error) {
	_, _ = d.Writer.Write(p)
	return len(p), nil
}

// clearLocked removes the lines, after all text was written.
func (p *progress) clearLocked() {
	if p.lines == nil {
		return
	}
	for _, b := range p.bars {
		b.bar.Abort(true)
	}
	p.total.bar.Abort(true)
	p.lines.Wait()
	p.lines, p.bars, p.total = nil, nil, nil
}

// sum returns the last line: what all downloads have cost.
func sum(s *service.Status, hidden int) string {
	text := fmt.Sprintf("%s in %d requests, %s so far", bytesText(s.Downloaded), s.Requests, dollars(s.Cost))
	if s.RequestsLeft >= 0 {
		text += fmt.Sprintf(", %d more may start now", s.RequestsLeft)
	}
	if hidden > 0 {
		text += fmt.Sprintf("; %d more downloads", hidden)
	}
	return text
}

// title returns the asset's name, or its ID.
func title(a *service.AssetStatus) string {
	if a.Name == "" {
		return a.ID
	}
	return a.Name
}

// bar is a line. The goroutine that draws reads its texts.
type bar struct {
	bar *mpb.Bar

	mu    sync.Mutex // guards the fields below
	left  string
	right string
}

func newBar(lines *mpb.Progress, total int64) *bar {
	b := &bar{}
	b.bar = lines.New(total,
		mpb.BarStyle().Lbound("[").Filler("#").Tip("#").Padding(".").Rbound("]"),
		mpb.BarFillerTrim(), mpb.BarWidth(24),
		mpb.PrependDecorators(decor.Any(func(decor.Statistics) string { return b.text(true) }, decor.WC{C: decor.DSyncWidthR | decor.DextraSpace})),
		mpb.AppendDecorators(decor.Any(func(decor.Statistics) string { return b.text(false) }, decor.WC{C: decor.DextraSpace})))
	return b
}

func newTotal(lines *mpb.Progress) *bar {
	b := &bar{}
	b.bar = lines.New(0, mpb.NopStyle(), mpb.BarFillerTrim(), mpb.BarPriority(1<<30),
		mpb.PrependDecorators(decor.Any(func(decor.Statistics) string { return b.text(true) })))
	return b
}

// show updates the line of an asset. name is the width of its name, in columns.
func (b *bar) show(a *service.AssetStatus, name int) {
	var speed, eta float64
	paused, waits := true, ""
	for _, s := range a.Streams {
		switch {
		case s.Paused:
			continue
		case s.For != "":
			waits = s.For
		default:
			speed += s.Speed
			eta = max(eta, s.ETA)
		}
		paused = false
	}
	text := bytesText(a.Spooled)
	if a.Size >= 0 {
		text = fmt.Sprintf("%3d%% of %s", int(100*float64(a.Spooled)/float64(max(1, a.Size))), bytesText(a.Size))
	}
	switch {
	case paused:
		text += ", paused"
	case eta > 0:
		text += fmt.Sprintf(", %s, %s left", rate(speed), span(eta))
	case speed > 0:
		text += ", " + rate(speed)
	case waits != "":
		text += ", waits: " + printable(waits)
	}
	b.set(shorten(printable(title(a)), name), text)
	// Never full, because a full bar would end before the download does.
	b.bar.SetCurrent(max(0, min(a.Spooled, a.Size-1)))
}

func (b *bar) set(left, right string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.left, b.right = left, right
}

func (b *bar) text(left bool) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if left {
		return b.left
	}
	return b.right
}

// shorten cuts the middle out of a name, because its ends say most. cells is the width of the result, in
// columns: Chinese and Japanese characters take two.
func shorten(name string, cells int) string {
	if columns(name) <= cells {
		return name
	}
	r := []rune(name)
	tail := len(r)
	for columns(string(r[tail-1:])) <= cells/3 {
		tail--
	}
	end := "…" + string(r[tail:])
	head := 0
	for columns(string(r[:head+1])+end) <= cells {
		head++
	}
	return string(r[:head]) + end
}
