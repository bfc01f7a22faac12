package asset

import (
	"encoding/json"
	"slices"
	"strings"
)

// Learnt is what an asset learns from several responses; a single one says none of it. Validators are
// hints, since caches and several servers behind one name send different ones for the same bytes.
// Only bytes are proof.
type Learnt struct {
	Ranging   Ranging `json:"range,omitempty"`
	Misranged bool    `json:"wrong,omitempty"` // what the server makes of a Range is wrong: it is asked for everything
	// Seen are the different validators that came with this content: one, or the two
	// of a pair of servers. A third makes an asset one whose validator wanders.
	Seen    [2]string `json:"seen,omitzero"`
	Stable  bool      `json:"stable,omitempty"`  // there is one, and it came twice in a row with the same date
	Wanders bool      `json:"wanders,omitempty"` // it changes and the content doesn't: it says nothing
	Date    int64     `json:"date,omitempty"`    // of the first response with this content, in seconds since 1970; 0 unknown
	Stored  bool      `json:"stored,omitempty"`  // bytes of this content were in the spool
}

// verdict is what the validators of a response say about its content.
type verdict int

const (
	same    verdict = iota // as far as they tell
	another                // certainly
	unknown                // only the bytes can tell
)

// validator returns the part of i that is compared: the entity tag, strong or weak, otherwise the
// date, otherwise a mark that there is neither.
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

// judge compares a response's info with i, what is known of the asset. Two new validators mean a
// change only if the new date is later than when this content was first seen: two servers behind one
// name that got their copies before that also differ in both, and then bytes decide.
func (i *Info) judge(now Info) verdict {
	switch {
	case i.Wanders, i.Seen[0] == "", slices.Contains(i.Seen[:], validator(now)):
		return same
	case i.Stable && strong(i.ETag) && strong(now.ETag) && i.LastModified != "" &&
		now.LastModified != i.LastModified && i.Date > 0 && now.ModTime.Unix() > i.Date:
		return another
	}
	return unknown
}

// vouches reports whether the validator of a response says that it has the content that i is of.
func (i *Info) vouches(now Info) bool {
	value := validator(now)
	return value != "none" && !i.Wanders && slices.Contains(i.Seen[:], value)
}

// add records a validator that came with this content, and whether the date was the same as in the
// response before. The third validator that bytes have proved shows that they mean nothing.
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

// overlap is how much a resumed stream reads again for comparison, if no validator would prove that
// the content is unchanged.
const overlap = 4 << 10

// overlapLocked returns how many present bytes the next response should bring again.
func (a *Asset) overlapLocked() int64 {
	if !a.info.Header || a.info.Seen[0] != "" && a.info.Seen[1] == "" && strong(a.info.ETag) {
		return 0
	}
	return overlap
}

// text is l as it is recorded.
func (l Learnt) text() string {
	text, _ := json.Marshal(l) // such fields always can be
	return string(text)
}

// recall is the inverse of text. It returns false if an older program wrote it: then the recorded
// validator counts as seen.
func (i *Info) recall(text string) bool {
	i.Learnt = Learnt{}
	if json.Unmarshal([]byte(text), &i.Learnt) == nil && RangeUnknown <= i.Ranging && i.Ranging <= RangeNo {
		return true
	}
	i.Learnt = Learnt{}
	if i.Header {
		i.add(validator(*i), false)
	}
	return false
}
