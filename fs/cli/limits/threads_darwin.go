package limits

// Probed is for Linux.
func Probed() bool { return false }

// Threads has nothing to do where no limit is known.
func Threads() (few bool, err error) { return false, nil }
