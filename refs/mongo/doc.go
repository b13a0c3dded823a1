// Package mongo keeps a team's records in MongoDB: it is the Store of package
// docdb in three collections for each table. Documents are native, so that the
// database's own tools can read and query them, and its own permissions protect
// them:
//
//	<table>       _id: the record's key, _seq: what changes with every write,
//	              then the record's fields
//	<table>.spec  likewise, the records below "spec/", _id without that
//	<table>.log   _id: 0, the table's format; _id: 1, 2, ...: who wrote which
//	              records together
//
// A record that cannot be fields has its JSON in _json instead; _void marks the
// place of a record that there is not.
//
// A standalone server does, of any version that the driver speaks to; neither
// transactions nor change streams are used. On a replica set writes and reads
// are those of the majority, and what one Database reads is never older than
// what it has read or written before.
//
// It is not for the rules of records, which package refs has, nor for the order
// of writes, which package docdb has. It also reads, but never writes, the
// tables of the original Python DataFS.
//
// The invariant: a document is replaced or deleted only in the same command that
// compares its _seq.
package mongo
