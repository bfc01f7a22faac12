// Package spool keeps a journal and blobs in a directory, across restarts,
// crashes and power cuts. It knows neither what the records of the journal mean
// nor which bytes of a blob count, and decides nothing.
//
// A [Dir] belongs to one base URL and, by a lock, to one process. Its [Journal]
// is one file, the index: records behind a versioned header, each with a
// checksum. Records are queued, which is no I/O, and written in that order by
// one goroutine at a time. A [Blob] is one sparse file, named after an ID and a
// number; its descriptor is opened when it is needed and closed when there are
// too many.
package spool
