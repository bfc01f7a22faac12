// Package background goes on in a process of its own: the program is started
// again with the same arguments, tells when it is ready or why it can't be, and
// lives on. It is a leaf.
//
// A Go program can't fork, so Start executes it anew. The child reads nothing,
// has no descriptors but the log's, and is told what must not be seen in
// arguments or environment through a pipe. It is in a session of its own from
// when it is ready: an automounter lets nobody but its own process group pass
// the mount point until something is mounted there.
package background

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// marker is the environment variable that tells the child what it is. It is
// taken away at once, so that no program started later takes itself for one.
const marker = "ASSETFS_BACKGROUND_CHILD"

// The descriptors that the child inherits beside the standard ones.
const (
	secretFD = 3 // a Handover in JSON
	reportFD = 4 // a report in JSON
)

// maxReport bounds what a child may tell, in bytes.
const maxReport = 64 << 10

// Handover is what the child must know and nobody else may see.
type Handover struct {
	Key string   `json:"key,omitempty"` // of the API
	IDs []string `json:"ids"`           // what only this process could read; nil: there was nothing
}

// report is what the child says when it is ready or can't be.
type report struct {
	Ready    bool     `json:"ready"`
	Warnings []string `json:"warnings,omitempty"`
	Problem  string   `json:"problem,omitempty"`
	Status   int      `json:"status,omitempty"`
}

// Error is why the child ended before it was ready.
type Error struct {
	Problem string // one line
	Status  int    // its exit status
}

func (e *Error) Error() string { return e.Problem }

// Options say how to start the child.
type Options struct {
	Args     []string // as os.Args[1:]
	Hide     []string // environment variables that the child doesn't get
	Log      *os.File // its standard output and error
	Handover Handover
	Warn     func(text string) // is called for what the child warns of when it is ready; nil: nobody wants to know
}

// Start starts this program again and returns when it is ready. An error of
// type *Error is the child's own, and the child is gone then.
func Start(o Options) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	return start(program, o)
}

func start(program string, o Options) error {
	if err := closeOnExec(); err != nil {
		return err
	}
	secret, give, err := os.Pipe()
	if err != nil {
		return err
	}
	defer give.Close()
	take, report, err := os.Pipe()
	if err != nil {
		secret.Close()
		return err
	}
	defer take.Close()

	//nolint:noctx // it is to live on
	cmd := exec.Command(program, o.Args...)
	cmd.Env = append(without(os.Environ(), append([]string{marker}, o.Hide...)), marker+"=1")
	cmd.Stdout, cmd.Stderr = o.Log, o.Log
	cmd.ExtraFiles = []*os.File{secret, report}
	err = cmd.Start()
	secret.Close()
	report.Close()
	if err != nil {
		return err
	}
	if err := json.NewEncoder(give).Encode(o.Handover); err != nil && !errors.Is(err, syscall.EPIPE) {
		_ = cmd.Process.Kill() // it may have ended meanwhile
		_ = cmd.Wait()
		return err
	}
	give.Close()
	return await(cmd, take, o.Warn)
}

// await returns nil when the child is ready. One that isn't is waited for, so
// that it leaves no zombie.
func await(cmd *exec.Cmd, from io.Reader, warn func(string)) error {
	var r report
	err := json.NewDecoder(io.LimitReader(from, maxReport)).Decode(&r)
	if err == nil && r.Ready {
		for _, text := range r.Warnings {
			if warn != nil {
				warn(text)
			}
		}
		return cmd.Process.Release()
	}
	waited := cmd.Wait()
	if err != nil {
		// It ended without a word.
		problem := "the process in the background ended before it was ready"
		if waited != nil {
			problem += ": " + waited.Error()
		}
		return &Error{Problem: problem, Status: 1}
	}
	return &Error{r.Problem, r.Status}
}

// without returns the environment but for the variables named.
func without(environ, names []string) []string {
	var kept []string
next:
	for _, e := range environ {
		for _, name := range names {
			if strings.HasPrefix(e, name+"=") {
				continue next
			}
		}
		kept = append(kept, e)
	}
	return kept
}

// Child is a process that Start has started, seen from inside.
type Child struct {
	Handover
	report *os.File
}

// Inherited returns the child that this process is, or nil if it is none. It
// must be called first in a process: it takes what was inherited.
func Inherited() (*Child, error) {
	if os.Getenv(marker) == "" {
		return nil, nil
	}
	if err := os.Unsetenv(marker); err != nil {
		return nil, err
	}
	for _, fd := range []int{secretFD, reportFD} {
		var st unix.Stat_t
		if err := unix.Fstat(fd, &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFIFO {
			return nil, fmt.Errorf("%s is set, but no parent has handed anything over", marker)
		}
		syscall.CloseOnExec(fd)
	}
	secret, report := os.NewFile(secretFD, "handover"), os.NewFile(reportFD, "report")
	defer secret.Close()
	c := &Child{report: report}
	if err := json.NewDecoder(secret).Decode(&c.Handover); err != nil {
		return nil, fmt.Errorf("what the parent handed over: %w", err)
	}
	return c, nil
}

// Ready leaves the parent's session and tells the parent, which then ends, that
// all is well, but for the warnings. An error means that there is nobody to tell.
func (c *Child) Ready(warnings ...string) error {
	_, _ = syscall.Setsid() // fails only where there is such a session already
	return c.tell(report{Ready: true, Warnings: warnings})
}

// Fail tells the parent why it is to end with that exit status. After Ready it
// does nothing.
func (c *Child) Fail(problem string, status int) {
	_ = c.tell(report{Problem: problem, Status: status}) // nobody else to tell
}

func (c *Child) tell(r report) error {
	if c.report == nil {
		return nil
	}
	defer func() {
		c.report.Close()
		c.report = nil
	}()
	return json.NewEncoder(c.report).Encode(r)
}
