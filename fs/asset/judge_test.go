package asset

import (
	"errors"
	"testing"
	"time"

	"assetfs/fs/ranges"
)

// What an answer is taken for, by what is known of the asset, what was asked for, and what else is under way.
func TestJudge(t *testing.T) {
	const size = 10 * mib
	refused := errors.New("refused before")
	moved := Info{Size: size, ETag: `"new"`, LastModified: "later", ModTime: time.Unix(2000, 0)}
	part := func(start, end, total int64) Response { // with the known validator
		return Response{Info: Info{Size: total, ETag: `"v"`}, Ranged: true, Start: start, End: end}
	}
	whole := func(total int64) Response { return Response{Info: Info{Size: total, ETag: `"v"`}, End: total} }
	with := func(r Response, change func(*Response)) Response { change(&r); return r }
	from := func(start int64) Request { return Request{Start: start} }
	beside := func(change func(*stream)) func(*Asset) {
		return func(a *Asset) {
			a.info.Ranging = RangeNo
			o := &stream{a: a, state: StreamState{End: size}}
			change(o)
			a.streams = append(a.streams, o)
		}
	}
	unknownSize := func(a *Asset) { a.info.Size = -1 }
	type outcome int
	const (
		stored  outcome = iota
		sampled         // bytes are to be compared first
		useless         // errUseless
		retried         // an error that is worth another request
		final           // one that is not
		replaced
		rivals
		changed
	)
	for name, c := range map[string]struct {
		know   func(*Asset)
		asked  Request
		answer Response
		want   outcome
		after  func(*Asset) bool
	}{
		"the rest":                          {nil, from(5 * mib), part(5*mib, size, size), stored, nil},
		"a part":                            {nil, Request{Start: 9 * mib, End: size - 100}, part(9*mib, size-100, size), stored, nil},
		"a part says nothing of pieces":     {nil, Request{Start: 0, End: block}, part(0, block, size), stored, func(a *Asset) bool { return !a.pieces }},
		"a piece of the rest":               {nil, from(5 * mib), part(5*mib, 6*mib, size), stored, func(a *Asset) bool { return a.pieces }},
		"a wrong total":                     {nil, from(5 * mib), part(5*mib, size, size+1), retried, func(a *Asset) bool { return a.info.Misranged }},
		"a smaller total":                   {nil, from(5 * mib), part(5*mib, 6*mib, 6*mib), retried, func(a *Asset) bool { return a.info.Misranged }},
		"an end behind the end":             {nil, from(5 * mib), part(5*mib, size+1, -1), retried, func(a *Asset) bool { return a.info.Misranged }},
		"a byte too few":                    {nil, from(5 * mib), part(5*mib, size-1, size), retried, func(a *Asset) bool { return a.info.Misranged }},
		"a byte too few of pieces":          {func(a *Asset) { a.pieces = true }, from(5 * mib), part(5*mib, size-1, size), stored, nil},
		"another size without validators":   {func(a *Asset) { a.info.Seen[0] = "none" }, from(5 * mib), with(part(5*mib, size+1, size+1), func(r *Response) { r.Info.ETag = "" }), replaced, nil},
		"another size of everything":        {nil, from(0), whole(size - 1), replaced, nil},
		"nothing, of the same content":      {nil, from(0), whole(0), final, nil},
		"nothing, of another":               {nil, from(0), Response{Info: func() Info { i := moved; i.Size = 0; return i }()}, replaced, nil},
		"nothing, and nothing is known":     {func(a *Asset) { a.info.Size = -1; a.present.Clear() }, from(0), whole(0), stored, nil},
		"less than is there":                {unknownSize, from(0), whole(mib), replaced, nil},
		"more than any file":                {nil, from(0), whole(maxSize + 1), final, nil},
		"strongly another":                  {nil, from(0), Response{Info: moved, End: size}, replaced, nil},
		"of a stream that is given up":      {func(a *Asset) { a.streams[0].discard = true }, from(5 * mib), part(5*mib, size, size), changed, nil},
		"no more than there is, of unknown": {unknownSize, from(mib), part(mib, 2*mib, -1), retried, func(a *Asset) bool { return a.info.Misranged }},
		"that, but its size is told":        {unknownSize, from(mib), part(mib, 2*mib, 2*mib), stored, nil},
		"that, but its end is not":          {unknownSize, from(mib), part(mib, -1, -1), stored, nil},
		"that, but its size is known":       {func(a *Asset) { a.info.Size = 2 * mib }, from(mib), part(mib, 2*mib, -1), stored, nil},

		"without an end, again":      {func(a *Asset) { a.info.Size, a.fail.err = -1, refused }, from(mib), with(part(mib, -1, -1), func(r *Response) { r.Unframed = true }), final, nil},
		"without an end, of a size":  {func(a *Asset) { a.fail.err = refused }, from(mib), with(part(mib, -1, -1), func(r *Response) { r.Unframed = true }), stored, nil},
		"without an end, at first":   {unknownSize, from(mib), with(part(mib, -1, -1), func(r *Response) { r.Unframed = true }), stored, nil},
		"without an end, from 0":     {func(a *Asset) { a.info.Size, a.fail.err = -1, refused }, from(0), with(whole(-1), func(r *Response) { r.Unframed = true }), stored, nil},
		"with an end, after another": {func(a *Asset) { a.info.Size, a.fail.err = -1, refused }, from(mib), part(mib, -1, -1), stored, nil},

		"another brings it":                    {beside(func(*stream) {}), from(5 * mib), whole(size), useless, nil},
		"another brings it, to an unknown end": {beside(func(o *stream) { o.state.End = -1 }), from(5 * mib), whole(size), useless, nil},
		"another is not answered":              {beside(func(o *stream) { o.state.Opening = true }), from(5 * mib), whole(size), stored, nil},
		"another ends":                         {beside(func(o *stream) { o.ending = true }), from(5 * mib), whole(size), stored, nil},
		"another is past it":                   {beside(func(o *stream) { o.state.Pos = 6 * mib }), from(5 * mib), whole(size), stored, nil},
		"another began behind":                 {beside(func(o *stream) { o.state.Start = mib }), from(5 * mib), whole(size), stored, nil},
		"another ends before":                  {beside(func(o *stream) { o.state.End = mib }), from(5 * mib), whole(size), stored, nil},
		"another ends, perhaps before":         {func(a *Asset) { beside(func(o *stream) { o.state.End = mib })(a); a.info.Size = -1 }, from(5 * mib), whole(-1), stored, nil},
		"another, of the same request":         {beside(func(*stream) {}), from(0), whole(size), stored, nil},
		"another, beside a part":               {beside(func(*stream) {}), from(5 * mib), part(5*mib, size, size), stored, nil},

		"no Range once":                    {nil, from(5 * mib), whole(size), retried, func(a *Asset) bool { return a.denied && a.info.Ranging == RangeYes }},
		"no Range twice":                   {func(a *Asset) { a.denied = true }, from(5 * mib), whole(size), stored, func(a *Asset) bool { return a.info.Ranging == RangeNo }},
		"no Range, then one":               {func(a *Asset) { a.denied = true }, from(5 * mib), part(5*mib, size, size), stored, func(a *Asset) bool { return !a.denied }},
		"no Range, not asked for":          {nil, Request{Start: 5 * mib, NoRange: true}, whole(size), stored, func(a *Asset) bool { return !a.denied && a.info.Ranging == RangeYes }},
		"all of it, for the first block":   {func(a *Asset) { a.info.Ranging = RangeUnknown }, Request{End: block}, whole(size), stored, func(a *Asset) bool { return a.info.Ranging == RangeNo }},
		"all of it, which is one block":    {func(a *Asset) { a.info.Ranging, a.info.Size = RangeUnknown, block; a.present.Clear() }, Request{End: block}, whole(block), stored, func(a *Asset) bool { return a.info.Ranging == RangeUnknown }},
		"all of it, though it knows parts": {nil, Request{End: block}, whole(size), stored, func(a *Asset) bool { return a.info.Ranging == RangeYes }},

		"a doubtful place":               {nil, from(5 * mib), with(part(5*mib, size, size), func(r *Response) { r.Doubtful = true }), sampled, nil},
		"a place that is trusted":        {func(a *Asset) { a.trusted = true }, from(5 * mib), with(part(5*mib, size, size), func(r *Response) { r.Doubtful = true }), stored, nil},
		"an unknown validator":           {nil, from(5 * mib), with(part(5*mib, size, size), func(r *Response) { r.Info.ETag = `"w"` }), sampled, nil},
		"that, with nothing to compare":  {func(a *Asset) { a.present.Clear(); a.info.Stored = true }, from(0), with(whole(size), func(r *Response) { r.Info.ETag = `"w"` }), replaced, nil},
		"that, of what the kernel has":   {func(a *Asset) { a.present.Clear(); a.given = 1 }, from(0), with(whole(size), func(r *Response) { r.Info.ETag = `"w"` }), replaced, nil},
		"that, of what nobody has":       {func(a *Asset) { a.present.Clear() }, from(0), with(whole(size), func(r *Response) { r.Info.ETag = `"w"` }), stored, func(a *Asset) bool { return a.info.Seen[0] == "" }},
		"that, beside a stream":          {func(a *Asset) { a.present.Clear(); beside(func(o *stream) { o.state.Start = mib })(a) }, from(0), with(whole(size), func(r *Response) { r.Info.ETag = `"w"` }), rivals, nil},
		"that, beside one that is asked": {func(a *Asset) { a.present.Clear(); beside(func(o *stream) { o.state.Opening = true })(a) }, from(0), with(whole(size), func(r *Response) { r.Info.ETag = `"w"` }), stored, nil},
	} {
		test(t, &fakeServer{size: size}, func(r *rig) {
			a := r.Asset
			a.mu.Lock()
			defer a.mu.Unlock()
			a.readyLocked()
			was := *a.engine
			a.info = Info{Size: size, ETag: `"v"`, LastModified: "then", Header: true, Learnt: Learnt{Ranging: RangeYes, Seen: [2]string{`etag "v"`}, Stable: true, Date: 1000}}
			a.present.Add(ranges.Range{End: 2 * mib})
			s := &stream{a: a, request: c.asked, state: StreamState{Opening: true, Start: c.asked.Start}}
			a.streams = []*stream{s}
			if c.know != nil {
				c.know(a)
			}
			sample, err := a.judgeLocked(s, &c.answer)
			got := stored
			requests, _ := retry(err)
			switch {
			case errors.Is(err, errUseless):
				got = useless
			case errors.Is(err, errReplaced):
				got = replaced
			case errors.Is(err, errRivals):
				got = rivals
			case errors.Is(err, ErrChanged):
				got = changed
			case err != nil && requests > 0:
				got = retried
			case err != nil:
				got = final
			case !sample.Empty():
				got = sampled
			}
			if got != c.want || c.after != nil && !c.after(a) {
				t.Errorf("%s: %d, %v, want %d; known is %+v", name, got, err, c.want, a.info)
			}
			a.present.Clear()
			a.info, *a.engine = Info{Size: -1}, was
		})
	}
}

// What bytes an answer in doubt is compared by: its own, if it brings enough that are present, or others.
func TestCompare(t *testing.T) {
	for name, c := range map[string]struct {
		start, end int64 // of the answer
		doubtful   bool
		proof      int64 // it is compared up to there
		sample     ranges.Range
	}{
		"a block of it is present":    {mib, -1, false, mib + block, ranges.Range{}},
		"all of it is present":        {mib, mib + 1000, false, mib + 1000, ranges.Range{}},
		"too little is present":       {2*mib - 1000, -1, false, 0, ranges.Range{Start: 2*mib - 1000 - block, End: 2*mib - 1000}},
		"none of it is present":       {2 * mib, -1, false, 0, ranges.Range{Start: 2*mib - block, End: 2 * mib}},
		"it is empty":                 {2 * mib, 2 * mib, false, 0, ranges.Range{Start: 2*mib - block, End: 2 * mib}},
		"far from what is present":    {5 * mib, -1, false, 0, ranges.Range{End: block}},
		"far from it, its place, too": {5 * mib, -1, true, 0, ranges.Range{Start: block / 2, End: block}},
		"its place is in doubt":       {2 * mib, -1, true, 0, ranges.Range{Start: 2*mib - block, End: 2 * mib}},
	} {
		test(t, &fakeServer{size: 10 * mib}, func(r *rig) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.readyLocked()
			r.info.Ranging = RangeYes
			r.present.Add(ranges.Range{End: 2 * mib})
			s := &stream{a: r.Asset}
			sample := r.compareLocked(s, &Response{Ranged: true, Start: c.start, End: c.end, Doubtful: c.doubtful})
			if s.proof != c.proof || sample != c.sample {
				t.Errorf("%s: compared up to %d, or by %v; want %d, %v", name, s.proof, sample, c.proof, c.sample)
			}
			r.present.Clear()
			r.info.Ranging = RangeUnknown
		})
	}
}
