package integration_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// rows names the tests for each row of SERVERS.md, and for each form and limit in sections 1 to 4 of API.md:
// "DIR TestName" is a Go test; "script NAME" is testdata/script/*/NAME.txtar, on a mount with fakeapi; "servers NAME" is
// testdata/servers/NAME.txtar, on a mount with real servers.
var rows = []struct{ row, tests string }{
	// SERVERS.md, "Range and validators".
	{"200 to bytes=0-, 206 to every other", "fs/asset TestRangeIsKnownPerAsset, script servers_bytes"},
	{"one object without Range, all others with it", "fs/asset TestRangeIsKnownPerAsset, script servers_bytes"},
	{"ETag differs per answer", "fs/asset TestWanderingValidators, fs/asset TestWanderingIsRemembered, script servers_habits"},
	{"no ETag, Last-Modified is now or differs", "fs/asset TestWanderingValidators, script servers_habits, script servers_bytes"},
	{"two backends with two ETags, in turns", "fs/asset TestPairOfServers, fs/asset TestUnprovenIsBounded, script servers_habits, servers haproxy, servers alone/replaced, servers alone/touched"},
	{"ETag without quotes", "fs/asset TestWanderingValidators, fs/asset TestUnknownValidatorStoresNothing, script servers_bytes"},
	{"Content-Range without the last byte, or with a wrong total", "remote TestBrokenContentRange, fs/asset TestDoubtfulContentRange, script servers_bytes"},
	{"old ETag with new bytes for some seconds", "fs/asset TestStaleValidator, servers ranges/swapped"},
	{"400, 403 or 416 to a range of an empty asset", "remote TestEmptyAsset, script servers_habits, servers each/same"},

	// SERVERS.md, "Bodies, lengths, encodings".
	{"neither Content-Length nor chunks, and the connection ends", "fs/asset TestUnframed, script servers_bytes, servers php_cut, servers php_unknown, servers pauses/pause"},
	{"Content-Length of 2^63-1, or above what file systems hold", "remote TestRefusedAnswers, fs/asset TestSizeBeyondAllFileSystems, fs/asset TestWhatNoRecordCanHold, script servers_habits"},
	{"Content-Encoding aws-chunked, identity, or unknown", "remote TestAcceptedAnswers, remote TestRefusedAnswers, script servers_bytes, servers nginx_encoding"},
	{"metadata tells another size than the download", "fs/asset TestMetadataSizeIsAPromise, script servers_bytes, script archive_loud"},
	{"Location with a bare %, a blank, raw UTF-8", "remote TestOddLocation, remote TestBarePercentRefused, servers nginx_moved"},

	// SERVERS.md, "Refusals".
	{"503 with Retry-After, on all assets", "remote TestGateSeveralAssets, script servers_habits, servers nginx_later"},
	{"503 while another download of ours is open", "remote TestRetryWhen, fs/asset TestCrowdedGivesWay, fs/asset TestVainlyGivesWay, fs/asset TestUnservedGivesWay, script servers_bytes, servers nginx_single, servers nginx_single_429, servers haproxy_single"},
	{"511, or 200 with HTML: a captive portal", "remote TestRefusedAnswers, script servers_habits, servers nginx_portal"},
	{"a proxy answers CONNECT with 407, 502, 503", "remote TestTunnel, remote TestProxyRefuses, remote TestProxyBroken, servers squid"},
	{"HTTP 200 with code 429 and no Content-Disposition", "remote TestRefusedAnswers, script servers_bodies"},
	{"HTTP 400 with string code 0429", "remote TestRefusedAnswers, script servers_bodies"},
	{"HTTP 400 with Request has exceeded the limit.", "remote TestRefusedAnswers, fs/asset TestRetryCounts, script servers_bodies"},
	{"gateway 404 or 503", "remote TestRefusedAnswers, remote TestNoMetadataCall, fs/catalog TestStatOfUnsized, script servers_bodies, script servers_metadata"},
	{"No static resource on metadata, at any status", "remote TestNoMetadataCall, remote TestMetadataErrors"},
	{"metadata answers 400, 403, 500, 503 while downloads work", "fs/catalog TestStat, script servers_metadata"},

	// SERVERS.md, "Limits".
	{"ls, 20 IDs, --resolve metadata", "fs/catalog TestLongListing, script limits_metadata"},
	{"ls -l, 20 IDs", "fs/catalog TestLongListing, script limits_disposition"},
	{"cp -r, 20 IDs", "fs/catalog TestCopyOfTheTree, script limits_copy"},
	{"five cat at once", "script limits_cat, remote TestAutoOnePerSecond"},
	{"200 IDs, all names", "fs/catalog TestLongListing, remote TestAutoOnePerSecond, script limits_many"},
	{"12 a minute: at most 3 refusals in the first hour", "remote TestAutoLearnsTwelveAMinute, servers nginx_minute"},
	{"two machines, one account", "remote TestTwoClients, remote TestSeldomSecondClient, script limits_shared"},
	{"reader while a listing resolves", "remote TestReaderBesideListing, fs/catalog TestReaderBesideListing, script limits_reader"},

	// API.md, 1: the contract.
	{"download: name, size, type from the header", "remote TestDownload, script ls, servers each/same"},
	{"error object, with and without success and failed", "remote TestErrorObject, script errno, script servers_bodies"},
	{"files are streamed", "script blocked"},

	// API.md, 2.
	{"the key, bare, in Authorization; never elsewhere", "remote TestKeyOnlyToOrigin, remote TestKeyNeverShown, script key"},
	{"1 query per second and account, for each call", "remote TestAutoOnePerSecond, remote TestLimiterNeverExceeded, servers nginx_second, servers nginx_queue"},
	{"429: backoff, Retry-After as seconds, date, or nonsense", "remote TestGateBackoff, remote TestGateRetryAfter, remote TestRetryAfter, script errno_busy"},
	{"status and codes, numbers and strings", "remote TestErrorKinds, remote TestErrorObject, script errno"},
	{"metadata, numbers as strings", "remote TestMetadata, script stat"},
	{"WAITING, UPLOADING, FAILED", "fs/catalog TestUploads, script uploading"},
	{"by place, chunked or not", "remote TestDownloadByPlace"},
	{"an unknown asset is 400", "remote TestErrorKinds, script errno"},
	{"401 after the key has changed", "remote TestKeyRenewed, remote TestKeyReadAgain"},
	{"402: insufficient balance", "script errno"},
	{"compressed, chunked, padded errors, with BOM or disposition", "remote TestRefusedAnswers, script servers_bodies"},
	{"Spring's and the gateway's own bodies", "remote TestRefusedAnswers, script servers_bodies"},

	// API.md, 3: the library.
	{"list: pages, numbers as strings, fields that lack", "remote TestListVideos, remote TestListVideosFields, remote TestListVideosShifted"},
	{"list: its errors and its limit", "remote TestListVideosFaults, remote TestListVideosKeyAndLimit"},

	// API.md, 4: undocumented.
	{"Range per asset and per request", "fs/asset TestRangeIsKnownPerAsset, script cat_norange"},
	{"a client that does not read", "fs/asset TestPausedReader, servers pauses/pause"},
	{"redirects to a storage host", "remote TestRedirectToStorage, remote TestRefusedRedirects"},
	{"a server killed and restarted, other ETags", "servers each/killed, script servers_habits"},
	{"content replaced while open", "fs/asset TestStrongChange, script changed, servers ranges/swapped, servers alone/replaced"},
}

// TestRows checks that each row above has tests, and that they exist.
func TestRows(t *testing.T) {
	known := holders{}
	for _, r := range rows {
		known.check(t, r.row, r.tests)
	}
}

// holders are sources of tests, by directory.
type holders map[string]string

// check fails unless a list of tests that hold something has some, and all of them exist.
func (h holders) check(t *testing.T, what, tests string) {
	t.Helper()
	if tests == "" {
		t.Errorf("%s: nothing holds it", what)
		return
	}
	for name := range strings.SplitSeq(tests, ", ") {
		where, test, _ := strings.Cut(name, " ")
		if where == "script" || where == "servers" || where == "clients" {
			file := filepath.Join("testdata", where, filepath.FromSlash(test)+".txtar")
			if where == "script" { // in a folder by subject
				file = filepath.Join("testdata", where, "*", test+".txtar")
			}
			if found, err := filepath.Glob(file); err != nil || len(found) == 0 {
				t.Errorf("%s: there is no %s (%v)", what, file, err)
			}
			continue
		}
		if _, ok := h[where]; !ok {
			h[where] = testSources(t, where)
		}
		if !regexp.MustCompile(`(?m)^func ` + test + `\(t \*testing\.T\) \{`).MatchString(h[where]) {
			t.Errorf("%s: there is no %s in %s", what, test, where)
		}
	}
}

// testSources returns all test code in a directory.
func testSources(t *testing.T, dir string) string {
	names, err := filepath.Glob(filepath.Join("..", filepath.FromSlash(dir), "*_test.go"))
	if err != nil || len(names) == 0 {
		t.Fatalf("no tests in %s: %v", dir, err)
	}
	var all strings.Builder
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	return all.String()
}
