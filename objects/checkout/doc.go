// Package checkout writes versions of archives into a directory as files, and compares
// the directory with them later. It writes what it is given: which versions are wanted
// is chosen above it. It knows nothing of teams and requirements.
//
// Its one invariant: a file that no checkout wrote, or that somebody has edited since,
// is never removed or replaced unless its options say so. A manifest in the directory
// says what checkouts wrote; it is written before the first file, and after the last.
package checkout
