// Package fs mounts remote assets as a file system. It is the only package that
// knows FUSE, and the one place where errors become errno.
//
// What follows is promised to users. Each promise is quoted by the script in
// integration_test/testdata/script that holds it.
//
// # Names
//
// P1. Every asset stands in the root under the name that its download's
// Content-Disposition gives, and under by-id as a link named after its ID.
// P2. A name once given never changes, over restarts too.
// P3. Of two assets with the same name, letter case aside, the later gets its
// ID into it: "stem (ID).ext".
// P4. Any valid ID can be opened by its path without being listed.
// P5. A name that can't be an asset never causes a request.
//
// # Reading
//
// P6. A read returns the asset's bytes or an error, never other bytes and never
// fewer than are there, but at the end of the file or before an error.
// P7. A byte that is in the spool is read from there. From a server with Range it is
// not downloaded again, except in runs of up to 128 KiB, which are compared; one
// without Range sends a download that was cut from its beginning.
// P8. A read that waits for the network ends when its process is signalled, and
// disturbs no other.
// P9. If the content changes on the server, open handles fail with ESTALE; the
// next open reads the new content. The proof is bytes that were read before, asked
// for again and different, or another size, or a strong ETag that was stable and
// changes together with Last-Modified, to a time after this content was seen first.
// Where ETag and Last-Modified change in other ways, or there are none, a change
// that leaves the size and the bytes compared as they were may go unseen.
//
// # Attributes
//
// P10. A size is never made up. A stat waits for its turn to learn it, and fails
// with EBUSY after --retry-for; only an asset whose length nobody tells shows 0,
// until it was read to its end.
// P11. st_blocks is what is spooled, and holes of the spool are not holes of
// the file.
// P12. Everything is read-only: every change is EROFS.
//
// # Inodes
//
// An asset has another inode generation in each state, so that it can go over to
// kernel passthrough while older handles are open. An open by a path that meets an
// old one gets ESTALE once, and the kernel looks the name up again. Who opens by no
// path comes back to the old one, and is served by it. Overlayfs does look up, and
// refuses a file for good whose inode is another than before: with
// Options.StableInodes there is one for each content version, and no passthrough.
// A content that changes is another inode even then.
//
// # Limits
//
// P13. Downloads keep to --rate-limit: no more start in any of its intervals,
// over restarts and crashes too. So do metadata calls, on their own.
// P14. Whole assets are readable without network, without key, and after the
// server has lost them.
// P15. What is downloaded of an asset is at most twice what is read of it, gaps of
// up to 1 MiB included, and 1 MiB, and 128 KiB a request. What sockets hold when a
// download ends comes on top.
//
// # Costs
//
// P16. The ledger of a spool counts no less than this machine's kernel has
// acknowledged to the server, and no more than the server has sent, over restarts
// and kill -9, but for the last second before that. The figures of the programs sum
// to it.
// P17. A check costs nothing and leaves nothing behind: it makes one metadata call.
//
// # Libraries
//
// P18. A library shows each video of its scope once, with the size and the time of the
// list. That takes one free call for 200 videos, and no download; reading one is a
// download like any other.
// P19. What comes and goes is seen at the next look, by assetfs refresh at once. The
// last list is there without network, and in later mounts. A name stays what it was.
//
// # Commands
//
// P20. A pinned asset stays in the spool whatever room is needed, over restarts and
// kills, until it is unpinned.
// P21. assetfs fetch exits with 0 only when every byte that it was asked for is in
// the spool, and asks for none that was there.
// P22. assetfs free makes no read fail: whoever has the file open reads on.
//
// # Company
//
// P23. Sizes and times move where the content does, and at no other time: a second
// backup reads nothing, over restarts too.
// P24. Where threads, memory or descriptors are few, reads are slow or fail, and the
// mount lives; with too few none is made, and one line says so.
// P25. A spool that a newer assetfs has written is refused in one line that names
// --spool-dir, and nothing in it is touched.
package fs
