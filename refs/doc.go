// Package refs keeps what is known of archives apart from their content:
// names, versions, metadata, tags, dependencies, history and the values that a
// team requires.
//
// The rules stand once, in DB. A Manager only stores records, each changed
// atomically by compare-and-swap, so that any database will do: Mem keeps them
// in memory, package bolt in the repository's index and a journal beside it.
//
// It is not for content: a version names its tree by hash, and nothing here
// reads or writes one. It neither reads the environment nor prints.
//
// The invariant: a version record is created once and its content never
// changes afterwards; a number is taken by exactly one writer.
package refs
