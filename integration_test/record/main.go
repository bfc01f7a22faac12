//go:build linux

// Command record records what a program reads of one file, as assetfs would see it. It mounts a
// directory through FUSE with the settings of assetfs, opens everything with FOPEN_DIRECT_IO, as
// assetfs opens partly present assets, runs the program, and writes a trace. See ../record.sh.
// (assetfs itself would leave an asset to the kernel once it is whole. The reads that it logs
// with --debug-fuse before that were compared, and are the same.)
//
//	record -dir DIR -file NAME -out FILE.trace [-header 'KEY VALUE']... COMMAND
//	record -summary FILE.trace...
//
// bash runs COMMAND, with the mount in $MNT and the file in $F. A trace is text. It begins with
// comments, `# key value`. Then it has one read a line, in the order in which they began:
//
//	READER THINK OFFSET LENGTH
//
// Readers run concurrently; the reads of one reader follow each other. THINK is how many
// microseconds passed since that reader's previous read completed, or, for its first read, since
// the first read of all began. So a trace can be replayed with a slower source. Where a reader
// starts later because of other reads (a second thread, the kernel's read-ahead), a comment
//
//	# after READER READ THINK
//
// says which read, counted from 0, completed last before its first one, and how many microseconds
// before. That is a better start time than the recorded one.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

type options struct {
	dir, file, out string
	headers        []string
	latency        time.Duration
	independent    bool
	maxBytes       int
	timeout        time.Duration
	command        string
}

func main() {
	o := options{maxBytes: 100_000}
	flag.StringVar(&o.dir, "dir", "", "directory to show")
	flag.StringVar(&o.file, "file", "", "name in it of the file to trace")
	flag.StringVar(&o.out, "out", "", "trace to write")
	flag.Func("header", "line for the head of the trace; may be repeated", func(s string) error {
		o.headers = append(o.headers, s)
		return nil
	})
	flag.DurationVar(&o.latency, "latency", time.Millisecond, "how long each read takes at least: shows which reads are concurrent")
	flag.BoolVar(&o.independent, "independent", false, "threads never continue each other's work")
	flag.DurationVar(&o.timeout, "timeout", time.Minute, "end the program after this long")
	summary := flag.Bool("summary", false, "print a table of traces")
	flag.Parse()

	var err error
	switch {
	case *summary:
		err = printSummary(os.Stdout, flag.Args())
	case o.dir == "" || o.file == "" || o.out == "" || flag.NArg() != 1:
		flag.Usage()
		os.Exit(2)
	default:
		o.command = flag.Arg(0)
		err = record(o)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "record:", err)
		os.Exit(1)
	}
}

// record runs the command on a mount and writes the trace.
func record(o options) error {
	st, err := os.Stat(filepath.Join(o.dir, o.file))
	if err != nil {
		return err
	}
	mnt, err := os.MkdirTemp("", "record")
	if err != nil {
		return err
	}
	defer os.Remove(mnt)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, unix.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()

	l := &log{name: o.file, latency: o.latency}
	server, err := mount(o.dir, mnt, l)
	if err != nil {
		return err
	}
	status := run(ctx, o, mnt)
	if err := server.Unmount(); err != nil {
		_ = unix.Unmount(mnt, unix.MNT_DETACH)
		return fmt.Errorf("%s is still in use after %q: %w", mnt, o.command, err)
	}
	server.Wait()
	if len(l.reads) == 0 {
		return fmt.Errorf("%q read nothing (%s)", o.command, status)
	}

	t := trace{
		headers: append(o.headers,
			"command "+o.command,
			fmt.Sprintf("size %d", st.Size()),
			fmt.Sprintf("source FUSE, direct I/O, %v a read", o.latency),
			"exit "+status),
		reads: assignReaders(l.reads, o.independent),
	}
	return t.save(o.out, o.maxBytes)
}

// run runs the command and returns how it ended.
func run(ctx context.Context, o options, mnt string) string {
	cmd := exec.CommandContext(ctx, "bash", "-c", o.command)
	cmd.Env = append(os.Environ(), "MNT="+mnt, "F="+filepath.Join(mnt, o.file))
	cmd.Stderr = os.Stderr
	// A process group, so that everything the command started can be ended.
	cmd.SysProcAttr = &unix.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return unix.Kill(-cmd.Process.Pid, unix.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	err := cmd.Run()
	if ctx.Err() != nil {
		return fmt.Sprintf("ended after %v", o.timeout)
	}
	if err != nil {
		return strings.TrimPrefix(err.Error(), "exit status ")
	}
	return "0"
}
