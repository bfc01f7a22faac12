package asset

import (
	"time"

	"assetfs/fs/ranges"
)

// engine is what an asset needs to be read.
type engine struct {
	first     *stream    // that brought the first bytes of the content
	young     ranges.Set // bytes that others have brought since the content was proved
	trusted   bool       // bytes have shown that doubtful responses are right
	denied    bool       // the last answer had no Range, though that was proved
	pieces    bool       // the server sends less at a time than it is asked for
	gaveWay   bool       // a stream was given up for another asset's
	only      *stream    // beside which the server seems to serve nothing; nil: none
	endedAt   int64      // where a body ended properly, but not at the size; -1 nowhere
	disproved int64      // a size that metadata gave and that is wrong; -1 none
	streams   []*stream
	waiters   []*waiter
	readers   map[*Reader]struct{}
	history   history
	planning  *planning    // nil while there is nothing to plan
	span      ranges.Range // of the readers
	lastClose time.Time
	fail      failure
	well      time.Time   // when a download last brought a header of the content, or all that was asked for
	timer     *time.Timer // see tend
	tended    time.Time   // the last time, while somebody waits
}

// mishap is what last went wrong with an asset's downloads.
type mishap struct {
	err error
	at  time.Time
}

// readyLocked makes the engine, before it is needed. Of 100 000 listed assets most are never read.
func (a *Asset) readyLocked() {
	if a.engine == nil {
		a.engine = &engine{readers: map[*Reader]struct{}{}, endedAt: -1, disproved: -1}
	}
}

// restLocked drops the engine, or sees to it that it is dropped later, if nobody uses the asset and
// the engine holds nothing but a failure, which is soon over.
func (a *Asset) restLocked(now time.Time) {
	e := a.engine
	used := len(e.streams)+len(e.waiters)+len(e.readers) > 0
	if used || e.trusted || e.denied || e.pieces || e.gaveWay || e.endedAt >= 0 || e.disproved >= 0 || e.young.Len()+e.history.received+e.history.bytes > 0 {
		return
	}
	if now.Before(e.fail.until) {
		a.planAgainLocked(e.fail.until.Sub(now))
		return
	}
	if e.timer != nil {
		e.timer.Stop()
	}
	a.engine = nil
}
