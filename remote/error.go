package remote

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unicode/utf8"
)

var (
	// ErrNoKey means that there is no API key; no request was made.
	ErrNoKey = errors.New("no API key")
	// ErrKeyRefused means that the API has refused the key before (401); no request was
	// made, since the key is still the same.
	ErrKeyRefused = errors.New("the key was refused before")
	// ErrBudget means that Options.MaxDownload or Client.Allow is used up.
	ErrBudget = errors.New("download budget used up")
	// ErrNoSlot means that a Background request found no free slot. It says
	// nothing about the asset.
	ErrNoSlot = errors.New("no request free right now")
	// ErrUnreachable means that the API could not be reached: no DNS, refused, no
	// route, no answer, network down, or a network that answers in its place (a
	// login page).
	ErrUnreachable = errors.New("host unreachable")
	// ErrProxy means that a proxy refuses to forward requests.
	ErrProxy = errors.New("refused by the proxy")
	// ErrStalled means that an answer did not come in time.
	ErrStalled = errors.New("no answer in time")
	// ErrExceeded means a 400 with "Request has exceeded the limit.". The API sends
	// the same text for limits on values, so it does not prove a rate limit.
	ErrExceeded = errors.New("a limit of the API, perhaps on requests")
	// ErrUploading means that the asset's upload is not finished.
	ErrUploading = errors.New("the upload is not finished")
	// ErrNoMetadata means that the API has no metadata call.
	ErrNoMetadata = errors.New("the API has no metadata call")
	// ErrMalformed means that a response is not what HTTP or the API allows.
	ErrMalformed = errors.New("malformed response")

	// errForeign means an error that the API did not write.
	errForeign = errors.New("not an answer of the API")
)

// maxText bounds one piece of server-chosen text in an error, in bytes: a few lines of a
// terminal.
const maxText = 500

// Error describes the failure of one call. Msg is as the server sent it, but shortened
// and without the key; Error() escapes it.
type Error struct {
	Op, ID     string        // "download", "metadata" or "list", and the asset or scope
	Status     int           // HTTP status; 0: there was no response
	Code, Msg  string        // of the JSON error object; "": there was none
	RetryAfter time.Duration // as the server asked; 0: it did not
	Err        error         // the cause; nil if Status and Msg say everything

	temporary bool // a retry may help; only for errors that Status does not classify
	missing   bool // a success that says that the asset does not exist
	api       bool // the API wrote the body
	noRoute   bool // the server does not know the call
	proxy     bool // a proxy reported it
	denied    bool // a proxy forbids the connection, perhaps only because there are others
	foreign   bool // something else than the API sent Status; it says nothing about the asset
	plain     bool // the same request without Range may succeed
	asked     bool // that request was made, and failed with this error

	away string // the host that failed, to which the API redirected; "": the API's own
	size int64  // of the asset, from a 416; 0 if unknown, too
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

// advice says what the user can do, where the rest of the message does not.
func (e *Error) advice() string {
	switch {
	case e.away != "":
		return "the API redirects to " + printable(e.away)
	case e.Err == ErrNoKey: //nolint:errorlint // errors that wrap it say more
		return "give one with --api-key-file or MEMORIES_API_KEY"
	case e.unauthorized():
		return "is the key right? see --api-key-file"
	case e.Number() == http.StatusPaymentRequired && e.Msg == "":
		return "recharge the account"
	case e.Number() == http.StatusForbidden:
		return "may this key, and this address, use it?"
	case e.retryable() && atProxy(e.Err):
		return "are the network, HTTPS_PROXY and --base-url right?"
	case errors.Is(e.Err, ErrUnreachable) && e.Status == 0 && !e.proxy:
		return "is the network up, and --base-url right?"
	case e.foreign && (e.noRoute || e.Status == http.StatusNotFound || codeNumber(e.Code) == http.StatusNotFound):
		if e.Op == opList {
			return "is --library-url right?"
		}
		return "is --base-url right?"
	case e.foreign:
		return "is there a proxy or a gateway in between?"
	}
	return ""
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Number returns the HTTP status that classifies the error. If Status is a success, a redirect or 400,
// this is the one that Code stands for: older parts of the API send errors with
// these. Otherwise it is Status. It is 0 if neither says, or if the API did not write it.
func (e *Error) Number() int {
	switch {
	case e.foreign:
		return 0
	case e.missing:
		return http.StatusNotFound
	case success(e.Status):
		return codeNumber(e.Code)
	case 300 <= e.Status && e.Status <= http.StatusBadRequest:
		return cmp.Or(codeNumber(e.Code), e.Status)
	}
	return e.Status
}

// unauthorized reports whether another key might help, whoever wrote the answer. A host to which
// the API redirects gets none.
func (e *Error) unauthorized() bool {
	return e.away == "" && (e.Status == http.StatusUnauthorized || e.Number() == http.StatusUnauthorized)
}

// limits reports whether the rate limit of the account refused the call.
func (e *Error) limits() bool { return e.away == "" && e.Number() == http.StatusTooManyRequests }

// Elsewhere reports whether a host failed to which the API redirected the call. That says
// something about this asset alone, even if the host can't be reached.
func (e *Error) Elsewhere() bool { return e.away != "" }

func success(status int) bool { return status >= 200 && status <= 299 }

// codeNumber returns the HTTP status that a code of the API stands for, 0 if none.
func codeNumber(code string) int {
	n, _ := strconv.Atoi(code) // what is no number gives one that means nothing
	switch {
	case n == 1, n == 3: // "0001", "0003": invalid parameters
		return http.StatusBadRequest
	case n == 9009:
		return http.StatusForbidden
	case n >= 400 && n <= 599: // 429 and "0429" alike
		return n
	}
	return 0
}

// triesOfDoubt is how many requests to make when an error may be about the asset, or
// about something on the way that will pass.
const triesOfDoubt = 3

// Retry returns how many requests in all are worth making after this error, and how long
// to wait before the next. 0 means that another would fail the same way, -1 means any
// number while somebody waits. Waits that apply to every request are not included: see
// Client.Budget.
func (e *Error) Retry() (requests int, after time.Duration) {
	n := e.Number()
	switch {
	case e.asked && (e.foreign || e.Status == http.StatusNotImplemented):
		requests = triesOfDoubt - 1 // each try makes two
	case e.foreign, errors.Is(e.Err, ErrExceeded):
		requests = triesOfDoubt
	case e.temporary, n == http.StatusTooManyRequests, n == http.StatusRequestTimeout, n >= 500:
		requests = -1
	}
	if requests != 0 && !e.limits() {
		after = e.RetryAfter
	}
	return requests, after
}

// retryable reports whether Retry is not 0.
func (e *Error) retryable() bool {
	n, _ := e.Retry()
	return n != 0
}

// troubles reports trouble inside the server or on the way to it, which may affect other
// assets as well.
func (e *Error) troubles() bool {
	n, _ := e.Retry()
	return n < 0 && !e.plain && !errors.Is(e, ErrUploading) && !errors.Is(e, errDescriptors)
}

// SaysNothing reports whether a metadata call was answered without information about the
// asset, for another reason than a missing key, money or time.
func (e *Error) SaysNothing() bool {
	n := e.Number()
	if e.foreign {
		n = e.Status
	}
	switch n {
	case http.StatusUnauthorized, http.StatusPaymentRequired, http.StatusProxyAuthRequired, http.StatusTooManyRequests:
		return false
	default:
		return 400 <= n && n < 500 || success(n) || errors.Is(e, ErrMalformed)
	}
}

// Crowded reports whether other open downloads of ours may be the reason for a refusal: a 503
// that does not say when to come back, the 502 or 504 of a gateway whose servers are all busy, the
// 403 of a proxy that counts connections (Squid's maxconn), a connection that the server closes
// instead of answering, or no answer. Where nobody listens, those downloads are not the reason,
// and may be all that somebody still can read.
func (e *Error) Crowded() bool {
	if e.Status == 0 && e.away == "" && !e.proxy {
		return e.denied || errors.Is(e, syscall.ECONNRESET) || errors.Is(e, io.ErrUnexpectedEOF) || errors.Is(e, ErrStalled)
	}
	switch e.Number() {
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return e.RetryAfter == 0 && !errors.Is(e, ErrUnreachable)
	}
	return false
}

// NotFound reports whether the asset does not exist. The API answers an unknown asset with
// status 400 and a text, so this matches the text; nothing else does. Errors about the
// caller (key, balance, rate), and errors that the API did not write, never count.
func (e *Error) NotFound() bool {
	switch n := e.Number(); n {
	case http.StatusNotFound, http.StatusGone:
		return true
	case http.StatusUnauthorized, http.StatusPaymentRequired, http.StatusTooManyRequests:
		return false
	default:
		return n >= 400 && n <= 499 && saysNotFound(e.Msg)
	}
}

func saysNotFound(msg string) bool {
	msg = strings.ToLower(msg)
	return strings.Contains(msg, "not found") || strings.Contains(msg, "does not exist")
}

// noSlot returns the error of a Background call that the server's rate limit refused.
func noSlot(refusal *Error) *Error {
	return &Error{Status: refusal.Status, Code: refusal.Code, Msg: refusal.Msg, Err: ErrNoSlot, temporary: true}
}

// malformed returns the permanent error for a response that can't be believed. status is
// 0 if not even the header could be read.
func malformed(status int, format string, args ...any) *Error {
	return &Error{Status: status, Err: &detailError{fmt.Sprintf(format, args...), ErrMalformed}}
}

// detailError is a sentinel error with the details of one case.
type detailError struct {
	text string
	is   error
}

func (e *detailError) Error() string { return e.is.Error() + ": " + e.text }
func (e *detailError) Unwrap() error { return e.is }

// waitError is the error of a wait at the closed gate: why the gate is closed, and how the
// wait ended.
type waitError struct {
	gate *Error
	ctx  error
}

func (e *waitError) Error() string {
	return "gave up waiting after " + e.gate.Error() + ": " + e.ctx.Error()
}
func (e *waitError) Unwrap() []error { return []error{e.gate, e.ctx} }

// waiting returns the error of a request that ended before it was sent. gate is why the
// gate is closed, nil if it is open.
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

// ellipsis marks where bounded has cut.
const ellipsis = "..."

// bounded cuts s to maxText bytes, between two runes.
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

// printable returns s bounded, and escaped if it holds anything that a terminal or a log
// might interpret.
func printable(s string) string {
	s = bounded(s)
	q := strconv.Quote(s)
	q = q[1 : len(q)-1]
	// Quotes and backslashes are harmless, and nested errors would escape them again
	// and again.
	if !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return !strconv.IsPrint(r) }) {
		return q
	}
	return s
}
