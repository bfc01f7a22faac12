package logqueue

import (
	"io"
	"log/slog"
	"testing"
)

// BenchmarkRepeated measures what a failing operation pays for a line that is only counted.
func BenchmarkRepeated(b *testing.B) {
	log := slog.New(New(io.Discard).Handler(text))
	for b.Loop() {
		failure(log, "read", "re_657739295220518912", "EDQUOT",
			"download re_657739295220518912: HTTP 402 Payment Required, code 402, Insufficient balance to download the resource. Please recharge and try again.")
	}
}
