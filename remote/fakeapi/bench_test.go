package fakeapi

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
)

// BenchmarkDownload downloads 256 MiB over loopback, client included.
func BenchmarkDownload(b *testing.B) {
	const size = 256 << 20
	s := httptest.NewServer(New(Asset{ID: "re_1", Size: size}))
	defer s.Close()
	p := make([]byte, 1<<20)
	b.SetBytes(size)
	for b.Loop() {
		rq, err := http.NewRequestWithContext(b.Context(), http.MethodGet, s.URL+"/re_1/download", http.NoBody)
		if err != nil {
			b.Fatal(err)
		}
		r, err := s.Client().Do(rq)
		if err != nil {
			b.Fatal(err)
		}
		n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{r.Body}, p)
		r.Body.Close()
		if n != size || err != nil {
			b.Fatalf("%d bytes, %v", n, err)
		}
	}
}
