package logqueue

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"
)

const (
	// window is how long repeated lines are counted before the count is logged.
	window = time.Minute
	// shown is how many lines of a kind are logged before they are counted.
	shown = 3
	// maxKinds is how many kinds of lines are distinguished within a window. A server may
	// word each failure differently.
	maxKinds = 32

	digits = "0123456789"
)

// handler passes records on, except repeated ones.
type handler struct {
	slog.Handler // formats
	repeats      *repeats
	attrs        []slog.Attr // from WithAttrs
}

func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &handler{h.Handler.WithAttrs(attrs), h.repeats, slices.Concat(h.attrs, attrs)}
}

func (h *handler) WithGroup(name string) slog.Handler {
	return &handler{h.Handler.WithGroup(name), h.repeats, h.attrs}
}

// Handle logs or counts r. It never counts debug lines, because whoever enables them wants all.
func (h *handler) Handle(ctx context.Context, r slog.Record) error {
	if r.Level >= slog.LevelInfo && h.repeats.hold(h, &r) {
		return nil
	}
	return h.Handler.Handle(ctx, r)
}

// kind returns what records about different assets have in common. If there is an asset, numbers
// such as offsets, sizes and addresses don't matter. coarse, if not empty, ignores the cause, too.
func (h *handler) kind(r *slog.Record) (kind, coarse string) {
	attrs := slices.Clone(h.attrs)
	r.Attrs(func(a slog.Attr) bool {
		attrs = append(attrs, a)
		return true
	})
	asset := ""
	for _, a := range attrs {
		if a.Key == "asset" {
			asset = a.Value.Resolve().String()
		}
	}
	k, c := &strings.Builder{}, &strings.Builder{}
	fmt.Fprintf(k, "%v %s", r.Level, r.Message)
	fmt.Fprintf(c, "%v %s", r.Level, r.Message)
	for _, a := range attrs {
		text := a.Value.Resolve().String()
		switch {
		case a.Key == "asset":
			continue
		case asset != "":
			text = anyNumber(strings.ReplaceAll(text, asset, "#"))
		}
		fmt.Fprintf(k, "\x00%s=%s", a.Key, text)
		if a.Key == "op" || a.Key == "errno" {
			fmt.Fprintf(c, "\x00%s=%s", a.Key, text)
		}
	}
	if asset == "" {
		return k.String(), ""
	}
	return k.String(), c.String()
}

// anyNumber replaces each word that contains a digit by #, except numbers as short as a status or
// a code. It drops punctuation at the end of a word.
func anyNumber(text string) string {
	var b strings.Builder
	for len(text) > 0 {
		end := strings.IndexFunc(text, func(c rune) bool { return !inWord(c) })
		if end < 0 {
			end = len(text)
		}
		word := strings.TrimRight(text[:end], "_-.:+/")
		if strings.ContainsAny(word, digits) && (len(word) > 4 || strings.Trim(word, digits) != "") {
			word = "#"
		}
		b.WriteString(word)
		text = text[end:]
		next := strings.IndexFunc(text, inWord)
		if next < 0 {
			next = len(text)
		}
		b.WriteString(text[:next])
		text = text[next:]
	}
	return b.String()
}

func inWord(c rune) bool {
	return unicode.IsLetter(c) || unicode.IsDigit(c) || strings.ContainsRune("_-.:+/", c)
}

// repeats counts the lines of each kind. The zero value is ready to use.
type repeats struct {
	mu     sync.Mutex // guards the fields below; nothing is logged while it is held
	kinds  map[string]*kind
	timer  *time.Timer // ends the window; nil if there are no kinds
	closed bool
}

// kind is a group of similar lines.
type kind struct {
	shown int
	more  int // counted in this window
	last  slog.Record
	to    slog.Handler // of last
}

// hold reports whether r must be counted rather than logged.
func (s *repeats) hold(h *handler, r *slog.Record) bool {
	name, coarse := h.kind(r)
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.kinds[name]
	if k == nil && len(s.kinds) >= maxKinds {
		if coarse == "" {
			return false // it is not about an asset, and there are few such messages
		}
		name = coarse
		k = s.kinds[name]
	}
	if s.closed {
		return false
	}
	if k == nil {
		if s.kinds == nil {
			s.kinds = map[string]*kind{}
		}
		k = &kind{}
		s.kinds[name] = k
	}
	if s.timer == nil {
		s.timer = time.AfterFunc(window, s.end)
	}
	if k.shown < shown {
		k.shown++
		return false
	}
	k.more++
	k.last, k.to = r.Clone(), h.Handler
	return true
}

// end logs the counts of a window. A kind that was counted is logged again only after a window
// without it.
func (s *repeats) end() {
	s.mu.Lock()
	var counted []kind
	for _, name := range slices.Sorted(maps.Keys(s.kinds)) {
		k := s.kinds[name]
		if k.more == 0 {
			delete(s.kinds, name)
			continue
		}
		counted = append(counted, *k)
		*k = kind{shown: shown}
	}
	s.timer = nil
	if len(s.kinds) > 0 && !s.closed {
		s.timer = time.AfterFunc(window, s.end)
	}
	s.mu.Unlock()
	slices.SortStableFunc(counted, func(a, b kind) int { return a.last.Time.Compare(b.last.Time) })
	for _, k := range counted {
		r := slog.NewRecord(time.Now(), k.last.Level, fmt.Sprintf("%s ... %d more in the last minute", k.last.Message, k.more), k.last.PC)
		k.last.Attrs(func(a slog.Attr) bool {
			r.AddAttrs(a)
			return true
		})
		_ = k.to.Handle(context.Background(), r) // writing never fails
	}
}

// close ends the last window.
func (s *repeats) close() {
	s.mu.Lock()
	s.closed = true
	if s.timer != nil {
		s.timer.Stop()
	}
	s.mu.Unlock()
	s.end()
}
