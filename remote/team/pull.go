package team

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

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
	return s.pull(ctx, &pulling{dry: opts != nil && opts.Dry})
}

func (s *Sync) pull(ctx context.Context, p *pulling) (PullReport, error) {
	team, err := s.team()
	if err != nil {
		return PullReport{}, err
	}
	s.pulls.Lock()
	defer s.pulls.Unlock()
	p.s, p.team, p.skipped, p.ended = s, team, map[string]error{}, s.endedWrites()
	defer p.warnSkipped()
	for {
		err := p.run(ctx)
		if errors.Is(err, errPulled) {
			continue // from where the other one is
		}
		if err != nil {
			err = fmt.Errorf("merging the team's changes: %w", err)
		}
		return p.rep, err
	}
}

// pulling is one Pull under way.
type pulling struct {
	s    *Sync
	team refs.Manager
	dry  bool
	rep  PullReport
	page []refs.Record

	// then is called when all is merged, in the same transaction; it may be called
	// several times, and only the last one counts. nil: nothing is to be done.
	then func(*syncTx) error

	// quiet leaves the index as it is when there is no news: the caller notes when
	// the team was asked.
	quiet bool

	skipped map[string]error // archives that are not taken in, by name, and why
	ended   map[string]bool  // keys of one's own writes that had ended before
}

func (p *pulling) run(ctx context.Context) error {
	var cursor string
	err := p.s.look(ctx, func(t *syncTx) (err error) {
		if cursor, err = t.meta(teamCursor); err == nil && p.quiet {
			err = p.finish(t)
		}
		return err
	})
	if err != nil {
		return err
	}
	size, news := 0, false
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
		news = true
		p.page = append(p.page, r)
		if size += len(r.Value); len(p.page) < pullPage && size < pullBytes {
			continue
		}
		if cursor, err = p.apply(ctx, cursor, false); err != nil {
			return err
		}
		size = 0
	}
	if p.quiet && !news {
		return nil
	}
	_, err = p.apply(ctx, cursor, true)
	return err
}

func (p *pulling) finish(t *syncTx) error {
	if p.then == nil {
		return nil
	}
	return p.then(t)
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
// than cursor meanwhile, and returns the new cursor. The last one ends the pull.
func (p *pulling) apply(ctx context.Context, cursor string, last bool) (string, error) {
	next := cursor
	if len(p.page) > 0 {
		next = string(p.page[len(p.page)-1].Cursor)
	}
	page := inWriteOrder(p.page)
	p.page = p.page[:0]
	rep := PullReport{}
	err := p.s.step(ctx, func(t *syncTx) error {
		if now, err := t.meta(teamCursor); err != nil || !p.dry && len(page) > 0 && now != cursor {
			return cmp.Or(err, errPulled)
		}
		err := p.merge(ctx, t, page, &rep)
		if err == nil && next != cursor {
			err = t.setMeta(teamCursor, next)
		}
		if err == nil && last {
			err = p.end(t)
		}
		if err == nil && p.dry {
			return errDry
		}
		return err
	})
	if err != nil && !errors.Is(err, errDry) {
		return cursor, err
	}
	if p.rep.add(rep); last && !p.dry {
		p.s.forgetEnded(p.ended)
	}
	return next, nil
}

func (p *pulling) merge(ctx context.Context, t *syncTx, page []refs.Record, rep *PullReport) error {
	if err := t.scanAll(ctx); err != nil {
		return err
	}
	m := &merging{syncTx: t, rep: rep}
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
	return nil
}

// end notes when the team was asked, and does what is to be done then.
func (p *pulling) end(t *syncTx) error {
	if !p.dry {
		if err := errors.Join(t.dropIntents(p.ended), t.noteAsked()); err != nil {
			return err
		}
	}
	return p.finish(t)
}

// noteAsked notes that the team was asked now.
func (t *syncTx) noteAsked() error {
	now, err := t.s.opts.Now().UTC().MarshalText()
	if err != nil {
		return err
	}
	return t.setMeta(lastPull, string(now))
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
