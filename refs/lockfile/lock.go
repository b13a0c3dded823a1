// Package lockfile is the format of a lock: the versions that requirements were
// resolved to, with the hashes of all their files. docs/lockfile.md describes it.
//
// It reads, checks and writes locks, and compares them with requirements and with one
// another. It is not for choosing versions, nor for bringing their contents.
//
// The invariant: what Decode returns was checked, and is the same when it is written
// and read again.
package lockfile

import (
	"io/fs"
	"slices"
	"strings"

	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/objects"
	"github.com/datafs/datafs/refs"
	"github.com/datafs/datafs/refs/solve"
)

// Lock is the contents of a lock file.
type Lock struct {
	Requirements []string  // the lines that it was made of
	Deps         bool      // whether dependencies were followed
	Archives     []Archive // by name
}

// Archive is one archive in a lock.
type Archive struct {
	Archive, Authority string
	Version            string // "" of an unversioned archive
	Tree, Hash         string // in hexadecimal
	Size               int64  // bytes
	Count              int64  // of files
	Dir                bool
	Place              string // where at the authority the tree begins; "": not known
	Why                []string
	Files              []Entry // of a directory, in the tree's order
}

// Entry is one entry of a directory.
type Entry struct {
	Path string
	Kind string // as objects.Kind has it
	Size int64
	Hash string
	Link string
}

// String is the archive's name and, of a versioned archive, the number.
func (l *Archive) String() string { return strings.TrimSpace(l.Archive + " " + l.Version) }

// Record returns the version's record as far as a lock has it that was decoded.
func (l *Archive) Record() refs.VersionRecord {
	rec := refs.VersionRecord{Archive: l.Archive, Size: l.Size, Files: l.Count, Dir: l.Dir, Place: l.Place}
	if l.Version == "" {
		rec.Number = 1
	} else {
		rec.Version, _ = refs.ParseVersion(l.Version)
	}
	rec.Tree, _ = objects.ParseID(l.Tree)
	rec.Hash, _ = objects.ParseID(l.Hash)
	return rec
}

// Pins returns the versions in a lock that was decoded, by archive.
func (l *Lock) Pins() map[string]solve.Pin {
	pins := make(map[string]solve.Pin, len(l.Archives))
	for i := range l.Archives {
		e := l.Archives[i].Record()
		pins[e.Archive] = solve.Pin{Versioned: e.Number == 0, Version: e.Version, Tree: e.Tree}
	}
	return pins
}

// Only returns the part of a lock that is about some archives. The error wraps
// fs.ErrInvalid for what is no name, and fs.ErrNotExist for an archive that the lock,
// which lies in file, does not have.
func (l *Lock) Only(names []string, file string) (*Lock, error) {
	part := *l
	part.Archives = nil
	for _, name := range names {
		_, normal, err := refs.ParseName(name)
		if err != nil {
			return nil, err
		}
		i := slices.IndexFunc(l.Archives, func(x Archive) bool { return x.Archive == normal })
		if i < 0 {
			return nil, leaf.Errorf(fs.ErrNotExist, "%s does not lock an archive %q", file, normal)
		}
		part.Archives = append(part.Archives, l.Archives[i])
	}
	slices.SortFunc(part.Archives, func(x, y Archive) int { return strings.Compare(x.Archive, y.Archive) })
	part.Archives = slices.CompactFunc(part.Archives, func(x, y Archive) bool { return x.Archive == y.Archive })
	return &part, nil
}

// Change is an archive that came, went or moved to another version.
type Change struct {
	Archive  string
	From, To string // "" of an unversioned archive, and where Came or Gone
	Came     bool
	Gone     bool
}

// Changes compares a lock with the archives of the next one, in any order, and lists
// what differs by archive.
func (l *Lock) Changes(next []*Archive) (list []Change) {
	before := l.byName()
	for _, now := range next {
		was, ok := before[now.Archive]
		delete(before, now.Archive)
		switch {
		case !ok:
			list = append(list, Change{Archive: now.Archive, To: now.Version, Came: true})
		case was.Version != now.Version || was.Tree != now.Tree:
			list = append(list, Change{Archive: now.Archive, From: was.Version, To: now.Version})
		}
	}
	for name, was := range before {
		list = append(list, Change{Archive: name, From: was.Version, Gone: true})
	}
	slices.SortFunc(list, func(x, y Change) int { return strings.Compare(x.Archive, y.Archive) })
	return list
}

func (l *Lock) byName() map[string]*Archive {
	m := make(map[string]*Archive, len(l.Archives))
	for i := range l.Archives {
		m[l.Archives[i].Archive] = &l.Archives[i]
	}
	return m
}
