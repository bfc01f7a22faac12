package asset

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// Learnt is what an asset learns from several responses; a single one has none of it.
// Validators are hints: caches and several backends behind one name send different ones
// for the same bytes. The bytes are the proof.
type Learnt struct {
	Ranging   Ranging `json:"range,omitempty"`
	Misranged bool    `json:"wrong,omitempty"` // what the server makes of a Range is wrong: it is asked for everything
	// Seen are the different validators that came with this content: one, or the two
	// of a pair of servers. A third makes an asset one whose validator wanders.
	Seen    [2]string `json:"seen,omitzero"`
	Stable  bool      `json:"stable,omitempty"`  // there is one, and it came twice in a row with the same date
	Wanders bool      `json:"wanders,omitempty"` // it changes and the content doesn't: it says nothing
}

// verdict is what the validators of a response say of its content.
type verdict int

const (
	same    verdict = iota // as far as they tell
	another                // certainly
	unknown                // only the bytes can tell
)

// validator is the value of i that is compared: its entity tag, strong or weak,
// else its date, else that it has neither.
func validator(i Info) string {
	switch {
	case i.ETag != "":
		return "etag " + strings.TrimPrefix(i.ETag, "W/")
	case i.LastModified != "":
		return "date " + i.LastModified
	}
	return "none"
}

func strong(etag string) bool { return etag != "" && !strings.HasPrefix(etag, "W/") }

// judge says what a response with info now is, after those that made i of the
// asset. That both validators are new means an edit only if it was made after
// this content was seen: two servers behind one name that got their copies
// before differ in both as well, and then bytes decide.
func (i *Info) judge(now Info) verdict {
	switch {
	case i.Wanders, i.Seen[0] == "", slices.Contains(i.Seen[:], validator(now)):
		return same
	case i.Stable && strong(i.ETag) && strong(now.ETag) && i.LastModified != "" &&
		now.LastModified != i.LastModified && !i.Date.IsZero() && now.ModTime.After(i.Date):
		return another
	}
	return unknown
}

// add takes in what came with this content: a validator, and whether the date was that
// of the response before. The third that bytes have proved shows that they mean nothing.
func (l *Learnt) add(value string, sameDate bool) {
	switch {
	case l.Wanders:
	case slices.Contains(l.Seen[:], value):
		l.Stable = l.Seen[1] == "" && sameDate
	case l.Seen[0] == "":
		l.Seen[0] = value
	case l.Seen[1] == "":
		l.Seen[1], l.Stable = value, false
	default:
		l.Seen, l.Wanders = [2]string{}, true
	}
}

// overlap is what a resumed stream reads again for comparison when there is no
// validator that would prove the content unchanged.
const overlap = 4 << 10

// overlapLocked is how much of what is present the next response had better
// bring again.
func (a *Asset) overlapLocked() int64 {
	if !a.info.Header || a.info.Seen[0] != "" && a.info.Seen[1] == "" && strong(a.info.ETag) {
		return 0
	}
	return overlap
}

// learntText is what Info holds beyond what one response says, as it is kept.
type learntText struct {
	*Learnt
	Date int64 `json:"date,omitempty"` // seconds since 1970
}

func (i *Info) learntText() string {
	l := learntText{Learnt: &i.Learnt}
	if !i.Date.IsZero() {
		l.Date = i.Date.Unix()
	}
	text, err := json.Marshal(l)
	if err != nil {
		return "" // can't be: these fields always can
	}
	return string(text)
}

// recall is the inverse of learntText. It returns false if text is of an older program:
// then the validator that was kept counts as seen.
func (i *Info) recall(text string) bool {
	i.Learnt, i.Date = Learnt{}, time.Time{}
	l := learntText{Learnt: &i.Learnt}
	if json.Unmarshal([]byte(text), &l) != nil || i.Ranging < RangeUnknown || i.Ranging > RangeNo {
		i.Learnt = Learnt{}
		if i.Header {
			i.add(validator(*i), false)
		}
		return false
	}
	if l.Date > 0 {
		i.Date = time.Unix(l.Date, 0).UTC()
	}
	return true
}
