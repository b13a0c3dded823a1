package refs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"time"
)

// MaxReason is how many bytes the reason of a yank may have.
const MaxReason = 64 << 10

// AllYankedError says that an archive has versions, but that all are yanked. It
// wraps fs.ErrNotExist.
type AllYankedError struct{ Archive string }

func (e *AllYankedError) Error() string {
	return fmt.Sprintf("all versions of archive %q are yanked", e.Archive)
}

// Unwrap makes it an fs.ErrNotExist: there is nothing to choose.
func (e *AllYankedError) Unwrap() error { return fs.ErrNotExist }

// Yank marks a version as wrong, or takes that back: it stays what it is, and
// can be read, but is not chosen any more. Its time is now. What changes nothing
// leaves no trace. The error wraps fs.ErrNotExist when the archive or the version
// is not there, and fs.ErrInvalid when the reason is missing, is no text or is
// longer than MaxReason, or when the archive is not versioned.
func (d *DB) Yank(ctx context.Context, archive string, v Version, y Yank) error {
	if err := errors.Join(y.check(), checkMap("user config", y.UserConfig)); err != nil {
		return err
	}
	return d.change(ctx, func(m Manager) error {
		a, err := loadLive(ctx, m, archive)
		if err != nil {
			return err
		}
		if !a.Versioned {
			return invalid("Cannot yank a version of an unversioned archive")
		}
		r, err := m.Get(ctx, versionKey(archive, v))
		if errors.Is(err, fs.ErrNotExist) {
			return notFound(`Version "%s" not found in archive history`, v)
		}
		if err != nil {
			return fmt.Errorf("reading version %s of archive %q: %w", v, archive, err)
		}
		return d.putYank(ctx, m, r, y)
	})
}

// putYank adds y to the version in r, unless that says so already.
func (d *DB) putYank(ctx context.Context, m Manager, r Record, y Yank) error {
	v, err := DecodeVersion(r)
	if err != nil {
		return err
	}
	if now := v.Yanked(); y.Undo && now == nil || !y.Undo && now != nil && now.Reason == y.Reason {
		return nil
	}
	y.UserConfig, y.Time = filled(y.UserConfig), d.afterYanks(v)
	v.Yanks = append(v.Yanks, y)
	value, err := EncodeVersion(v)
	if err != nil {
		return err
	}
	if _, err := m.Put(ctx, r.Key, value, r.Rev); err != nil {
		return fmt.Errorf("yanking version %s of archive %q: %w", v.Label(), v.Archive, err)
	}
	return nil
}

// afterYanks is now, but behind all yanks of v: a clock that is wrong must not
// put what was meant to count before what it takes back.
func (d *DB) afterYanks(v VersionRecord) time.Time {
	now := d.now().UTC()
	for _, y := range v.Yanks {
		if !now.After(y.Time) {
			now = y.Time.UTC().Add(1)
		}
	}
	return now
}

// check finds what is wrong with y by itself.
func (y Yank) check() error {
	if !y.Undo && strings.TrimSpace(y.Reason) == "" {
		return invalid("a yank needs a reason")
	}
	if len(y.Reason) > MaxReason {
		return invalid("the reason of a yank has %d bytes, at most %d are allowed", len(y.Reason), MaxReason)
	}
	return checkText("reason", y.Reason)
}

func (y Yank) equal(z Yank) bool {
	return y.Time.Equal(z.Time) && y.Undo == z.Undo && y.Reason == z.Reason && maps.Equal(y.UserConfig, z.UserConfig)
}

// mergeYanks gives the yanks of both sides, in order of time, whichever side is
// mine. Of two at the same moment the one that does not take back comes last.
func mergeYanks(mine, theirs []Yank) []Yank {
	merged := slices.Clone(theirs)
	for _, y := range mine {
		if !slices.ContainsFunc(theirs, y.equal) {
			merged = append(merged, y)
		}
	}
	slices.SortStableFunc(merged, func(a, b Yank) int {
		return cmp.Or(a.Time.Compare(b.Time), compareUndo(a, b), strings.Compare(a.Reason, b.Reason))
	})
	return merged
}

func compareUndo(a, b Yank) int {
	switch {
	case a.Undo == b.Undo:
		return 0
	case a.Undo:
		return -1
	}
	return 1
}

// highestGood gives the highest version that is not yanked. Only the versions
// above it are read.
func highestGood(ctx context.Context, m Manager, a Archive) (VersionRecord, error) {
	type placed struct {
		Record
		place
	}
	var list []placed
	for r, err := range m.List(ctx, VersionsPrefix(a.Name)) {
		if err != nil {
			return VersionRecord{}, fmt.Errorf("reading the versions of archive %q: %w", a.Name, err)
		}
		p, err := parsePlace(r.Key)
		if err != nil {
			return VersionRecord{}, err
		}
		list = append(list, placed{r, p})
	}
	slices.SortFunc(list, func(x, y placed) int { return y.place.compare(x.place) })
	for _, r := range list {
		if v, err := DecodeVersion(r.Record); err != nil || v.Yanked() == nil {
			return v, err
		}
	}
	return VersionRecord{}, &AllYankedError{a.Name}
}
