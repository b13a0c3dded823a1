// Package docdb keeps a team's records in a database of documents: it is a
// refs.Manager over a small Store, which packages mongo and dynamo implement. It
// needs nothing of a database but that a document is created only if it is not there, and
// that what is read is what was last written; no transactions, change streams or
// counters. It is not for the rules about records, which are in package refs, nor for
// what makes a write safe, which is in package commitlog; and it knows no database.
//
// A table has two parts, of records and of what is required of them, so that the
// database's own permissions say who may change the latter. Each part has a log of
// commits, which decides, and documents, which are the fold of the log as people and
// their tools can read it. Nothing here reads the documents.
//
// After a commit its writer writes the documents, each on the condition that the one
// there is of an earlier commit, and notes in a mark how far they are. It begins behind
// the mark, so what a writer that died has not done the next one does, and it goes on to
// the end of the log, so a document that it wrote too late, after somebody else's
// deletion, is deleted again. Only a request that arrives after its process has died can
// leave a document that is out of date, until its record changes again.
//
// The one invariant: documents never say what no commit says.
package docdb
