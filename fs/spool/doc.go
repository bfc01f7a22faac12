// Package spool keeps bytes of remote assets in a directory, within limits of
// size, across restarts, crashes and power cuts.
//
// The model: a [Dir] belongs to one base URL and, by a lock, to one process. It
// holds one sparse file for each asset that has bytes, and one index. A [File]
// is one asset: what is known of it ([Meta]) and which of its bytes are present.
// Present bytes are what the index claims and nothing else; a spool file whose
// bytes are not claimed is only garbage, which the next Open removes.
//
//	WriteAt -> room -> pwrite -> present -> (a second later) claim for this boot
//	                                     -> (fdatasync)      claim for ever
//
// What makes claims true at every moment:
//
//   - A claim is appended to the index after the bytes were written. It counts
//     for this boot of the machine, since the kernel keeps written bytes when a
//     process dies. It counts for ever only after fdatasync.
//   - Bytes are never overwritten by others. Content that is dropped goes with
//     its file, and the next file of that asset has another name, which all its
//     claims carry (the incarnation). So old claims never meet new bytes, also
//     if the index is damaged.
//   - Ranges are punched out of a file only after the index says so, on disk if
//     the claim was. Punched blocks are holes, and holes in claims are found
//     when a file is first opened.
//   - A spool file that is missing or too short has nothing.
//
// Lock order, where one is needed: Dir.syncerMu, Dir.roomMu, Dir.syncMu, File.openMu,
// Dir.logMu, File.mu, Dir.mu. The last two are held for moments and never
// during I/O; reads of present bytes take no other.
package spool
