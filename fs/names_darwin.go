package fs

import "time"

// foldNames has names match that differ in case or normal form alone. macOS asks in any normal form, and case.
const foldNames = true

// dirTimeout is how long the kernel may believe the times of a directory. macOS
// can't be told when they move.
const dirTimeout = time.Second
