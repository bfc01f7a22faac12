package fakeapi

import (
	"net/http"
	"strings"
	"testing"
)

// TestRedirect follows a download to a storage host by hand.
func TestRedirect(t *testing.T) {
	s := start(t, Asset{ID: "re_1", Name: "a.bin", Size: 1000})
	storage := listen(t, s)
	s.Configure(func(c *Config) {
		c.Key, c.Redirect = "sk-mavi-1", storage+"/storage/{id}?signature=secret"
	})
	s.get("re_1").wantError(t, 401, 401, msgBadKey)

	g := s.get("re_1", "Authorization: sk-mavi-1")
	to := g.header.Get("Location")
	if g.status != http.StatusFound || to != storage+"/storage/re_1?signature=secret" {
		t.Fatalf("status %d, Location %s", g.status, to)
	}
	g, err := s.try("GET", to, "Range: bytes=10-")
	if err != nil {
		t.Fatal(err)
	}
	g.wantBytes(t, http.StatusPartialContent, 10, 990)
	g.wantHeader(t, "Content-Disposition", `attachment; filename="a.bin"`)
	r := s.last()
	if r.Op != "storage" || r.ID != "re_1" || r.HasAuthorization || r.Bytes != 990 || "http://"+r.Host != storage {
		t.Errorf("logged as %+v", r)
	}
	if n := len(s.Downloads()); n != 2 {
		t.Errorf("%d downloads, want 2: a hop is none", n)
	}
	for _, header := range []string{"Authorization: sk-mavi-1", "Authorization: "} {
		if g, err := s.try("GET", to, header); err != nil || g.status != http.StatusBadRequest {
			t.Errorf("storage with %q: %d, %v", header, g.status, err)
		}
	}
	if g, err := s.try("GET", strings.Split(to, "?")[0]); err != nil || g.status != http.StatusForbidden {
		t.Errorf("storage without a signature: %d, %v", g.status, err)
	}
}

func TestRedirectFaults(t *testing.T) {
	s := start(t, Asset{ID: "re_1", Size: 10})
	for _, c := range []struct {
		fault    Fault
		status   int
		location string
	}{
		{Fault{Redirect: "self"}, 302, prefix + "re_1/download"},
		{Fault{Redirect: "http://example.net/{id}?a=b", Status: 307}, 307, "http://example.net/re_1?a=b"},
		{Fault{Redirect: "ftp://example.net/"}, 302, "ftp://example.net/"},
	} {
		s.put(c.fault)
		g := s.get("re_1")
		if g.status != c.status {
			t.Errorf("%+v: status %d", c.fault, g.status)
		}
		g.wantHeader(t, "Location", c.location)
	}
	s.put(Fault{Redirect: "self"})
	s.client.CheckRedirect = nil // follow
	if _, err := s.try("GET", prefix+"re_1/download"); err == nil || len(s.Downloads()) != 10 {
		t.Errorf("a loop: %v after %d requests; net/http gives up after 10", err, len(s.Downloads()))
	}
}
