// Package docdb keeps a team's records in a database of documents: it is a
// refs.Manager over a small Store, which packages mongo and dynamo implement. It
// uses nothing but conditional writes of single documents and consistent reads,
// so it needs no transactions, change streams or counters. It is not for the
// rules about records, which are in package refs, and knows no database.
//
// How it works. A log, of entries numbered 1, 2, ..., says what was written in
// which order. A write (1) appends an entry with the keys that it is going to
// write, which others can see to be pending; (2) writes the records, each at the
// revision that it knows, with the entry's number in them; (3) marks the entry as
// done. Writers get into each other's way in step 1 only. Entry N+1 is appended
// only after N was seen, so the log has no gaps.
//
// Changes goes through the log up to the first pending entry, and gives each
// record at the entry whose number is in it. What an entry does to records it
// does before it is done. So after a record was read for an entry that is done,
// it changes only by entries that are still to come: nothing is missed.
//
// A writer may stall or die. A reader that has waited for it long enough makes
// its writes impossible and marks its entry as done (see settle), so that a
// writer that wakes up finds its writes refused, and the log goes on. That is
// safe however short a reader's patience and however late a request arrives.
//
// The one invariant: once an entry is done, no record will ever get its number.
package docdb
