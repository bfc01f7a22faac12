// Package asset reads remote assets through a local store: it decides which
// bytes to ask for and when, and lets any number of readers share them. It
// knows neither FUSE nor HTTP.
//
// The model: an [Asset] has present bytes (in its [Store]), readers (open
// handles), waiters (reads whose bytes are absent) and streams (responses of
// the [Source] being read). A read registers a waiter for exactly the bytes it
// needs, asks the planner and waits for a channel to be closed. [Plan] is a
// pure function: it looks at a [Snapshot] and says up to where each stream may
// read, which streams end, and where new ones open. Streams belong to the
// asset, never to a reader, so an interrupted reader disturbs nobody.
//
//	ReadAt -> present? -> Store.ReadAt
//	   | no
//	   v
//	waiter -> Plan -> open/resume/end streams
//	   ^                       |
//	   +---- Store.WriteAt <---+-- Source.Open, Body.Read
package asset
