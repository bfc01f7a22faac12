package fs

// foldNames has names match that differ in case or normal form alone. Linux asks for names as they are listed.
const foldNames = false

// dirTimeout is how long the kernel may believe the times of a directory: it is
// told when they move.
const dirTimeout = settled
