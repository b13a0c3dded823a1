// Package team keeps the records of one repository and those of a team in step: Pull
// merges what the team changed, Status says what the team lacks and what is in conflict,
// Register sends it, Resolve and Renumber settle conflicts. The team's records are in any
// refs.Manager. It moves no content: versions are registered when their content is at the
// authority. Its invariant: a merge starts from the state that both sides last had in
// common, which the repository's journal holds.
package team

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"io/fs"
	"sync"
	"time"

	"github.com/zeebo/blake3"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/refs"
	"github.com/datafs/datafs/refs/bolt"
	"github.com/datafs/datafs/remote"
)

// Options say what a Sync works on.
type Options struct {
	Local *bolt.Manager // the repository's records
	Aside *bolt.Manager // one's own versions whose numbers the team gave to others; a table in the same index
	Team  refs.Manager  // nil: offline, when only what needs no network works
	Space string        // names the team in the index and the journal
	Now   func() time.Time
	Rand  io.Reader // for the length of pauses; nil is crypto/rand.Reader
	Warn  func(string)
}

// Sync keeps the records of a repository and those of a team's manager in step.
// What both had in common at the last time, the base, is in the journal like the
// records; it says what either side has changed since. Each step changes records
// and base together, so a process may end anywhere and the next call goes on, also
// with an index that was made anew.
//
// It is safe for concurrent use, by several processes too.
type Sync struct {
	opts  Options
	pulls sync.Mutex // held by the Pull of this Sync, so that pages are not read twice for nothing

	mu    sync.Mutex      // guards what follows
	ended map[string]bool // keys of intents whose writes have ended, as of this Sync
}

// New returns a Sync; opts must not change afterwards.
func New(opts *Options) *Sync {
	s := &Sync{opts: *opts, ended: map[string]bool{}}
	if s.opts.Now == nil {
		s.opts.Now = time.Now
	}
	if s.opts.Rand == nil {
		s.opts.Rand = rand.Reader
	}
	return s
}

func (s *Sync) warn(text string) {
	if s.opts.Warn != nil {
		s.opts.Warn(text)
	}
}

// team gives the team's manager.
func (s *Sync) team() (refs.Manager, error) {
	if s.opts.Team == nil {
		return nil, errOffline
	}
	return s.opts.Team, nil
}

var errOffline = leaf.Errorf(remote.ErrUnavailable, "the team's records are asked for offline")

// In the bucket "meta".
const (
	teamCursor = "team" // as far as the team's changes are merged
	lastPull   = "pulled"
	teamID     = "id"       // of the place where the team's records are
	intended   = "intended" // when an intent was noted last
)

// Floor returns the highest number of an archive that the team is known to ever
// have had, deleted versions included; nil: none. tx is a transaction of the index
// that is in step with the journal, as Bolt.View gives it.
func (s *Sync) Floor(tx *index.Tx, archive string) (*refs.Version, error) {
	v, _, any, err := floorIn(tx, s.bucket("base"), archive)
	if err != nil || !any || v.IsZero() {
		return nil, err
	}
	return &v, nil
}

// floorIn gives the highest version and the highest number in a base.
func floorIn(tx *index.Tx, bucket, archive string) (top refs.Version, number int, any bool, err error) {
	for r, err := range tx.Scan(bucket, refs.VersionsPrefix(archive), "") {
		if err != nil {
			return top, number, any, err
		}
		v, n, err := refs.ParseVersionKey(r.Key)
		if err != nil {
			return top, number, any, err
		}
		if any = true; v.Compare(top) > 0 {
			top = v
		}
		number = max(number, n)
	}
	return top, number, any, nil
}

// Published says whether the team is known to have this very record.
func (s *Sync) Published(ctx context.Context, v refs.VersionRecord) (published bool, err error) {
	value, err := refs.EncodeVersion(v)
	if err != nil {
		return false, err
	}
	err = s.opts.Local.View(ctx, func(tx *index.Tx) error {
		b, err := baseIn(tx, s.bucket("base"), v.Key())
		published = b.there && b.sum == blake3.Sum256(value)
		return err
	})
	return published, err
}

// Known says whether the team is known to have an archive of that name, also
// when it is deleted here.
func (s *Sync) Known(ctx context.Context, archive string) (known bool, err error) {
	err = s.look(ctx, func(t *syncTx) error {
		b, err := t.base(refs.ArchiveKey(archive))
		if known = b.there; known || err != nil {
			return err
		}
		keys, err := t.dirtyKeys(refs.VersionsPrefix(archive))
		known = len(keys) > 0
		return err
	})
	return known, err
}

// Meet is told which team it is, by an id of the place where its records are. If
// it is another one than at the last time (a bucket made anew, or a profile that
// names another), Meet forgets what the other one had, and says so. The id "" is
// that of a place without records; then nothing is forgotten.
func (s *Sync) Meet(ctx context.Context, id string) (other bool, err error) {
	before := ""
	err = s.opts.Local.View(ctx, func(tx *index.Tx) error {
		v, err := tx.Get(s.bucket("meta"), teamID)
		if before = string(v); errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
	if other = before != "" && before != id; err != nil || before == id || id == "" {
		return other, err
	}
	if other {
		if err := s.Forget(ctx); err != nil {
			return true, err
		}
	}
	return other, s.step(ctx, func(t *syncTx) error { return t.setMeta(teamID, id) })
}

// Forget forgets what the team had, when it turns out to be another one: the
// next Pull compares everything anew. Conflicts stay.
func (s *Sync) Forget(ctx context.Context) error {
	return s.step(ctx, func(t *syncTx) error {
		for _, what := range []string{"base", "intent", "meta"} {
			if err := t.forgetAll(what); err != nil {
				return err
			}
		}
		t.wrote = true
		return t.tx.Drop(t.s.dirty())
	})
}
