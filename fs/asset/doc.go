// Package asset reads remote assets and keeps what came: it decides which bytes to
// ask for and when, lets any number of readers share them, and decides what goes
// when room is needed. It knows neither FUSE nor HTTP.
//
// The model: an [Asset] has facts, present bytes, readers (open handles), waiters
// (reads whose bytes are absent) and streams (responses of the [Source] being
// read), all under its one lock. A read registers a waiter for exactly the bytes
// it needs, asks the planner and waits for a channel to be closed. Two pure
// functions decide: [Plan] looks at a [Snapshot] and says up to where each stream
// may read, which streams end, and where new ones open; [Reclaim] looks at
// [Holdings] and says what goes. Streams belong to the asset, never to a reader,
// so an interrupted reader disturbs nobody.
//
//	ReadAt -> present? -> blob
//	   | no
//	   v
//	waiter -> Plan -> open/resume/end streams
//	   ^                       |
//	   +--- blob, present <----+-- Source.Open, Body.Read
//
// A [Store] has all assets, and writes down what changes in a journal:
//
//	bytes -> room -> blob -> present -> (a second later) claimed for this boot
//	                                    (when synced)    claimed for ever
//
// What makes claims true at every moment:
//
//   - Bytes are claimed after they were written: for this boot of the machine,
//     since the kernel keeps written bytes when a process dies, and for ever only
//     after fdatasync.
//   - Bytes are punched out of a blob only after the journal says so, on the disk.
//   - Bytes are never overwritten by others. Content that is dropped goes with its
//     blob, and the next blob of that asset has another name, which all its
//     records carry (the incarnation). So old claims never meet new bytes, also if
//     the journal is damaged.
//   - Records are queued under the asset's lock and written in that order. A
//     compaction is a cut: each asset as it is under its lock, later records
//     behind it.
//   - A blob that is missing or too short has nothing. Holes in claims are looked
//     for when a blob is first opened.
//
// Locks: an asset's, then the store's, then that of the journal's queue. None is
// held during I/O.
package asset
