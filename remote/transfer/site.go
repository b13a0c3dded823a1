// Package transfer brings content to an authority and back: push sends what is missing
// there, fetch and pull bring what is not here, and the index remembers what lies where.
// It knows no archives and no versions, only trees. Its invariant: what names something
// (a node, a place, a table) is written only after what it names is at the authority, and
// what comes back is verified before it is used.
package transfer

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/objects"
	"github.com/datafs/datafs/remote"
)

const (
	formatName    = "datafs.json"
	siteFormat    = 1
	maxFormatSize = 64 << 10
)

// SiteOptions say which authority, and for which repository.
type SiteOptions struct {
	Authority remote.Authority
	Name      string         // as the profile calls it, for messages
	Location  string         // where it is, which the index knows it by; "": its id is read in each run
	Store     *objects.Store // of the repository
	Rand      io.Reader      // for the id of a new authority; nil: crypto/rand
}

// Site is an authority as one repository knows it: it remembers in the index
// what lies where there. It is the objects.Source of archives that belong to
// the authority. Its methods may be called by several goroutines; nothing is
// asked of the authority before it is needed.
type Site struct {
	opts  SiteOptions
	auth  remote.Authority
	store *objects.Store
	index *index.DB
	tails tailCache

	mu     sync.Mutex // guards what follows
	memory memory     // without an id until that is known
	met    bool       // the id was read from the authority itself
	fresh  bool       // all tables have been read in this run
	tables int        // how many there were
}

// NewSite makes a Site. Closing the authority is the caller's.
func NewSite(opts *SiteOptions) *Site {
	s := &Site{opts: *opts, auth: opts.Authority, store: opts.Store, index: opts.Store.Index()}
	if s.opts.Rand == nil {
		s.opts.Rand = rand.Reader
	}
	return s
}

// Name returns what the profile calls the authority.
func (s *Site) Name() string { return s.opts.Name }

// Authority returns the authority itself.
func (s *Site) Authority() remote.Authority { return s.auth }

// space returns the name of the index's space for the site's chunks. The site
// must exist.
func (s *Site) space(ctx context.Context) (string, error) {
	id, err := s.ID(ctx)
	return "remote/" + id, err
}

// ID returns the authority's id, from the index if it has been there before.
// Where nothing has been pushed to it yet the error wraps fs.ErrNotExist.
func (s *Site) ID(ctx context.Context) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.memory.id != "" {
		return s.memory.id, nil
	}
	m, err := s.recall(ctx, "")
	if m.id != "" || err != nil {
		s.memory = m
		return m.id, err
	}
	return s.meet(ctx)
}

// Meet reads the authority's id from the authority itself: a bucket may have
// been made anew since the last time.
func (s *Site) Meet(ctx context.Context) (id string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.meet(ctx)
}

// meet is the part of ID that asks the authority. The caller holds the lock.
func (s *Site) meet(ctx context.Context) (string, error) {
	if s.met {
		return s.memory.id, nil
	}
	f, err := s.readFormat(ctx)
	if err != nil {
		return "", err
	}
	m := s.memory
	if m.id == "" {
		if m, err = s.recall(ctx, ""); err != nil {
			return "", err
		}
	}
	if m.id != f.ID && s.opts.Location != "" {
		err := s.index.Update(ctx, func(tx *index.Tx) error { return tx.Put(locationsBucket, s.opts.Location, []byte(f.ID)) })
		if err != nil {
			return "", err
		}
	}
	if m.id != f.ID {
		if m, err = s.recall(ctx, f.ID); err != nil {
			return "", err
		}
	}
	s.memory, s.met = m, true
	return m.id, nil
}

// Found makes an empty authority one of ours, and returns its id.
func (s *Site) Found(ctx context.Context) (string, error) {
	id, err := s.Meet(ctx)
	if !errors.Is(err, fs.ErrNotExist) {
		return id, err
	}
	raw := make([]byte, 16)
	if _, err := io.ReadFull(s.opts.Rand, raw); err != nil {
		return "", err
	}
	data, err := objects.Format{Format: siteFormat, ID: hex.EncodeToString(raw), Chunker: s.store.Format().Chunker}.Encode()
	if err != nil {
		return "", err
	}
	err = errors.ErrUnsupported
	if x, ok := s.auth.(remote.Exclusive); ok {
		err = x.PutNew(ctx, formatName, bytes.NewReader(data))
	}
	if errors.Is(err, errors.ErrUnsupported) {
		err = s.auth.Put(ctx, formatName, bytes.NewReader(data))
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return "", fmt.Errorf("set up authority %q: %w", s.opts.Name, err)
	}
	return s.Meet(ctx)
}

// readFormat reads and checks the authority's format file.
func (s *Site) readFormat(ctx context.Context) (objects.Format, error) {
	data, err := readAll(ctx, s.auth, formatName, maxFormatSize)
	if errors.Is(err, fs.ErrNotExist) {
		return objects.Format{}, fmt.Errorf("authority %q is empty, nothing has been pushed to it yet: %w", s.opts.Name, fs.ErrNotExist)
	}
	if err != nil {
		return objects.Format{}, err
	}
	f, err := objects.ParseFormat(formatName+" at authority "+s.opts.Name, data)
	if err != nil {
		return f, remote.AtAuthority(err)
	}
	if own := s.store.Format().Chunker; f.Chunker != own {
		return f, fmt.Errorf("authority %q cuts files by %s (%d/%d/%d), this repository by %s (%d/%d/%d): they cannot share content",
			s.opts.Name, f.Chunker.Algorithm, f.Chunker.Min, f.Chunker.Avg, f.Chunker.Max, own.Algorithm, own.Min, own.Avg, own.Max)
	}
	if len(f.ID) < 8 || len(f.ID) > 64 || remote.CheckName(f.ID) != nil {
		return f, remote.AtAuthority(fmt.Errorf("%w: %s at authority %q: id %.80q", objects.ErrCorrupt, formatName, s.opts.Name, f.ID))
	}
	return f, nil
}

// readAll reads a file of at most limit bytes.
func readAll(ctx context.Context, a remote.Authority, name string, limit int64) ([]byte, error) {
	r, err := a.Get(ctx, name, 0, limit+1)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = remote.AtAuthority(fmt.Errorf("%w: %s at the authority has more than %d bytes", objects.ErrCorrupt, name, limit))
	}
	return data, err
}

func packName(id objects.ID) string {
	hex := id.String()
	return "packs/" + hex[:2] + "/" + hex
}
