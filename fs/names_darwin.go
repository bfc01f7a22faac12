package fs

// foldNames has names match that differ in case or normal form alone. macOS asks in any normal form, and case.
const foldNames = true
