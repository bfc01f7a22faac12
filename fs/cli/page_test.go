package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vbauerster/mpb/v8"

	"assetfs/fs/ledger"
	"assetfs/fs/service"
)

// sample is the status of a busy mount.
const sample = `{"mountpoint":"/mnt/a","pid":42,"uptime_seconds":7985.2,"requests":1234,"requests_left":8,
"downloaded_bytes":2000000000,"served_bytes":5000000000,"from_spool_bytes":3000000000,"cost_dollars":0.24,"saved_dollars":0.36,"last_error_age_seconds":65,"waiting":[{"program":"ls","pid":7,"op":"list","since_seconds":2,"for":"for names, 3 are unknown"}],"last_error":"read re_3: download re_3: 402: Insufficient balance",
"spool":{"dir":"/spool/x","bytes":1073741824,"limit_bytes":21474836480,"free_bytes":3221225472},"assets_listed":1000,
"assets":[{"id":"re_1","name":"video.mp4","size":1000,"spooled_bytes":1000,"pinned":true},
{"id":"re_22","name":"clip.mov","size":1048576,"spooled_bytes":419430,"streams":[{"pos":5,"bytes_per_second":4404019.2,"eta_seconds":192,"paused":false},{"paused":true}],"waiting":[{"program":"mpv","pid":99,"op":"read","offset":419430,"since_seconds":3,"for":"for the rate limit, in 4 s"}]},
{"id":"re_3","size":-1,"spooled_bytes":1072693248,"error_age_seconds":7200,"error":"download re_3: HTTP 402: Insufficient balance to download the resource. Please recharge and try \u001b[31magain\u202e."},
{"id":"re_4","name":"empty.txt","size":0,"spooled_bytes":0}],"future_field":{"x":1}}`

const samplePage = `assetfs at /mnt/a, process 42, up 2h 13m

Requests     1,234 made, 8 may start now
Downloaded   at least 1.9 GiB for $0.2400
Read         4.7 GiB, 2.8 GiB of it from the spool, which
             saved $0.3600
Kernel       answers repeated reads from its cache,
             uncounted
Spool        1.0 GiB of 20GiB in /spool/x, 3.0 GiB free
             there
Downloads    1 running at 4.2 MiB/s, 1 paused
Assets       1,000 listed: 2 whole in the spool, 2 in part,
             1 pinned, 1 failing; names: 3 of 1,000
Waiting      ls (7), list, waits 2s: for names, 3 are
             unknown
Last error   1m 5s ago: read re_3: download re_3: 402:
             Insufficient balance

SPOOLED          SIZE      ID     NAME
###.......  39%  1.0 MiB   re_22  clip.mov
    downloading at 4.2 MiB/s, 3m 12s left
    paused until a program reads on
    mpv (99), read at 419,430, waits 3s: for the rate limit,
    in 4 s
?????? 1023 MiB  unknown   re_3   -
    2h 0m ago: download re_3: HTTP 402: Insufficient balance
    to download the resource. Please recharge and try
    \u001b[31magain\u202e.
########## 100%  1000 B    re_1   video.mp4
    pinned
########## 100%  0 B       re_4   empty.txt
and 996 more: see assetfs status --all
`

func TestPage(t *testing.T) {
	s := &service.Status{}
	if err := json.Unmarshal([]byte(sample), s); err != nil {
		t.Fatal(err)
	}
	var page bytes.Buffer
	if err := writePage(&page, s, pageOptions{width: 60, all: true}); err != nil {
		t.Fatal(err)
	}
	if got := page.String(); got != samplePage {
		t.Errorf("the page is\n%s\nwant\n%s", got, samplePage)
	}
}

func TestPageOfAnIdleMount(t *testing.T) {
	s := &service.Status{Mountpoint: "/m", RequestsLeft: -1, Kernel: service.KernelStatus{Passthrough: true, Opens: 1, Bytes: 2048}}
	var page bytes.Buffer
	if err := writePage(&page, s, pageOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"0 made, no limit", "0 B for $0.0000", "Kernel       reads whole assets by itself, uncounted: opened 1, 2.0 KiB", "Downloads    none", "No assets are listed"} {
		if !strings.Contains(page.String(), want) {
			t.Errorf("the page lacks %q:\n%s", want, page.String())
		}
	}
}

// Of many assets the page shows those that are downloaded, waited for, or fail, in this order. Nothing is too wide.
func TestPageOfMany(t *testing.T) {
	s := &service.Status{Mountpoint: "/m", Listed: 100_000, Spool: service.SpoolStatus{Dir: "/home/user/.cache/assetfs/mavi-backend.memories.ai-0123456789ab"}}
	for i := range s.Listed {
		a := service.AssetStatus{ID: fmt.Sprint("re_6607291806265958", 10000+i), Name: strings.Repeat("long ", 20) + fmt.Sprint(i) + ".mp4", Size: 1 << 30}
		switch {
		case i%1000 == 1:
			a.Error = "download failed: " + strings.Repeat("some reason ", 20)
		case i == 70_000:
			for range 1000 {
				a.Waiting = append(a.Waiting, service.WaitStatus{Program: "cat", PID: 1, Op: "read", For: "its turn"})
			}
		case i == 90_000:
			a.Streams = []service.StreamStatus{{Speed: 1000}}
		}
		s.Assets = append(s.Assets, a)
	}
	all := slices.Clone(s.Assets)
	var page bytes.Buffer
	if err := writePage(&page, s, pageOptions{width: 80}); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(page.String(), "\n")
	for _, line := range lines {
		if n := len([]rune(line)); n > 80 {
			t.Errorf("a line has %d columns: %s", n, line)
		}
	}
	at := -1
	for _, want := range []string{"re_6607291806265958100000  long long", "re_660729180626595880000 ", "cat (1), read at 0, waits 0s: its turn", "and 997 more wait", "ng 1.mp4\n    download failed", "and 99,978 more: see assetfs status --all"} {
		i := strings.Index(page.String(), want)
		if i <= at {
			t.Errorf("the page lacks %q, or has it too early:\n%s", want, page.String())
		}
		at = i
	}
	if len(lines) > 200 {
		t.Errorf("the page has %d lines", len(lines))
	}
	page.Reset()
	s.Assets = all
	if err := writePage(&page, s, pageOptions{all: true, width: 200}); err != nil || strings.Count(page.String(), "re_660729") != s.Listed {
		t.Errorf("with --all: %v, and %d assets are shown, want %d", err, strings.Count(page.String(), "re_660729"), s.Listed)
	}
}

func TestPageOfLimits(t *testing.T) {
	for _, tc := range []struct {
		limit service.LimitStatus
		want  string // "" shows nothing
	}{
		{service.LimitStatus{Calls: "download", Rate: "1/s"}, "download 1/s"},
		{service.LimitStatus{Calls: "metadata", Rate: "none"}, "metadata none"},
		{service.LimitStatus{Calls: "list", Rate: "5/s"}, ""},
		{service.LimitStatus{Calls: "download", Rate: "1/s,12/m", Waiting: 3, Next: 4.2}, "download 1/s,12/m, 3 waiting, the next goes in 4s"},
		{service.LimitStatus{Calls: "download", Rate: "1/s", Spread: 2.1}, "download 1/s, spread by 2.1 s beside another user of the account"},
		{service.LimitStatus{Calls: "list", Rate: "5/s", Next: 61, Closed: "HTTP 503 \x1b[1m"}, "list 5/s, paused for 1m 1s after: HTTP 503 \\u001b[1m"},
		{service.LimitStatus{Calls: "download", Rate: "1/s", Closed: "HTTP 429"}, "download 1/s, tried again now after: HTTP 429"},
	} {
		got, want := "", tc.want
		writeLimits(func(title, text string) { got += title + " " + text }, []service.LimitStatus{tc.limit})
		if want != "" {
			want = "Limits " + want
		}
		if got != want {
			t.Errorf("%+v: %q, want %q", tc.limit, got, want)
		}
	}
}

func TestWrap(t *testing.T) {
	text := strings.Repeat("word ", 20) + strings.Repeat("言葉 ", 20) + strings.Repeat("x", 50)
	for _, width := range []int{20, 40, 80} {
		var page bytes.Buffer
		wrap(&page, "   ", text, width)
		for line := range strings.Lines(page.String()) {
			if line = strings.TrimSuffix(line, "\n"); columns(line) > width && !strings.Contains(line, "x") {
				t.Errorf("at width %d a line has %d columns: %q", width, columns(line), line)
			}
		}
		if got := strings.Join(strings.Fields(page.String()), " "); got != text {
			t.Errorf("at width %d the words are %q, want %q", width, got, text)
		}
	}
}

func TestSpan(t *testing.T) {
	for seconds, want := range map[float64]string{-1: "0s", 0.4: "0s", 59.4: "59s", 61: "1m 1s", 7200: "2h 0m", 200_000: "2d 7h", 1e300: "11574d 1h"} {
		if got := span(seconds); got != want {
			t.Errorf("span(%v) = %q, want %q", seconds, got, want)
		}
	}
}

func TestReadWhereNothingIsMounted(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		dir:                        "no assetfs is mounted there",
		file:                       "no assetfs is mounted there",
		filepath.Join(file, "x"):   "no assetfs is mounted there",
		filepath.Join(dir, "none"): "no such directory",
		"/proc":                    "no assetfs is mounted there",
	} {
		got, err := readStatus(path)
		var none *noMountError
		if !errors.As(err, &none) || none.Path != path || !strings.Contains(err.Error(), want) {
			t.Errorf("readStatus(%s) = %+v, %v; want %q", path, got, err, want)
		}
	}
}

// The cost of the spool names the programs that cost most this month.
func TestCostLines(t *testing.T) {
	var page strings.Builder
	month := ledger.Period{Requests: 9, Downloaded: 30e6, Cost: 0.0036}
	month.Programs = []ledger.Program{{Program: "mpv", Cost: 2}, {Program: "a\x1bb", Cost: 0.5}, {Program: "cat", Cost: 0.25}, {Program: "x", Cost: 0.01}, {Program: "y", Cost: 0.02}}
	fact := func(title, text string) { fmt.Fprintf(&page, "%s\t%s\n", title, text) }
	writeCost(fact, &ledger.Costs{Month: month, Ever: month, MaxMonth: 100e6})
	saved := ledger.Period{Requests: 1, Saved: 1.5}
	writeCost(fact, &ledger.Costs{Ever: saved})
	writeCost(fact, &ledger.Costs{}) // nothing was spent, or the mount is old
	want := "This mount\t0 requests, 0 B for $0.0000\nToday\t0 requests, 0 B for $0.0000\n" +
		"This month\t9 requests, 29 MiB of 100MB for $0.0036\nEver\t9 requests, 29 MiB for $0.0036\n" +
		"Programs\tmpv $2.00, a\\u001bb $0.5000, cat $0.2500, others $0.0300 this month\n" +
		"This mount\t0 requests, 0 B for $0.0000\nToday\t0 requests, 0 B for $0.0000\n" +
		"This month\t0 requests, 0 B for $0.0000\nEver\t1 request, 0 B for $0.0000, saved $1.50\n"
	if page.String() != want {
		t.Errorf("%q, want %q", page.String(), want)
	}
}

// A download without progress says what it waits for, and never shows a speed of 0.
func TestPageOfDownloads(t *testing.T) {
	s := &service.Status{Listed: 1, Assets: []service.AssetStatus{{ID: "re_1", Size: 100, Streams: []service.StreamStatus{
		{For: "for the rate limit, in 4 s"}, {Pos: 7}, {Speed: 2048}, {Paused: true},
	}}}}
	var page bytes.Buffer
	if err := writePage(&page, s, pageOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"2 running at 2.0 KiB/s, 1 waiting, 1 paused\n", "\n    download waits: for the rate limit, in 4 s\n    downloading\n    downloading at 2.0 KiB/s\n    paused until"} {
		if !strings.Contains(page.String(), want) {
			t.Errorf("the page lacks %q:\n%s", want, page.String())
		}
	}
	b := &bar{bar: mpb.New(mpb.WithOutput(io.Discard)).AddBar(100)}
	for want, streams := range map[string][]service.StreamStatus{
		"  0% of 100 B, waits: for the rate limit, in 4 s": {{Paused: true}, {For: "for the rate limit, in 4 s"}},
		"  0% of 100 B":            {{}},
		"  0% of 100 B, 2.0 KiB/s": {{Speed: 2048}, {For: "no answer"}},
	} {
		b.show(&service.AssetStatus{Size: 100, Streams: streams}, nameCells)
		if b.right != want {
			t.Errorf("the live line of %+v is %q, want %q", streams, b.right, want)
		}
	}
}

func TestNamesToCome(t *testing.T) {
	for _, tc := range []struct {
		coming int
		pace   float64
		want   string
	}{
		{164, 1.01, ", 1 a second, about 3 min"},
		{164, 0.2, ", 12 a minute, about 14 min"},
		{9_999, 1, ", 1 a second, about 3 h"},
		{3, 0.99, ", 1 a second, about 3 s"},
		{1, 1e-3, ", 4 an hour, about 17 min"},
		{5, 120, ", 120 a second, about 1 s"},
		{5, 0, ""}, // none has come yet
		{0, 1, ""}, // the rest stays unknown
	} {
		got := assetCounts(&service.Status{Listed: 201, Counts: &service.CountStatus{Named: 37, Coming: tc.coming, Pace: tc.pace}})
		if _, got, _ := strings.Cut(got, "; names: 37 of 201"); got != tc.want {
			t.Errorf("%d to come, %v a second: %q, want %q", tc.coming, tc.pace, got, tc.want)
		}
	}
}
