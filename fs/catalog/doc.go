// Package catalog knows which assets there are and what they are called: the list, names and their
// clashes, inode numbers, the times of directories, and how names, sizes and times are found out. It
// knows no FUSE, and makes requests only through the interfaces that it declares.
//
// A listed asset has a place in the list, and is shown under its ID until its name is known. Two sweeps
// find out in the background what listed assets lack: one by the free metadata call, from Start on, and
// one by the headers of downloads, once somebody has asked for names. A sweep takes a slot of the rate
// limit when one is free, and never queues for one. A stat or a lookup that waits makes its own call,
// which does queue.
//
// The engine of an asset (asset.Asset) keeps the facts about it; the catalog keeps what belongs to the
// tree.
package catalog
