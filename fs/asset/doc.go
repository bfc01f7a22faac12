// Package asset reads remote assets and keeps their bytes. It decides which bytes to ask for and
// when, lets any number of readers share them, and decides what to drop when room is needed. It
// knows neither FUSE nor HTTP.
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
// Claims are true at every moment because:
//
//   - Bytes are claimed after they were written. The claim is for this boot of the machine, since
//     the kernel keeps written bytes when a process dies. Only after fdatasync is it for ever.
//   - Bytes are punched out of a blob only after the journal on the disk says so.
//   - Bytes are never overwritten by others. Content that is dropped goes together with its blob.
//     The asset's next blob has another name (the incarnation), which all its records carry. So
//     old claims never meet new bytes, even if the journal is damaged.
//   - Records are queued under the asset's lock and written in that order. A compaction writes
//     each asset as it is under its lock, and later records after that.
//   - A blob that is missing or too short has no bytes. When a blob is first opened, claims are
//     compared with its holes.
//
// Locks: an asset's, then the store's, then that of the journal's queue. None is
// held during I/O.
package asset
