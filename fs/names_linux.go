package fs

// sameName reports whether a name looked up is that of a directory entry.
func sameName(entry, lookup string) bool { return entry == lookup }
