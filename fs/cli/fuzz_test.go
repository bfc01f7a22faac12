package cli

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"assetfs/fs/service"
)

// FuzzRequest reads whatever comes through the socket as a command: IDs, or one refusal of one line.
func FuzzRequest(f *testing.F) {
	for _, s := range []string{`{"ids":["re_1"]}`, "{}", "", "null", `{"ids":null}`, `{"ids":[1]}`, `{"ids":["\u001b[2J\u202e"]}`, "[[[[", `{"ids":["a"]}{`, "\x1b", `{"IDS":["../x"]}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		w := httptest.NewRecorder()
		ids, ok := (&commander{}).ids(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/plan", strings.NewReader(string(body))))
		said := w.Body.String()
		switch {
		case ok && (said != "" || !json.Valid([]byte(firstValue(body)))):
			t.Errorf("%q: %q, and %q", body, ids, said)
		case !ok && (w.Code != http.StatusBadRequest || printable(strings.TrimSuffix(said, "\n")) != strings.TrimSuffix(said, "\n")):
			t.Errorf("%q is answered %d %q", body, w.Code, said)
		}
	})
}

// firstValue is the JSON that a text begins with.
func firstValue(text []byte) string {
	var v json.RawMessage
	_ = json.NewDecoder(strings.NewReader(string(text))).Decode(&v)
	return string(v)
}

// FuzzStatus shows whatever a mount tells of itself, one of another version or of another user, too: a terminal only shows it.
func FuzzStatus(f *testing.F) {
	for _, s := range []string{
		`{"mountpoint":"/m\u001b[2J","pid":1,"uptime_seconds":1e300,"assets_listed":3,"assets":[{"id":"\u202e","name":"\n","size":5,"spooled_bytes":-9},{"id":"b","size":-1},{"id":"c","size":1,"spooled_bytes":9223372036854775807}]}`,
		`{"assets":[{"id":"a","size":0,"streams":[{"pos":-1,"bytes_per_second":-1e300,"eta_seconds":1e300,"for":"\u009b31m"}],"waiting":[{"program":"\u0007","op":"read","offset":-5,"since_seconds":-1}],"error":"\r\n"}]}`,
		`{"limits":[{"calls":"\u001b","rate":"\u202e","spread_seconds":-1,"waiting":-5,"closed":"\u0000"}],"waiting":[{"op":"\u001b","for":"\u2028"}],"last_error":"\u0085","assets_listed":-5}`,
		`{"ledger":{"month":{"programs":[{"program":"\u001b[1m","bytes":-5}]},"max_per_month_bytes":5},"counts":{"names_coming":5,"names_per_second":1e-300},"spool":{"dir":"\u001b"}}`,
		`{"kernel":{"passthrough":true,"opens":-1}}`, "{}", "null",
	} {
		f.Add([]byte(s), 80, true)
	}
	f.Fuzz(func(t *testing.T, text []byte, width int, all bool) {
		var s service.Status
		if json.Unmarshal(text, &s) != nil || width < 0 || width > 500 {
			return
		}
		assets := append([]service.AssetStatus(nil), s.Assets...)
		var page strings.Builder
		if err := writePage(&page, &s, pageOptions{width: width, all: all}); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(page.String()) {
			if line = strings.TrimSuffix(line, "\n"); printable(line) != line {
				t.Errorf("%q shows %q", text, line)
			}
		}
		for _, a := range assets {
			text := liveText(&a, 1+width%nameCells)
			if printable(text) != text {
				t.Errorf("a live line shows %q", text)
			}
		}
	})
}

// liveText is the line of an asset as progress draws it.
func liveText(a *service.AssetStatus, cells int) string {
	p := newProgress(discard{}, true)
	p.size = func() (width, height int) { return plainWidth, 24 }
	p.openLocked()
	b := newBar(p.lines, max(0, a.Size))
	b.show(a, cells)
	text := b.text(true) + b.text(false)
	b.bar.Abort(true)
	p.bars = map[string]*bar{}
	p.clearLocked()
	return text
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

// FuzzProgress reads whatever a mount tells of a fetch.
func FuzzProgress(f *testing.F) {
	f.Add([]byte(`{"id":"\u001b[2J","name":"\u202e","size":-5,"spooled_bytes":9,"streams":[{"for":"\u0007"}],"error":"\r\n"}`))
	f.Add([]byte(`{"id":"a","done":true}{"id":"b"`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var out strings.Builder
		c := &fetcher{out: nil, running: map[string]service.AssetStatus{}, live: newProgress(&out, false)}
		for lines := json.NewDecoder(strings.NewReader(string(text))); ; {
			var r result
			if lines.Decode(&r) != nil {
				break
			}
			tgt := &target{path: map[string]string{}}
			c.goesOn(&r, tgt.title(&r))
			s := c.status()
			c.total.add(&r)
			for i := range s.Assets {
				if line := liveText(&s.Assets[i], nameCells); printable(line) != line {
					t.Errorf("%q shows %q", text, line)
				}
			}
			if line := c.sum(&s) + c.total.text(); printable(line) != line {
				t.Errorf("%q shows %q", text, line)
			}
		}
	})
}
