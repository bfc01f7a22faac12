// Package catalog knows which assets there are and what they are called: the
// list, names and their clashes, inode numbers, the times of the directories,
// and how names, sizes and times are found out. It knows no FUSE and makes no
// request but by the interfaces that it declares.
//
// An asset that is listed has a place in the list, and stands there under its ID
// until its name is known. Two sweeps find out in the background what listed
// assets lack: one by the free metadata call, from Start on, and one by the
// headers of downloads, once somebody has asked for names. A sweep takes a slot
// of the rate limit when one is free, and never queues for one. Whoever waits,
// such as a stat, makes his own call, which does queue.
//
// Facts about an asset are kept by its engine (asset.Asset); the catalog keeps
// what belongs to the tree.
package catalog
