package remote

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

var (
	// ErrNoKey means that there is no API key; no request was made.
	ErrNoKey = errors.New("no API key")
	// ErrBudget means that Options.MaxDownload is used up.
	ErrBudget = errors.New("download budget used up")
	// ErrNoSlot means that a Background request found no free slot. It says
	// nothing of the asset.
	ErrNoSlot = errors.New("no request free right now")
	// ErrUnreachable means that nothing was heard of the API: no DNS, refused,
	// no route, no answer, network down, or a network that answers in its place
	// (a login page).
	ErrUnreachable = errors.New("host unreachable")
	// ErrProxy means that a proxy refuses to pass requests on.
	ErrProxy = errors.New("refused by the proxy")
	// ErrStalled means that an answer did not come in time.
	ErrStalled = errors.New("no answer in time")
	// ErrExceeded means a 400 that says "Request has exceeded the limit.". The
	// same text comes with limits on values, so it is no proof of a rate limit.
	ErrExceeded = errors.New("a limit of the API, perhaps on requests")
	// ErrUploading means that the asset's upload is not finished.
	ErrUploading = errors.New("the upload is not finished")
	// ErrNoMetadata means that the API has no metadata call.
	ErrNoMetadata = errors.New("the API has no metadata call")
	// ErrMalformed means that a response is not what HTTP or the API allows.
	ErrMalformed = errors.New("malformed response")

	// errForeign means an error that somebody else than the API has written.
	errForeign = errors.New("not an answer of the API")
)

// maxText bounds what one piece of server-chosen text takes in an error, in
// bytes: some lines of a terminal.
const maxText = 500

// Error is what went wrong with one call. Msg is as the server sent it, but for
// its length and the key; Error() escapes it.
type Error struct {
	Op, ID     string        // "download" or "metadata", and the asset
	Status     int           // HTTP status, 0 when there was no response
	Code, Msg  string        // of the JSON error object, "" when there was none
	RetryAfter time.Duration // as the server asked, 0 when it did not
	Err        error         // the cause; nil when Status and Msg say it all

	temporary bool // of an error that has no Status to tell
	missing   bool // a success that says there is no such asset
	api       bool // the body was the API's own
	noRoute   bool // the server knows no such call
	proxy     bool // a proxy has said it
	foreign   bool // Status is somebody else's, and says nothing of the asset
	plain     bool // the same request without Range may be answered
	asked     bool // and has been made: this is its error

	size int64 // of the asset, as a 416 tells it; 0 if it does not, too
}

// Error is one line of printable text, whatever the server sent.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Op)
	if e.ID != "" {
		b.WriteString(" " + printable(e.ID))
	}
	sep := ": "
	part := func(s string) {
		b.WriteString(sep + s)
		sep = ", "
	}
	if e.Status != 0 {
		part(strings.TrimSpace("HTTP " + strconv.Itoa(e.Status) + " " + http.StatusText(e.Status)))
	}
	if e.Code != "" {
		part("code " + printable(e.Code))
	}
	if e.Msg != "" {
		part(strconv.Quote(bounded(e.Msg)))
	}
	if e.Err != nil {
		sep = ": "
		part(printable(e.Err.Error()))
	}
	if s := e.advice(); s != "" {
		b.WriteString(" (" + s + ")")
	}
	return b.String()
}

// advice is what its reader can do about it where the rest does not say so.
func (e *Error) advice() string {
	switch {
	case e.Err == ErrNoKey: //nolint:errorlint // one that wraps it says more
		return "give one with --api-key-file or MEMORIES_API_KEY"
	case e.unauthorized():
		return "is the key right? see --api-key-file"
	case e.Number() == http.StatusPaymentRequired && e.Msg == "":
		return "recharge the account"
	case e.Number() == http.StatusForbidden:
		return "may this key, and this address, have it?"
	case errors.Is(e.Err, ErrUnreachable) && e.Status == 0 && !e.proxy:
		return "is the network up, and --base-url right?"
	case e.Err == errForeign: //nolint:errorlint // one that wraps it says more
		return "is there a proxy or a gateway in between?"
	}
	return ""
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Number is the HTTP status that says what went wrong: what Code stands for
// where Status is a success or 400 (older pages of the API send their errors
// with these), else Status; 0 when neither tells, or the API did not say it.
func (e *Error) Number() int {
	switch {
	case e.foreign:
		return 0
	case success(e.Status):
		return codeNumber(e.Code)
	case e.Status == http.StatusBadRequest:
		return cmp.Or(codeNumber(e.Code), e.Status)
	}
	return e.Status
}

// unauthorized tells that another key might help, whoever says so.
func (e *Error) unauthorized() bool {
	return e.Status == http.StatusUnauthorized || e.Number() == http.StatusUnauthorized
}

func success(status int) bool { return status >= 200 && status <= 299 }

// codeNumber is the HTTP status that a code of the API stands for, 0 for none.
func codeNumber(code string) int {
	n, err := strconv.Atoi(code)
	switch {
	case err != nil:
		return 0
	case n == 1, n == 3: // "0001", "0003": invalid parameters
		return http.StatusBadRequest
	case n == 9009:
		return http.StatusForbidden
	case n >= 400 && n <= 599: // 429 and "0429" alike
		return n
	}
	return 0
}

// triesOfDoubt is how many requests an error is worth that may be about the
// asset, or about something between that will pass.
const triesOfDoubt = 3

// Retry tells how many requests in all are worth making for what failed like
// this, and how long to wait before the next: 0 means that it will fail again, -1
// that it is worth any number while somebody waits. What is to be
// waited for before any request is not told here, but by Client.Budget.
func (e *Error) Retry() (requests int, after time.Duration) {
	n := e.Number()
	switch {
	case e.asked && (e.foreign || e.Status == http.StatusNotImplemented):
		requests = triesOfDoubt - 1 // each makes two
	case e.foreign, errors.Is(e.Err, ErrExceeded):
		requests = triesOfDoubt
	case e.temporary, n == http.StatusTooManyRequests, n == http.StatusRequestTimeout, n >= 500:
		requests = -1
	}
	if requests != 0 && n != http.StatusTooManyRequests {
		after = e.RetryAfter
	}
	return requests, after
}

// retryable tells that Retry is not 0.
func (e *Error) retryable() bool {
	n, _ := e.Retry()
	return n != 0
}

// troubles tells of trouble inside the server or on the way to it, which other
// assets may meet as well.
func (e *Error) troubles() bool {
	n, _ := e.Retry()
	return n < 0 && !e.plain && !errors.Is(e, ErrUploading) && !errors.Is(e, errDescriptors)
}

// SaysNothing tells of a metadata call that was answered, though with nothing on the
// asset, and that this is not for want of a key, of money, or of time.
func (e *Error) SaysNothing() bool {
	n := e.Number()
	if e.foreign {
		n = e.Status
	}
	switch n {
	case http.StatusUnauthorized, http.StatusPaymentRequired, http.StatusProxyAuthRequired, http.StatusTooManyRequests:
		return false
	default:
		return 400 <= n && n < 500 || errors.Is(e, ErrMalformed)
	}
}

// Crowded tells of a refusal that may be due to other downloads of ours that
// are open: a 503 that does not say when to come back.
func (e *Error) Crowded() bool {
	return e.Number() == http.StatusServiceUnavailable && e.RetryAfter == 0 && !errors.Is(e, ErrUnreachable)
}

// NotFound tells that there is no such asset. The API answers an unknown asset
// with status 400 and a text, so this looks at the text; nothing else does. What
// is about the caller (key, balance, rate), or was not said by the API, is never
// taken for it.
func (e *Error) NotFound() bool {
	switch n := e.Number(); n {
	case http.StatusNotFound, http.StatusGone:
		return true
	case http.StatusUnauthorized, http.StatusPaymentRequired, http.StatusTooManyRequests:
		return false
	default:
		return e.missing || n >= 400 && n <= 499 && saysNotFound(e.Msg)
	}
}

func saysNotFound(msg string) bool {
	msg = strings.ToLower(msg)
	return strings.Contains(msg, "not found") || strings.Contains(msg, "does not exist")
}

// noSlot is the error of a Background call that the server refused for its rate.
func noSlot(refusal *Error) *Error {
	return &Error{Status: refusal.Status, Code: refusal.Code, Msg: refusal.Msg, Err: ErrNoSlot, temporary: true}
}

// malformed makes a permanent error of a response that can't be believed.
// status is 0 when the response could not even be read.
func malformed(status int, format string, args ...any) *Error {
	return &Error{Status: status, Err: &detailError{fmt.Sprintf(format, args...), ErrMalformed}}
}

// detailError is a sentinel with the words of one case.
type detailError struct {
	text string
	is   error
}

func (e *detailError) Error() string { return e.is.Error() + ": " + e.text }
func (e *detailError) Unwrap() error { return e.is }

// waitError is the end of a wait at the closed gate: why it was closed, and how
// the wait ended.
type waitError struct {
	gate *Error
	ctx  error
}

func (e *waitError) Error() string {
	return "gave up waiting after " + e.gate.Error() + ": " + e.ctx.Error()
}
func (e *waitError) Unwrap() []error { return []error{e.gate, e.ctx} }

// waiting is the error of a request that was given up before it was sent.
// gate is why the gate is closed, or nil.
func waiting(ctx context.Context, gate *Error) *Error {
	ended := ctx.Err()
	if cause := context.Cause(ctx); !errors.Is(cause, ended) {
		ended = fmt.Errorf("%w: %w", ended, cause)
	}
	if gate == nil {
		return &Error{Err: ended}
	}
	return &Error{
		Status: gate.Status, Code: gate.Code, Msg: gate.Msg, RetryAfter: gate.RetryAfter,
		Err: &waitError{gate, ended}, temporary: gate.retryable(),
	}
}

// ellipsis stands for what bounded has cut.
const ellipsis = "..."

// bounded cuts s to maxText bytes, at a rune's edge.
func bounded(s string) string {
	if len(s) <= maxText {
		return s
	}
	cut := maxText
	for cut > maxText-utf8.UTFMax && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + ellipsis
}

// printable returns s bounded and, when it holds anything that a terminal or a
// log might act upon, escaped.
func printable(s string) string {
	s = bounded(s)
	q := strconv.Quote(s)
	q = q[1 : len(q)-1]
	// Quotes and backslashes alone do no harm, and nested errors would
	// escape them again and again.
	if !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return !strconv.IsPrint(r) }) {
		return q
	}
	return s
}
