package fakeapi

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Limit limits the calls of one kind for an account, and says how further ones are refused.
// The zero Limit allows everything.
type Limit struct {
	// Rates is a list of rates, all of which must allow a request: "1/s", "12/m",
	// "1/s,12/m", "12/600ms". "" is no limit.
	Rates string
	// Mode is how requests are counted:
	//
	//	"sliding"  those accepted within the last interval; also ""
	//	"strict"   refused ones within the last interval count, too
	//	"bucket"   a token bucket of n, full at first, that gets n tokens per interval
	Mode string
	// Refusal is how a request beyond the limit is answered:
	//
	//	"429"       status 429, code 429; also ""
	//	"400"       status 400, code "0429"
	//	"200"       status 200, code 429; neither success nor failed
	//	"exceeded"  status 400, code 400, `Request has exceeded the limit.`
	//	"429 page"  status 429, the HTML page of a gateway
	//	"503 page"  status 503, the same page: nginx's default
	Refusal string
	// RetryAfter makes each refusal say when the next request may come. It can't know what
	// another client does until then.
	RetryAfter bool
	// Other is another client of the account: a list such as "1/2s" (one request every two
	// seconds), "5/30s" (five at once every 30 s), "1/2s@500ms" (the first after 500 ms).
	// It starts when the limit is set, and does not repeat refused requests.
	Other string
}

// rate is n requests per interval.
type rate struct {
	n   int
	per time.Duration
}

// pace is n requests at once per interval, the first of them after start.
type pace struct {
	rate
	start time.Duration
}

// check returns an error if l is not valid.
func (l Limit) check() error {
	if _, err := parseRates(l.Rates); err != nil {
		return err
	}
	if _, err := parsePaces(l.Other); err != nil {
		return err
	}
	if err := oneOf("Mode", l.Mode, "", "sliding", "strict", "bucket"); err != nil {
		return err
	}
	return oneOf("Refusal", l.Refusal, "", "429", "400", "200", "exceeded", "429 page", "503 page")
}

// oneOf checks that word is one of words.
func oneOf(setting, word string, words ...string) error {
	for _, w := range words {
		if w == word {
			return nil
		}
	}
	return fmt.Errorf("fakeapi: %s: %q is none of %q", setting, word, words)
}

// parseRates reads a list such as "1/s,12/m".
func parseRates(list string) ([]rate, error) {
	var all []rate
	for item := range items(list) {
		r, err := parseRate(item)
		if err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	return all, nil
}

// parsePaces reads a list such as "1/2s,5/30s@10s".
func parsePaces(list string) ([]pace, error) {
	var all []pace
	for item := range items(list) {
		text, at, delayed := strings.Cut(item, "@")
		r, err := parseRate(text)
		if err != nil {
			return nil, err
		}
		p := pace{rate: r}
		if delayed {
			if p.start, err = time.ParseDuration(at); err != nil || p.start < 0 {
				return nil, fmt.Errorf("fakeapi: %q does not say when to begin", item)
			}
		}
		all = append(all, p)
	}
	return all, nil
}

// items yields the items of a comma-separated list; "" has none.
func items(list string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for item := range strings.SplitSeq(list, ",") {
			if item = strings.TrimSpace(item); item != "" && !yield(item) {
				return
			}
		}
	}
}

// parseRate reads a rate such as "1/s" or "12/600ms".
func parseRate(text string) (rate, error) {
	number, interval, _ := strings.Cut(text, "/")
	if interval != "" && strings.Trim(interval, "smh") == "" {
		interval = "1" + interval
	}
	n, err1 := strconv.Atoi(number)
	per, err2 := time.ParseDuration(interval)
	if err1 != nil || err2 != nil || n <= 0 || per <= 0 {
		return rate{}, fmt.Errorf("fakeapi: %q is no rate such as 1/s, 12/m or 12/600ms", text)
	}
	return rate{n, per}, nil
}
