// Package index keeps small records in one local database file that several
// processes share: where each chunk lies, what is known of files on disk, and
// whatever tables the packages above want to keep.
//
// It is not for content, and not for anything that several machines share: the
// file is private to one machine and must not lie on a network filesystem (see
// NetworkFS).
//
// Its one invariant: what it answers is what was written. Each record carries a
// checksum over its bucket, key and value, and that something is absent is
// believed only when its neighbours are sound; anything else is ErrCorrupt.
//
// # The file
//
// The file is a bbolt database (format version 2), and bbolt alone writes it.
// It is read by a reader of our own (snapshot.go, page.go, tree.go), because
// bbolt trusts its file: a damaged page makes it recurse without end, read
// outside its mapping, or answer from pages that were given up long ago. Our
// reader checks every page that it meets, and an Update lets bbolt touch only
// pages that the reader has checked before.
//
// A record's value in the file is the value followed by four bytes, the
// CRC-32C of bucket, key and value (sum.go). A bucket's sequence number holds
// the version of this format, 1, and checksums of its name and of its first and
// last key; buckets of other versions are refused. Buckets whose name begins with a dot are this package's
// own.
//
// Where chunks lie is kept in tiers (tiers.go): the latest in a bucket, the
// others in sorted runs (run.go), each a long record whose parts have checksums of
// their own, so that they are read without the rest (long.go). An index that an
// older version has made, with all chunks in the bucket, is taken over by the
// first change of its chunks.
package index
