package integration_test

import (
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// errnoText is what glibc's strerror returns.
var errnoText = map[string]string{
	"EACCES":       "Permission denied",
	"EBUSY":        "Device or resource busy",
	"EDQUOT":       "Disk quota exceeded",
	"EFBIG":        "File too large",
	"EHOSTUNREACH": "No route to host",
	"EINVAL":       "Invalid argument",
	"EIO":          "Input/output error",
	"ENOENT":       "No such file or directory",
	"ENOSPC":       "No space left on device",
	"ENOTCONN":     "Transport endpoint is not connected",
	"EPERM":        "Operation not permitted",
	"EROFS":        "Read-only file system",
	"ESTALE":       "Stale file handle",
	"ETIMEDOUT":    "Connection timed out",
}

// cmdErrno implements "errno NAME PROGRAM [ARG...]".
func cmdErrno(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		usage(ts, "errno NAME PROGRAM [ARG...]")
	}
	text, ok := errnoText[args[0]]
	if !ok {
		ts.Fatalf("unknown errno %s", args[0])
	}
	// What the program read before the error does not matter.
	err := ts.Exec("sh", append([]string{"-c", `exec "$@" >/dev/null`, "sh"}, args[1:]...)...)
	if err == nil {
		ts.Fatalf("%s succeeded, want %s", strings.Join(args[1:], " "), args[0])
	}
	if got := ts.ReadFile("stderr"); !strings.Contains(got, text) {
		ts.Fatalf("%s: %v, stderr %q, want %s (%s)", strings.Join(args[1:], " "), err, got, args[0], text)
	}
}
