// Package pack keeps chunks in packs: it writes and reads the files of packs, and knows
// where in a repository they and the files on their way lie. It does not know what
// chunks are for, and has no index. Its one invariant: a pack has its name only when
// it is whole and on disk. The format stands in package objects.
package pack
