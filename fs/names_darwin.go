package fs

// sameName reports whether a name looked up is that of a directory entry. The
// lookup has already compared them folded; macOS asks in any normal form.
func sameName(string, string) bool { return true }
