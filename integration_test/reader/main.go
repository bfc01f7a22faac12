//go:build linux

// Command reader reads a file in ways that shell tools don't, for the scripts.
//
//	reader blocked N SIZE FILE PID  N threads read SIZE bytes each, spread over FILE. When all are blocked, it prints
//	                                the resident memory of process PID in KiB, and how many milliseconds stat and
//	                                listing of by-id take, and kills itself.
//	reader timer FILE          copies FILE to standard output while an interval timer fires and the Go runtime
//	                           preempts threads: no read may return EINTR.
//	reader send FILE           copies FILE to standard output by sendfile, without asking for its size
//	reader handler FILE        reads FILE while it handles SIGINTs that it sends itself. Prints how the read ended.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "reader:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 5 && args[0] == "blocked":
		n, err := strconv.Atoi(args[1])
		if err != nil {
			return err
		}
		size, err := strconv.Atoi(args[2])
		if err != nil {
			return err
		}
		return blocked(n, size, args[3], args[4])
	case len(args) == 2 && args[0] == "timer":
		return timer(args[1])
	case len(args) == 2 && args[0] == "send":
		return send(args[1])
	case len(args) == 2 && args[0] == "handler":
		return handler(args[1])
	}
	return errors.New("usage: see the source")
}

func blocked(n, size int, name, pid string) error {
	fd, err := unix.Open(name, unix.O_RDONLY, 0)
	if err != nil {
		return err
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	for i := range n {
		go func() {
			runtime.LockOSThread()
			p := make([]byte, size)
			_, err := unix.Pread(fd, p, st.Size*int64(i)/int64(n))
			fmt.Fprintln(os.Stderr, "reader: a read ended:", err)
		}()
	}
	for waiting() < n {
		time.Sleep(10 * time.Millisecond)
	}
	status, err := os.ReadFile("/proc/" + pid + "/status")
	if err != nil {
		return err
	}
	for _, line := range strings.Split(string(status), "\n") {
		if kib, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			fmt.Println(strings.Fields(kib)[0])
		}
	}
	took, err := quickest(filepath.Join(filepath.Dir(name), "by-id"))
	if err != nil {
		return err
	}
	fmt.Println(took.Milliseconds())
	return unix.Kill(os.Getpid(), unix.SIGKILL)
}

// quickest returns the shortest time that stat and listing of a directory take. The
// shortest of several depends least on other programs.
func quickest(dir string) (time.Duration, error) {
	best := time.Hour
	for range 10 {
		start := time.Now()
		if _, err := os.Stat(dir); err != nil {
			return 0, err
		}
		if _, err := os.ReadDir(dir); err != nil {
			return 0, err
		}
		best = min(best, time.Since(start))
	}
	return best, nil
}

// waiting returns how many threads of this process are in pread.
func waiting() (n int) {
	tasks, _ := filepath.Glob("/proc/self/task/*/syscall") // the pattern is valid
	for _, task := range tasks {
		call, _ := os.ReadFile(task) // fails if the thread has ended
		if strings.HasPrefix(string(call), strconv.Itoa(unix.SYS_PREAD64)+" ") {
			n++
		}
	}
	return n
}

func timer(name string) error {
	fd, err := unix.Open(name, unix.O_RDONLY, 0)
	if err != nil {
		return err
	}
	alarms := make(chan os.Signal, 1)
	signal.Notify(alarms, syscall.SIGALRM)
	interval := unix.Timeval{Usec: 5000}
	if _, err := unix.Setitimer(unix.ITIMER_REAL, unix.Itimerval{Interval: interval, Value: interval}); err != nil {
		return err
	}
	go func() { // keeps the garbage collector busy, which preempts threads
		for {
			_ = make([]byte, 1<<20)
		}
	}()
	p := make([]byte, 1<<20)
	for {
		n, err := unix.Read(fd, p)
		if err != nil {
			return fmt.Errorf("read: %w", err)
		}
		if n == 0 {
			return nil
		}
		if _, err := os.Stdout.Write(p[:n]); err != nil {
			return err
		}
	}
}

func send(name string) error {
	fd, err := unix.Open(name, unix.O_RDONLY, 0)
	if err != nil {
		return err
	}
	for {
		if n, err := unix.Sendfile(unix.Stdout, fd, nil, 1<<20); err != nil || n == 0 {
			return err
		}
	}
}

func handler(name string) error {
	fd, err := unix.Open(name, unix.O_RDONLY, 0)
	if err != nil {
		return err
	}
	handled := make(chan os.Signal, 1)
	signal.Notify(handled, syscall.SIGINT)
	// The kernel may deliver a signal for the process to any of Go's threads, so
	// send it to the thread that reads.
	runtime.LockOSThread()
	thread := unix.Gettid()
	go func() {
		for {
			time.Sleep(100 * time.Millisecond)
			_ = unix.Tgkill(os.Getpid(), thread, unix.SIGINT) // our own thread, so it can't fail
		}
	}()
	p := make([]byte, 1<<20)
	for {
		n, err := unix.Read(fd, p)
		if err != nil || n == 0 {
			fmt.Printf("read: %v\n", err)
			return nil
		}
	}
}
