package transfer

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/objects"
	"github.com/datafs/datafs/remote"
)

const (
	tablesAtOnce = 8
	tablesDir    = "index/"
	packsDir     = "packs/"
)

// refresh reads the tables that others have put since the last time, unless it
// has been done in this run and again is false.
func (s *Site) refresh(ctx context.Context, again bool) error {
	s.mu.Lock()
	done := s.fresh && !again
	s.mu.Unlock()
	if done {
		return nil
	}
	for range 3 { // a table that is gone has been merged into another one meanwhile
		files, err := s.unseenTables(ctx)
		if err != nil {
			return err
		}
		err = s.readTables(ctx, files)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			s.mu.Lock()
			s.fresh = true
			s.mu.Unlock()
		}
		return err
	}
	return fmt.Errorf("authority %q: its tables change too fast: %w", s.opts.Name, remote.ErrUnavailable)
}

// unseenTables lists the table files that have not been read.
func (s *Site) unseenTables(ctx context.Context) ([]remote.Info, error) {
	known, err := s.remembered(ctx, tablesKind)
	if err != nil {
		return nil, err
	}
	var files, unseen []remote.Info
	for f, err := range s.auth.List(ctx, tablesDir) {
		if errors.Is(err, errors.ErrUnsupported) {
			return nil, nil // a plain web server: what the records say must do
		}
		if err != nil {
			return nil, err
		}
		files = append(files, f)
		if _, ok := known[f.Name]; !ok {
			unseen = append(unseen, f)
		}
	}
	s.mu.Lock()
	s.tables = len(files)
	s.mu.Unlock()
	return unseen, nil
}

func (s *Site) readTables(ctx context.Context, files []remote.Info) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(tablesAtOnce)
	for _, f := range files {
		g.Go(func() error {
			packs, err := s.readTable(ctx, f.Name)
			if err != nil {
				return err
			}
			return s.learn(ctx, f.Name, packs)
		})
	}
	return g.Wait()
}

// readTable reads one table file and compares it with its name.
func (s *Site) readTable(ctx context.Context, name string) ([]index.Pack, error) {
	data, err := readAll(ctx, s.auth, name, maxTableSize)
	if err != nil {
		return nil, err
	}
	if objects.Hash(data).String() != strings.TrimPrefix(name, tablesDir) {
		return nil, remote.AtAuthority(fmt.Errorf("%w: %s at authority %q does not match its name", objects.ErrCorrupt, name, s.opts.Name))
	}
	packs, err := decodeTables(data)
	return packs, remote.AtAuthority(err)
}

// learn remembers a table file, and that it has been read.
func (s *Site) learn(ctx context.Context, name string, packs []index.Pack) error {
	space, err := s.space(ctx)
	if err != nil {
		return err
	}
	if err := s.index.AddPacks(ctx, space, packs...); err != nil {
		return err
	}
	return s.remember(ctx, item{tablesKind, name, []byte{}})
}

// Forget makes the index forget what lies where at the authority. This Site may still
// use what it has read; a new one reads the tables again.
func (s *Site) Forget(ctx context.Context) error {
	space, err := s.space(ctx)
	if err != nil {
		return err
	}
	if err := s.index.DropSpace(ctx, space); err != nil {
		return err
	}
	id, _ := s.ID(ctx)
	return s.index.Update(ctx, func(tx *index.Tx) error { return tx.Drop(siteBucket(id, "tables")) })
}

// locate finds chunks at the authority, by slot, as far as is known.
func (s *Site) locate(ctx context.Context, ids []objects.ID) ([]index.Loc, error) {
	space, err := s.space(ctx)
	if err != nil {
		return nil, err
	}
	return s.index.Locate(ctx, space, ids)
}

// listPacks compares the packs that are known with those that are there. It returns
// those that are there, how many are not, and how many of these were at the last time.
func (s *Site) listPacks(ctx context.Context) (there map[objects.ID]bool, gone, lost int, err error) {
	space, err := s.space(ctx)
	if err != nil {
		return nil, 0, 0, err
	}
	known, err := s.index.Packs(ctx, space) // before the listing: one that is put meanwhile is no loss
	if err != nil {
		return nil, 0, 0, err
	}
	there = map[objects.ID]bool{}
	for f, err := range s.auth.List(ctx, packsDir) {
		if err != nil {
			return nil, 0, 0, err
		}
		if id, err := objects.ParseID(f.Name[strings.LastIndexByte(f.Name, '/')+1:]); err == nil && f.Name == packName(id) {
			there[id] = true
		}
	}
	missing := map[string]bool{}
	for _, p := range known {
		if !there[p.ID] {
			missing[p.ID.String()] = true
		}
	}
	lost, err = s.noteGone(ctx, missing)
	return there, len(missing), lost, err
}

// noteGone remembers which packs are missing, and returns how many were not before.
// What lies in them is not forgotten: they may come back.
func (s *Site) noteGone(ctx context.Context, missing map[string]bool) (lost int, err error) {
	before, err := s.remembered(ctx, goneKind)
	if err != nil {
		return 0, err
	}
	var items []item
	for key := range before {
		if !missing[key] {
			items = append(items, item{goneKind, key, nil})
		}
	}
	for key := range missing {
		if _, ok := before[key]; !ok {
			items = append(items, item{goneKind, key, []byte{}})
			lost++
		}
	}
	if len(items) == 0 {
		return 0, nil
	}
	return lost, s.remember(ctx, items...)
}

// lossy is the fact that packs have been lost at the authority.
const lossy = "lossy"
