package fs

// interrupted is always true: macFUSE reports an interrupt only for signals
// that end the call.
func interrupted(uint32) (ended, known bool) { return true, true }
