// Package background continues in a new process: it starts the program again with the same
// arguments, and learns when that is ready or why it failed. It is a leaf.
//
// A Go program can't fork, so Start executes it again. The child inherits only the descriptor
// of the log. What must not be visible in arguments or environment comes through a pipe. The
// child starts its own session only when it is ready, because an automounter lets only its own
// process group pass the mount point until something is mounted there.
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

// marker is the environment variable that tells a process that it is the child. The child
// removes it at once, so that programs started later don't see it.
const marker = "ASSETFS_BACKGROUND_CHILD"

// Descriptors that the child inherits in addition to the standard ones.
const (
	secretFD = 3 // a Handover in JSON
	reportFD = 4 // a report in JSON
)

// Handover is what the child needs and nobody else may see.
type Handover struct {
	Key     string   `json:"key,omitempty"`      // of the API
	KeyRead bool     `json:"key_read,omitempty"` // it comes from a file that only the parent could read
	IDs     []string `json:"ids"`                // from a list that only the parent could read; nil: none

	Certificates []byte `json:"certificates,omitempty"` // from a file that only the parent could read; nil: none
}

// report is what the child reports when it is ready or has failed.
type report struct {
	Ready    bool     `json:"ready"`
	Warnings []string `json:"warnings,omitempty"`
	Problem  string   `json:"problem,omitempty"`
	Status   int      `json:"status,omitempty"`
}

// Error says why the child ended before it was ready.
type Error struct {
	Problem  string // one line
	Status   int    // its exit status
	Reported bool   // it has said so itself, also in its log
}

func (e *Error) Error() string { return e.Problem }

// Options say how to start the child.
type Options struct {
	Args     []string // as os.Args[1:]
	Hide     []string // environment variables to hide from the child
	Log      *os.File // its standard output and error
	Handover Handover
	Warn     func(text string) // called with the child's warnings when it is ready; may be nil
}

// Start starts this program again and returns when that is ready. An *Error comes from the
// child, which has then ended.
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

	//nolint:noctx // it must outlive us
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
		_ = cmd.Process.Kill() // fails only if it has ended already
		_ = cmd.Wait()
		return err
	}
	give.Close()
	return await(cmd, take, o.Warn)
}

// await returns nil when the child is ready. It waits for a child that failed, so that no
// zombie remains.
func await(cmd *exec.Cmd, from io.Reader, warn func(string)) error {
	var r report
	err := json.NewDecoder(from).Decode(&r)
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
		// It ended without a report.
		problem := "the process in the background ended before it was ready"
		if waited != nil {
			problem += ": " + waited.Error()
		}
		return &Error{Problem: problem, Status: 1}
	}
	return &Error{r.Problem, r.Status, true}
}

// without returns the environment without some variables.
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

// Child is the process that Start has started, seen from inside.
type Child struct {
	Handover
	report *os.File
}

// Inherited returns a Child if this process is one, else nil. It must be called before
// anything else uses descriptors.
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
			return nil, fmt.Errorf("%s is set, but assetfs --daemon did not start this process", marker)
		}
		syscall.CloseOnExec(fd)
	}
	secret, report := os.NewFile(secretFD, "handover"), os.NewFile(reportFD, "report")
	defer secret.Close()
	c := &Child{report: report}
	if err := json.NewDecoder(secret).Decode(&c.Handover); err != nil {
		return nil, fmt.Errorf("data from the parent: %w", err)
	}
	return c, nil
}

// Ready leaves the parent's session and reports success, with warnings, to the parent, which
// then ends. An error means that the parent is gone.
func (c *Child) Ready(warnings ...string) error {
	_, _ = syscall.Setsid() // fails only if this process leads a session already
	return c.tell(report{Ready: true, Warnings: warnings})
}

// Fail reports to the parent why this process ends with that exit status. After Ready it does
// nothing.
func (c *Child) Fail(problem string, status int) {
	_ = c.tell(report{Problem: problem, Status: status}) // if the parent is gone, nobody needs it
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
