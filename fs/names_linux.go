package fs

// foldNames has names match that differ in case or normal form alone. Linux asks for names as they are listed.
const foldNames = false
