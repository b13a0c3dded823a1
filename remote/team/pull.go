package team

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/refs"
)

// PullOptions say how Pull works.
type PullOptions struct {
	Dry bool // nothing is written; what would be is reported
}

// PullReport says what a Pull found.
type PullReport struct {
	NewArchives, ChangedArchives, DeletedArchives, NewVersions int

	ChangedVersions int // that were here, and were yanked, or whose dependencies were changed

	// Changed names the archives of which something changed, by order of
	// change, at most maxChanged of them.
	Changed   []string
	Conflicts []Conflict // found now
}

const (
	pullPage   = 1000    // records that are merged in one step
	pullBytes  = 4 << 20 // of values, likewise
	maxChanged = 1000
)

var (
	errPulled = errors.New("another process has pulled meanwhile")
	errDry    = errors.New("nothing is to be written")
)

// Pull merges what has changed at the team since the last time. What both sides
// changed in ways that do not go together is reported as conflicts; all else is
// merged. Pull skips records of archives with invalid names and reports them to
// Options.Warn. At any other invalid record of the team it stops, and returns an
// ErrCorrupt that names the record.
func (s *Sync) Pull(ctx context.Context, opts *PullOptions) (PullReport, error) {
	team, err := s.team()
	if err != nil {
		return PullReport{}, err
	}
	s.pulls.Lock()
	defer s.pulls.Unlock()
	if err := s.scan(ctx); err != nil {
		return PullReport{}, err
	}
	p := &pulling{s: s, team: team, dry: opts != nil && opts.Dry, skipped: map[string]error{}, ended: s.endedWrites()}
	defer p.warnSkipped()
	for {
		err := p.run(ctx)
		if errors.Is(err, errPulled) {
			continue // from where the other one is
		}
		if err != nil {
			return p.rep, fmt.Errorf("merging the team's changes: %w", err)
		}
		return p.rep, p.done(ctx)
	}
}

// pulling is one Pull under way.
type pulling struct {
	s    *Sync
	team refs.Manager
	dry  bool
	rep  PullReport
	page []refs.Record

	skipped map[string]error // archives that are not taken in, by name, and why
	ended   map[string]bool  // keys of one's own writes that had ended before
}

func (p *pulling) run(ctx context.Context) error {
	var cursor string
	err := p.s.view(ctx, func(tx *index.Tx, bucket naming) (err error) {
		cursor, err = textIn(tx, bucket("meta"), teamCursor)
		return err
	})
	if err != nil {
		return err
	}
	size := 0
	p.page = p.page[:0]
	for r, err := range p.team.Changes(ctx, refs.Cursor(cursor)) {
		if err != nil {
			return err
		}
		if _, bad := refs.ForeignKey(r.Key); bad == nil {
			if err := checkTeamRecord(r); err != nil {
				return err
			}
		}
		p.page = append(p.page, r)
		if size += len(r.Value); len(p.page) < pullPage && size < pullBytes {
			continue
		}
		if cursor, err = p.apply(ctx, cursor); err != nil {
			return err
		}
		size = 0
	}
	_, err = p.apply(ctx, cursor)
	return err
}

func checkTeamRecord(r refs.Record) error {
	value := r.Value
	if r.Deleted {
		value = nil
	} else if value == nil {
		value = []byte{}
	}
	err := refs.CheckRecord(r.Key, value)
	if errors.Is(err, fs.ErrInvalid) && !errors.Is(err, refs.ErrCorrupt) {
		err = fmt.Errorf("%w: %w", refs.ErrCorrupt, err)
	}
	return err
}

// apply merges the gathered page in one step, if nobody else has come further
// than cursor meanwhile, and returns the new cursor.
func (p *pulling) apply(ctx context.Context, cursor string) (string, error) {
	if len(p.page) == 0 {
		return cursor, nil
	}
	next := string(p.page[len(p.page)-1].Cursor)
	page := inWriteOrder(p.page)
	p.page = p.page[:0]
	rep := PullReport{}
	err := p.s.step(ctx, func(t *syncTx) error {
		if now, err := t.meta(teamCursor); err != nil || !p.dry && now != cursor {
			return cmp.Or(err, errPulled)
		}
		if err := t.scanAll(ctx); err != nil {
			return err
		}
		m := &merging{syncTx: t, rep: &rep}
		for _, r := range page {
			if skip, err := p.skips(ctx, m, r); err != nil {
				return err
			} else if skip {
				continue
			}
			if err := m.record(ctx, r); err != nil {
				return fmt.Errorf("record %q: %w", r.Key, err)
			}
		}
		if p.dry {
			return errDry
		}
		return t.setMeta(teamCursor, next)
	})
	if err != nil && !errors.Is(err, errDry) {
		return cursor, err
	}
	p.rep.add(rep)
	return next, nil
}

// scanAll marks what has changed here since the scan that Pull began with.
func (t *syncTx) scanAll(ctx context.Context) error {
	for {
		if more, err := t.scan(ctx); err != nil || !more {
			return err
		}
	}
}

// inWriteOrder takes the last state of each record, and puts the archives before
// the versions, and the deletions behind, versions before archives.
func inWriteOrder(page []refs.Record) []refs.Record {
	last := map[string]int{}
	for i, r := range page {
		last[r.Key] = i
	}
	list := make([]refs.Record, 0, len(last))
	for i, r := range page {
		if last[r.Key] == i {
			list = append(list, r)
		}
	}
	slices.SortStableFunc(list, func(a, b refs.Record) int { return cmp.Compare(writeRank(a), writeRank(b)) })
	return list
}

func writeRank(r refs.Record) int {
	kind, _ := refs.ParseKey(r.Key)
	switch {
	case !r.Deleted && kind == refs.KindArchive:
		return 0
	case !r.Deleted:
		return 1
	case kind != refs.KindArchive:
		return 2
	}
	return 3
}

// done notes when the team was asked.
func (p *pulling) done(ctx context.Context) error {
	if p.dry {
		return nil
	}
	now, err := p.s.opts.Now().UTC().MarshalText()
	if err != nil {
		return err
	}
	err = p.s.step(ctx, func(t *syncTx) error {
		return cmp.Or(t.dropIntents(p.ended), t.setMeta(lastPull, string(now)))
	})
	if err == nil {
		p.s.forgetEnded(p.ended)
	}
	return err
}

func (r *PullReport) add(o PullReport) {
	r.NewArchives += o.NewArchives
	r.ChangedArchives += o.ChangedArchives
	r.DeletedArchives += o.DeletedArchives
	r.NewVersions += o.NewVersions
	r.ChangedVersions += o.ChangedVersions
	for _, name := range o.Changed {
		r.change(name)
	}
	for _, c := range o.Conflicts {
		r.conflict(c)
	}
}

func (r *PullReport) change(archive string) {
	if len(r.Changed) < maxChanged && !slices.Contains(r.Changed, archive) {
		r.Changed = append(r.Changed, archive)
	}
}

// conflict adds c, in the place of an older one of the same thing.
func (r *PullReport) conflict(c Conflict) {
	i := slices.IndexFunc(r.Conflicts, func(o Conflict) bool { return o.key() == c.key() })
	if i < 0 {
		r.Conflicts = append(r.Conflicts, c)
	} else {
		r.Conflicts[i] = c
	}
}
