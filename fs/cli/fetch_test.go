package cli

import (
	"os"
	"os/signal"
	"syscall"
	"testing"
)

// A command that nohup(1) has started outlives the terminal.
func TestInterruptibleNohup(t *testing.T) {
	heed := func() { // of what was ignored, Reset would not
		c := make(chan os.Signal, 1)
		signal.Notify(c, syscall.SIGHUP)
		signal.Stop(c)
	}
	defer heed()
	for _, ignored := range []bool{false, true} {
		heed()
		if ignored {
			signal.Ignore(syscall.SIGHUP)
		}
		_, stop := interruptible()
		if got := signal.Ignored(syscall.SIGHUP); got != ignored {
			t.Errorf("ignored %v before, %v in a command", ignored, got)
		}
		stop()
	}
}
