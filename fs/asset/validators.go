package asset

import (
	"encoding/json"
	"strings"
	"time"
)

// Validators are what the responses of one content have carried to tell it from
// others. They are hints: caches and several backends behind one name send
// different ones for the same bytes. The bytes are the proof.
type Validators struct {
	// Seen are the different values that came with this content: one, or the two
	// of a pair of servers. A third makes an asset one whose validator wanders.
	Seen    [2]string
	Count   int  // of Seen
	Stable  bool // there is one value, and it came twice in a row with the same date
	Wanders bool // it changes and the content doesn't: it says nothing
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

func (v *Validators) has(value string) bool {
	for _, s := range v.Seen[:v.Count] {
		if s == value {
			return true
		}
	}
	return false
}

// judge says what a response with info now is, after those that made was of the
// asset. That both validators are new means an edit only if it was made after
// this content was seen: two servers behind one name that got their copies
// before differ in both as well, and then bytes decide.
func (v *Validators) judge(was, now Info) verdict {
	switch {
	case v.Wanders, v.Count == 0, v.has(validator(now)):
		return same
	case v.Stable && strong(was.ETag) && strong(now.ETag) && was.LastModified != "" &&
		now.LastModified != was.LastModified && !was.Date.IsZero() && now.ModTime.After(was.Date):
		return another
	}
	return unknown
}

// add takes in what came with this content: a value, and whether the date was that
// of the response before. The third value that bytes have proved shows that they
// mean nothing.
func (v *Validators) add(value string, sameDate bool) {
	switch {
	case v.Wanders:
	case v.has(value):
		v.Stable = v.Count == 1 && sameDate
	case v.Count == len(v.Seen):
		*v = Validators{Wanders: true}
	default:
		v.Seen[v.Count] = value
		v.Count++
		v.Stable = false
	}
}

// overlap is what a resumed stream reads again for comparison when there is no
// validator that would prove the content unchanged.
const overlap = 4 << 10

// overlapLocked is how much of what is present the next response had better
// bring again.
func (a *Asset) overlapLocked() int64 {
	if !a.info.Header || a.info.Validators.Count == 1 && strong(a.info.ETag) {
		return 0
	}
	return overlap
}

// learnt is what Info holds beyond what one response says, as it is kept.
type learnt struct {
	Range   Ranging  `json:"range,omitempty"`
	Wrong   bool     `json:"wrong,omitempty"`
	Seen    []string `json:"seen,omitempty"`
	Stable  bool     `json:"stable,omitempty"`
	Wanders bool     `json:"wanders,omitempty"`
	Date    int64    `json:"date,omitempty"` // seconds since 1970
}

// Learnt returns as text what is known of the asset beyond what its responses
// say, for a Store to keep.
func (i *Info) Learnt() string {
	v := &i.Validators
	l := learnt{Range: i.Ranging, Wrong: i.Misranged, Seen: v.Seen[:v.Count], Stable: v.Stable, Wanders: v.Wanders}
	if !i.Date.IsZero() {
		l.Date = i.Date.Unix()
	}
	text, err := json.Marshal(l)
	if err != nil {
		return "" // can't be: these fields always can
	}
	return string(text)
}

// Recall is the inverse of Learnt. It returns false if text is none of Learnt's:
// then the validator that was kept counts as seen.
func (i *Info) Recall(text string) bool {
	var l learnt
	i.Ranging, i.Misranged, i.Validators, i.Date = RangeUnknown, false, Validators{}, time.Time{}
	if json.Unmarshal([]byte(text), &l) != nil || l.Range < RangeUnknown || l.Range > RangeNo {
		if i.Header {
			i.Validators.add(validator(*i), false)
		}
		return false
	}
	i.Ranging, i.Misranged = l.Range, l.Wrong
	i.Validators.Count = copy(i.Validators.Seen[:], l.Seen)
	i.Validators.Stable, i.Validators.Wanders = l.Stable, l.Wanders
	if l.Date > 0 {
		i.Date = time.Unix(l.Date, 0).UTC()
	}
	return true
}
