// Package bolt is the embedded refs.Manager: records in the repository's index, and
// beside it a journal of all changes, from which the index can be made anew.
//
// It is for the records of one repository, of this one and of its team, and for what
// must change together with them. It is not for rules, which stand in refs, nor for
// content.
//
// The invariant: what is acknowledged is in the journal, fsynced, before the index has
// it, and whoever uses the index first brings it in step with the journal.
package bolt
