package cli

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/pflag"

	"assetfs/fs/service"
	"assetfs/remote"
)

// defaultLibraryURL is the vendor's API that lists the videos of an account.
const defaultLibraryURL = "https://api.memories.ai/serve/api/v1"

// libraries are the flags about libraries.
type libraries struct {
	Scopes scopeList
	URL    string // unchecked
}

// define binds the flags.
func (l *libraries) define(f *pflag.FlagSet) {
	f.Var(&l.Scopes, "library", "list all videos of this `SCOPE`; may be repeated")
	f.StringVar(&l.URL, "library-url", defaultLibraryURL, "`URL` of the API that lists them (default: the vendor's)")
}

// check rejects the vendor's list together with the assets of another API, because the vendor
// would see that API's key.
func (l *libraries) check(baseURL string, demo bool) error {
	if len(l.Scopes) > 0 && !demo && l.URL == defaultLibraryURL && strings.TrimRight(baseURL, "/") != defaultBaseURL {
		return errors.New("--library with another --base-url: write --library-url=URL, the API that lists the videos there")
	}
	return nil
}

// root returns the checked URL, nil if there is no library.
func (l *libraries) root(insecure bool) (*url.URL, error) {
	if len(l.Scopes) == 0 {
		return nil, nil
	}
	u, err := remote.CheckBaseURL(l.URL, insecure)
	if err != nil {
		return nil, fmt.Errorf("--library-url: %w", err)
	}
	return u, nil
}

// maxScope bounds a scope, in bytes, since it may become the name of a directory.
const maxScope = 255

// scopeList is the value of --library.
type scopeList []string

// Set adds a scope. The server would create a mistyped one, so Set rejects what can't be meant.
func (l *scopeList) Set(text string) error {
	switch {
	case text == "" || text[0] == '-' || strings.TrimSpace(text) != text || len(text) > maxScope || !utf8.ValidString(text) ||
		strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }):
		return errors.New("write the unique_id that the videos were uploaded with, such as default")
	case slices.Contains(*l, text):
		return errors.New("it is given twice")
	}
	*l = append(*l, text)
	return nil
}

// String returns the scopes.
func (l *scopeList) String() string { return strings.Join(*l, ",") }

// Type names the value in the help text.
func (l *scopeList) Type() string { return "SCOPE" }

// looked reports a pass over a library.
func (a *app) looked(l service.Look) {
	scope := l.Scope
	if quoted := strconv.Quote(scope); quoted != `"`+scope+`"` || strings.Contains(scope, " ") {
		scope = quoted
	}
	switch {
	case l.Err != nil:
		a.log.Warn("can't list the library; the last list still applies", "library", l.Scope, "videos", l.Videos, "error", l.Err)
	case !l.First:
		a.log.Info("the library was listed", "library", l.Scope, "videos", l.Videos, "missing", l.Missing)
	case l.Videos == 0 && l.Missing == 0:
		fmt.Fprintf(a.out, "assetfs: library %s: no videos; if the name is mistyped, a new scope of that name has just been created\n", scope)
	default:
		fmt.Fprintf(a.out, "assetfs: library %s: %s\n", scope, videosText(l.Videos, l.Missing))
	}
}
