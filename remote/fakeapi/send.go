package fakeapi

import (
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"time"
)

// writeSize is how many bytes are computed and written at a time. They stay in the
// second-level cache, and four system calls per MiB cost little.
const writeSize = 256 << 10

// timedSize is how much is written at a time if each write has a deadline. A client that
// reads at all reads this much in time.
const timedSize = 16 << 10

// A connection with a rate writes what it may in one shapedStep at a time. It may catch up to
// maxLag after its client was slow.
const (
	shapedStep = 20 * time.Millisecond
	maxLag     = 100 * time.Millisecond
)

var (
	errCut  = errors.New("fakeapi: cut by a fault")
	errGone = errors.New("fakeapi: the client went away")
)

// send sends rp and counts what it writes. It ends early if the client goes away or a fault
// cuts the connection.
func (s *Server) send(out wire, rec *record, rp *reply) {
	switch rp.special {
	case hang:
		<-out.ctx().Done()
		return
	case drop:
		out.cut(rp.fault.Reset)
		return
	case endlessHeader:
		s.answered(rec, rp.status, 0)
		out.endless()
		return
	}
	s.answered(rec, rp.status, rp.start)
	if out.head(rp) != nil || rp.body == nil || rec.req.Method == http.MethodHead {
		return
	}
	c := &courier{s: s, out: out, rec: rec, rp: rp, patience: s.Config().SendTimeout}
	err := c.run()
	if err == nil && c.patience > 0 {
		err = out.within(0)
	}
	switch {
	case err == nil:
		rec.flushed.Store(out.flush() == nil)
	case rp.chunked:
		out.cut(false) // otherwise net/http would end the body as if it were whole
	}
}

// courier sends one body to one client.
type courier struct {
	s       *Server
	out     wire
	rec     *record
	rp      *reply
	sent    int64     // bytes of the body as sent, perhaps compressed
	due     time.Time // when the next byte may be sent, if there is a rate
	stalled bool      // the fault's stall is over
	// patience is Config.SendTimeout.
	patience time.Duration
}

// run sends the body, compressed if the fault says so.
func (c *courier) run() error {
	if !c.rp.fault.Gzip || !c.rp.asset {
		if err := c.copy(c); err != nil {
			return err
		}
		return c.boundary()
	}
	zip := gzip.NewWriter(c)
	if err := c.copy(zip); err != nil {
		return err
	}
	if err := zip.Close(); err != nil {
		return err
	}
	return c.boundary()
}

// copy writes the bytes of the body to w.
func (c *courier) copy(w io.Writer) error {
	buf, ok := c.s.buffers.Get().(*[writeSize]byte)
	if !ok {
		buf = new([writeSize]byte)
	}
	defer c.s.buffers.Put(buf)
	for off := c.rp.start; off < c.rp.end; {
		p := buf[:min(writeSize, c.rp.end-off)]
		if n, err := c.rp.body.ReadAt(p, off); n < len(p) {
			return errors.Join(io.ErrUnexpectedEOF, err)
		}
		c.corrupt(p, off)
		if _, err := w.Write(p); err != nil {
			return err
		}
		off += int64(len(p))
	}
	return nil
}

// corrupt inverts the bytes of p, which is at off, that the fault selects.
func (c *courier) corrupt(p []byte, off int64) {
	f := &c.rp.fault
	if f.CorruptBytes <= 0 || !c.rp.asset {
		return
	}
	from := max(f.CorruptAt-off, 0)
	to := min(f.CorruptAt+f.CorruptBytes-off, int64(len(p)))
	for i := from; i < to; i++ {
		p[i] = ^p[i]
	}
}

// Write sends p, as fast and as far as settings and fault allow.
func (c *courier) Write(p []byte) (int, error) {
	done := 0
	for done < len(p) {
		if err := c.boundary(); err != nil {
			return done, err
		}
		n, shaped, err := c.pace(c.toBoundary(len(p) - done))
		if err != nil {
			return done, err
		}
		if c.patience > 0 {
			n = min(n, timedSize)
			if err := c.out.within(c.patience); err != nil {
				return done, err
			}
		}
		m, err := c.out.Write(p[done : done+n])
		done += m
		c.sent += int64(m)
		c.s.wrote(c.rec, m, c.rp.asset)
		if err == nil && shaped {
			err = c.out.flush()
		}
		if err != nil {
			return done, err
		}
	}
	return done, nil
}

// reached reports whether the body has reached the position at of a Cut or Stall.
func (c *courier) reached(at int64) bool {
	return at != 0 && c.sent >= max(at, 0)
}

// boundary stalls or cuts if the fault wants that at this point of the body.
func (c *courier) boundary() error {
	f := &c.rp.fault
	if !c.stalled && c.reached(f.Stall) {
		c.stalled = true
		if err := c.out.flush(); err != nil {
			return err
		}
		if f.StallFor == 0 {
			<-c.out.ctx().Done()
			return errGone
		}
		if !pause(c.out.ctx(), f.StallFor) {
			return errGone
		}
	}
	if c.reached(f.Cut) {
		if err := c.out.flush(); err != nil {
			return err
		}
		c.out.cut(f.Reset)
		return errCut
	}
	return nil
}

// toBoundary returns how many of n bytes to send before the next boundary.
func (c *courier) toBoundary(n int) int {
	left := int64(n)
	f := &c.rp.fault
	if !c.stalled && f.Stall > 0 {
		left = min(left, f.Stall-c.sent)
	}
	if f.Cut > 0 {
		left = min(left, f.Cut-c.sent)
	}
	return int(left)
}

// pace waits until a connection with a rate may go on, and returns how many of n bytes may be
// sent then.
func (c *courier) pace(n int) (allowed int, shaped bool, err error) {
	rate := c.rp.fault.Rate
	if rate == 0 {
		rate = c.s.Config().Rate
	}
	if rate <= 0 {
		return n, false, nil
	}
	n = int(min(int64(n), max(1, int64(float64(rate)*shapedStep.Seconds()))))
	now := time.Now()
	if oldest := now.Add(-maxLag); c.due.IsZero() {
		c.due = now
	} else if c.due.Before(oldest) {
		c.due = oldest
	}
	if !pause(c.out.ctx(), c.due.Sub(now)) {
		return 0, true, errGone
	}
	c.due = c.due.Add(time.Duration(float64(n) / float64(rate) * float64(time.Second)))
	return n, true, nil
}
