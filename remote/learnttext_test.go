package remote

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"
)

// Learnt describes what a client has recorded.
func TestLearnt(t *testing.T) {
	now := time.Now()
	note := func(k learnt) string {
		b, err := json.Marshal(k)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	minute := learnt{Clean: now, Wait: time.Hour, Until: now.Add(time.Hour)}
	shared := learnt{Clean: now, Stretch: 2}
	for _, tt := range []struct {
		limit string
		notes map[string]string
		want  []string // beginnings of lines
	}{
		{"auto", nil, nil},
		{"auto", map[string]string{"limit.download": "odd"}, nil},
		{"auto", map[string]string{"limit.download": note(minute)}, []string{"download calls: the account has 1/s,12/m until "}},
		{"12/m", map[string]string{"limit.download": note(minute)}, nil},
		{"auto", map[string]string{"limit.metadata": note(shared)}, []string{"metadata calls are 3.2s apart: somebody else uses this account"}},
		{"none", map[string]string{"limit.metadata": note(shared)}, nil},
	} {
		limit, err := ParseRateLimit(tt.limit)
		if err != nil {
			t.Fatal(err)
		}
		got := Learnt(limit, func(name string) string { return tt.notes[name] }, now)
		if !slices.EqualFunc(got, tt.want, strings.HasPrefix) {
			t.Errorf("%s, %v: %q, want %q", tt.limit, tt.notes, got, tt.want)
		}
	}
}
