package asset

import (
	"testing"
	"time"
)

// What the validators of an answer say, by what is known.
func TestValidators(t *testing.T) {
	known := Info{ETag: `"a"`, LastModified: "then", Learnt: Learnt{Seen: [2]string{`etag "a"`}, Stable: true, Date: 1000}}
	later := Info{ETag: `"b"`, LastModified: "later", ModTime: time.Unix(1001, 0)}
	with := func(i Info, change func(*Info)) Info { change(&i); return i }
	for name, c := range map[string]struct {
		known, now Info
		want       verdict
		vouches    bool
	}{
		"the same":              {known, Info{ETag: `"a"`, LastModified: "later"}, same, true},
		"the same, weakly":      {known, Info{ETag: `W/"a"`}, same, true},
		"the other of two":      {with(known, func(i *Info) { i.Seen[1] = `etag "b"` }), later, same, true},
		"both changed, later":   {known, later, another, false},
		"both, at that time":    {known, with(later, func(i *Info) { i.ModTime = time.Unix(1000, 0) }), unknown, false},
		"both, since who knows": {with(known, func(i *Info) { i.Date = 0 }), later, unknown, false},
		"the tag alone":         {known, with(later, func(i *Info) { i.LastModified = "then" }), unknown, false},
		"to a weak tag":         {known, with(later, func(i *Info) { i.ETag = `W/"b"` }), unknown, false},
		"from a weak tag":       {with(known, func(i *Info) { i.ETag = `W/"a"` }), later, unknown, false},
		"from no date":          {with(known, func(i *Info) { i.LastModified = "" }), later, unknown, false},
		"dates alone":           {with(known, func(i *Info) { i.ETag, i.Seen[0] = "", "date then" }), with(later, func(i *Info) { i.ETag = "" }), unknown, false},
		"seen once":             {with(known, func(i *Info) { i.Stable = false }), later, unknown, false},
		"no tag any more":       {known, Info{LastModified: "then"}, unknown, false},
		"nothing":               {known, Info{}, unknown, false},
		"nothing, as before":    {Info{Learnt: Learnt{Seen: [2]string{"none"}}}, Info{}, same, false},
		"a date, as before":     {Info{Learnt: Learnt{Seen: [2]string{"date then"}}}, Info{LastModified: "then"}, same, true},
		"it wanders":            {with(known, func(i *Info) { i.Wanders = true }), later, same, false},
		"it wanders, the same":  {with(known, func(i *Info) { i.Wanders = true }), Info{ETag: `"a"`}, same, false},
		"nothing was seen":      {Info{}, later, same, false},
	} {
		if got := c.known.judge(c.now); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
		if got := c.known.vouches(c.now); got != c.vouches {
			t.Errorf("%s: vouches %v", name, got)
		}
	}
	type came struct {
		value    string
		sameDate bool
	}
	a, b, c := came{"a", true}, came{"b", true}, came{"c", true}
	for name, l := range map[string]struct {
		came []came
		want Learnt
	}{
		"once":                  {[]came{a}, Learnt{Seen: [2]string{"a"}}},
		"twice":                 {[]came{a, a}, Learnt{Seen: [2]string{"a"}, Stable: true}},
		"twice, of two dates":   {[]came{a, {"a", false}}, Learnt{Seen: [2]string{"a"}}},
		"in turns":              {[]came{a, a, b, a, b, b}, Learnt{Seen: [2]string{"a", "b"}}},
		"a third":               {[]came{a, b, c}, Learnt{Wanders: true}},
		"a third, and the same": {[]came{a, b, c, c, c}, Learnt{Wanders: true}},
	} {
		var got Learnt
		for _, v := range l.came {
			got.add(v.value, v.sameDate)
		}
		if got != l.want {
			t.Errorf("%s: %+v, want %+v", name, got, l.want)
		}
		var back Info
		if !back.recall(got.text()) || back.Learnt != got {
			t.Errorf("%s: recorded as %s, which is %+v", name, got.text(), back.Learnt)
		}
	}
	// What an older program wrote has the validator that came last, if one did.
	for _, header := range []bool{true, false} {
		i := Info{ETag: `"a"`, Header: header, Learnt: Learnt{Wanders: true}}
		want := Learnt{}
		if header {
			want.Seen[0] = `etag "a"`
		}
		if i.recall("1") || i.Learnt != want {
			t.Errorf("header %v: %+v, want %+v", header, i.Learnt, want)
		}
	}
	if i := (Info{Learnt: Learnt{Wanders: true}}); !i.recall("{}") || i.Learnt != (Learnt{}) {
		t.Errorf("nothing learnt: %+v", i.Learnt)
	}
	if i := (Info{}); i.recall(`{"range":9,"wanders":true}`) || i.Learnt != (Learnt{}) {
		t.Errorf("an impossible record: %+v", i.Learnt)
	}
	// Without proof by a strong tag that has never been another one, a stream that goes on reads some of it again.
	for want, infos := range map[int64][]Info{
		0: {{}, with(known, func(i *Info) { i.Header = true })},
		overlap: {
			with(known, func(i *Info) { i.Header, i.Seen[1] = true, `etag "b"` }),
			with(known, func(i *Info) { i.Header, i.ETag = true, `W/"a"` }),
			with(known, func(i *Info) { i.Header, i.Seen[0] = true, "" }),
		},
	} {
		for _, i := range infos {
			a := &Asset{}
			if a.info = i; a.overlapLocked() != want {
				t.Errorf("%+v: an overlap of %d, want %d", i, a.overlapLocked(), want)
			}
		}
	}
}
