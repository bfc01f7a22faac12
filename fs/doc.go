// Package fs mounts remote assets as a file system. It is the only package that knows FUSE,
// and the only place where errors become errno.
//
// The following promises are made to users. A script in integration_test/testdata tests each
// of them, and quotes it.
//
// # Names
//
// P1. Every asset stands in the root under the name in its download's Content-Disposition,
// and in by-id as a link named after its ID.
// P2. A name once given never changes, not even after a restart.
// P3. Of two assets with the same name, letter case aside, the later one gets its ID into
// its name: "stem (ID).ext".
// P4. Any valid ID can be opened by its path without being listed.
// P5. A name that can't be an asset never causes a request.
//
// # Reading
//
// P6. A read returns the asset's bytes or an error. It never returns other bytes, and never
// fewer than there are, except at the end of the file or before an error.
// P7. A byte in the spool is read from there. From a server with Range it is not downloaded
// again, except in runs of up to 128 KiB, which are compared. A server without Range sends a
// download that was cut from the beginning again.
// P8. A read that waits for the network ends when its process is signalled, and disturbs no
// other read.
// P9. If the content changes on the server, open handles fail with ESTALE; the next open
// reads the new content. A change is proven by bytes that were read before and now differ,
// by another size, or by a strong ETag that was stable and changes together with
// Last-Modified, to a time after this content was first seen. If no byte of it is left in the
// spool to compare with, another ETag, or without ETags another Last-Modified, counts as a
// change. If ETag and Last-Modified change in other ways, or are missing, a change that keeps
// the size and the compared bytes may go unseen.
//
// # Attributes
//
// P10. A size is never made up. A stat waits until the size is known, and fails with EBUSY
// after --retry-for. Only an asset whose length the server does not give shows 0, until it
// has been read to its end.
// P11. st_blocks is what is in the spool, and holes of the spool are not holes of the file.
// P12. Everything is read-only: every change fails with EROFS.
//
// # Inodes
//
// An asset has a new inode generation in each state, so that it can change to kernel
// passthrough while older handles are open. An open by path of an old inode gets ESTALE once,
// and the kernel looks the name up again. An open without a path comes back to the old inode,
// and is served by it. Overlayfs looks names up, and refuses a file for good if its inode has
// changed. With Options.StableInodes there is one inode per content version, and no
// passthrough. New content has a new inode even then.
//
// # Limits
//
// P13. Downloads keep to --rate-limit: no more of them start in any of its intervals, even
// across restarts and crashes. Metadata calls keep to it, too, separately.
// P14. Whole assets are readable without network, without key, and after the server has lost
// them.
// P15. What is downloaded of an asset is at most twice what is read of it (including gaps of
// up to 1 MiB), plus 1 MiB, plus 128 KiB per request. What sockets hold when a download ends
// comes on top: some 256 KiB, or a third of what it has brought; before Linux 5.14, and on
// macOS, some MB.
//
// # Costs
//
// P16. The ledger of a spool counts at least what this machine's kernel has acknowledged to
// the server, and at most what the server has sent, even across restarts and kill -9, except
// for the last second before a kill. The figures of the programs add up to it.
// P17. A check costs nothing and leaves nothing behind: it makes one metadata call.
//
// # Libraries
//
// P18. A library shows each video of its scope once, with the size and the time in the list.
// That takes one free call for 200 videos, and no download. Reading a video is a download
// like any other.
// P19. Added and removed videos are seen when the library is listed again, which assetfs
// refresh does at once. The last list is there without network, and in later mounts. A name
// never changes.
// If more than 20 videos, and more than half of all, are missing from the list, they stay
// until assetfs refresh finds the same a second time, or for an hour. A list shorter than
// its own total_count removes nothing, unless the look before it ended with one, too. A list
// that can't be read, or in which no video has an ID, removes nothing.
//
// # Commands
//
// P20. A pinned asset stays in the spool whatever room is needed, even after restarts and
// kills, until it is unpinned.
// P21. assetfs fetch exits with 0 only if every requested byte is in the spool, and
// downloads none that was there.
// P22. assetfs free makes no read fail: files that are open can still be read.
//
// # Company
//
// P23. Sizes and times change when the content does, and at no other time: a second backup
// reads nothing, not even after a restart.
// P24. If threads, memory or descriptors are few, reads are slow or fail, and the mount
// lives. If there are too few, no mount is made, and one line says so.
// P25. A spool written by a newer assetfs is refused in one line that names --spool-dir, and
// nothing in it is touched.
// P26. assetfs status shows within a second who waits, since when, and for what: reads,
// stats, opens, look-ups, listings and downloads.
// P27. Requests for reads go before those for fetches and pins. After three of them in a row,
// one of those goes.
// P28. On a full disk only reads fail that need room, with ENOSPC. After the first they make
// no request until there is room, so they cost nothing. The name and the size of an asset, if
// they are not known yet, still take their one request.
package fs
