package team

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/refs"
)

// The kinds of conflicts.
const (
	ConflictVersion  = "version"  // both sides gave the same number
	ConflictMetadata = "metadata" // both sides changed a key differently
	ConflictDeleted  = "deleted"  // deleted on one side, changed on the other
)

// Conflict is something that both sides have changed and that a person must
// settle. As an error it wraps refs.ErrConflict.
type Conflict struct {
	Archive string
	Kind    string
	Version string `json:",omitempty"` // of a version conflict: the number that both gave
	Key     string `json:",omitempty"` // of the metadata

	// The values of a metadata key, or a short description of the versions or
	// the archive. nil: absent.
	Mine, Theirs, Base *string
}

// String says on one line what is in conflict.
func (c Conflict) String() string {
	switch c.Kind {
	case ConflictVersion:
		theirs := "published and deleted again"
		if c.Theirs != nil {
			theirs = "published: " + *c.Theirs
		}
		return fmt.Sprintf("version %s of archive %q is taken: yours: %s, %s", c.Version, c.Archive, valueText(c.Mine), theirs)
	case ConflictMetadata:
		return fmt.Sprintf("metadata key %q of archive %q was changed on both sides: yours: %s, published: %s", c.Key, c.Archive, quoted(c.Mine), quoted(c.Theirs))
	}
	if c.Mine == nil {
		return fmt.Sprintf("archive %q was deleted here and changed by the team", c.Archive)
	}
	return fmt.Sprintf("archive %q was deleted by the team and changed here", c.Archive)
}

// Error is String.
func (c Conflict) Error() string { return c.String() }

// Unwrap makes every conflict a refs.ErrConflict.
func (c Conflict) Unwrap() error { return refs.ErrConflict }

func valueText(s *string) string {
	if s == nil {
		return "none"
	}
	return *s
}

func quoted(s *string) string {
	if s == nil {
		return "removed"
	}
	return fmt.Sprintf("%q", *s)
}

// describe says in short what a version is.
func describe(v refs.VersionRecord) *string {
	u := refs.Update{}
	if len(v.Updates) > 0 {
		u = v.Updates[0]
	}
	text := u.Time.UTC().Format("2006-01-02")
	for _, key := range []string{"username", "contact", "name", "email"} {
		if who := u.UserConfig[key]; who != "" {
			text += " " + who
			break
		}
	}
	if u.Message != nil && *u.Message != "" {
		text += ": " + *u.Message
	}
	text += fmt.Sprintf(", %s, %.8s", sizeText(v.Size), v.Tree.String())
	return &text
}

func sizeText(n int64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	f, u := float64(n), 0
	for f >= 1024 && u < len(units)-1 {
		f, u = f/1024, u+1
	}
	return fmt.Sprintf("%.4g %s", f, units[u])
}

// key is the key of a conflict in the index. A backslash cannot occur in a name.
func (c Conflict) key() string {
	return conflictPrefix(c.Archive) + c.Kind + `\` + c.Version + c.Key
}

func conflictPrefix(archive string) string { return archive + `\` }

func (t *syncTx) setConflict(c Conflict) error {
	value, err := json.Marshal(c)
	if err != nil {
		return err
	}
	return t.keep("conflict", c.key(), value)
}

func (t *syncTx) dropConflict(c Conflict) error {
	return t.forget("conflict", c.key())
}

// conflicts lists those of one archive, or all with "".
func (t *syncTx) conflicts(archive string) ([]Conflict, error) {
	prefix := ""
	if archive != "" {
		prefix = conflictPrefix(archive)
	}
	var list []Conflict
	for r, err := range t.tx.Scan(t.s.bucket("conflict"), prefix, "") {
		if err != nil {
			return nil, err
		}
		var c Conflict
		if err := json.Unmarshal(r.Value, &c); err != nil {
			return nil, fmt.Errorf("conflict %q in the index: %w", r.Key, errors.Join(index.ErrCorrupt, err))
		}
		list = append(list, c)
	}
	return list, nil
}

// asides lists one's own versions whose numbers were taken, in order; of all
// archives with "".
func (t *syncTx) asides(ctx context.Context, archive string) ([]refs.VersionRecord, error) {
	return listAsides(ctx, t.aside, archive)
}

func listAsides(ctx context.Context, m refs.Manager, archive string) ([]refs.VersionRecord, error) {
	prefix := "version/"
	if archive != "" {
		prefix = refs.VersionsPrefix(archive)
	}
	var list []refs.VersionRecord
	for r, err := range m.List(ctx, prefix) {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil // the table is made when it is needed
		}
		if err != nil {
			return nil, err
		}
		v, err := refs.DecodeVersion(r)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	slices.SortFunc(list, func(v, w refs.VersionRecord) int {
		return cmp.Or(strings.Compare(v.Archive, w.Archive), v.Compare(w))
	})
	return list, nil
}

// AsideVersions lists one's own versions of an archive whose numbers the team
// gave to others, in order. They read as VERSION~local.
func (s *Sync) AsideVersions(ctx context.Context, archive string) ([]refs.VersionRecord, error) {
	return listAsides(ctx, s.opts.Aside, archive)
}

// AsideRoots lists the trees of all versions that AsideVersions knows, which
// must be kept.
func (s *Sync) AsideRoots(ctx context.Context) ([]index.ID, error) {
	list, err := listAsides(ctx, s.opts.Aside, "")
	roots := make([]index.ID, len(list))
	for i, v := range list {
		roots[i] = v.Tree
	}
	return roots, err
}
