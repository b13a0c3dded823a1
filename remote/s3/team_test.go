package s3

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/datafs/datafs/fixtures/servers"
	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/objects"
	"github.com/datafs/datafs/refs"
	"github.com/datafs/datafs/refs/refstest"
	"github.com/datafs/datafs/remote"
	"github.com/datafs/datafs/remote/remotetest"
)

// TestServerKeepsTheCatalogue runs the suite of managers on a catalogue in a
// bucket.
func TestServerKeepsTheCatalogue(t *testing.T) {
	srv := servers.S3(t)
	refstest.Run(t, func(t *testing.T) refs.Manager {
		a, err := Open(t.Context(), at(srv, srv.NewBucket(t)))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { a.Close() })
		c, err := remote.OpenCatalog(a, nil)
		if err != nil {
			t.Fatal(err)
		}
		return c
	})
}

// ignoring is an S3 server that ignores conditions.
type ignoring struct{ remote.Authority }

func (a ignoring) PutNew(ctx context.Context, name string, r io.ReadSeeker) error {
	return a.Put(ctx, name, r)
}

func TestServerThatIgnoresConditionsIsRefused(t *testing.T) {
	srv := servers.S3(t)
	a, err := Open(t.Context(), at(srv, srv.NewBucket(t)))
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	c, err := remote.OpenCatalog(ignoring{a}, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Put(t.Context(), "archive/x", []byte("{}"), refs.Absent)
	if !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("%v", err)
	}
}

func repository(t *testing.T) *objects.Store {
	t.Helper()
	dir := t.TempDir()
	if err := objects.Create(dir, &objects.CreateOptions{ID: "test"}); err != nil {
		t.Fatal(err)
	}
	db, err := index.Open(filepath.Join(dir, "index.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	s, err := objects.Open(dir, &objects.Options{Index: db})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close(); db.Close() })
	return s
}

func taken(t *testing.T, s *objects.Store, content []byte) objects.ID {
	t.Helper()
	w, err := s.Writer(t.Context(), &objects.WriterOptions{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	r, err := w.File(bytes.NewReader(content))
	if err == nil {
		err = w.Finish()
	}
	if err != nil {
		t.Fatal(err)
	}
	return r.Tree
}

// TestServerReadsAndPushesWhatChanged counts requests and bytes of a random
// read and of a small change. With 4 GiB instead of 256 MiB the numbers are the
// same: see make bench-remote.
func TestServerReadsAndPushesWhatChanged(t *testing.T) {
	srv := servers.S3(t)
	a, err := Open(t.Context(), at(srv, srv.NewBucket(t)))
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	counted := remotetest.NewFaulty(t, a)
	content := make([]byte, 256<<20)
	rand.NewChaCha8([32]byte{1}).Read(content)
	mine, yours := repository(t), repository(t)
	site := func(s *objects.Store) *remote.Site {
		return remote.NewSite(&remote.SiteOptions{Authority: counted, Name: "team", Store: s})
	}
	tree := taken(t, mine, content)
	rep, err := site(mine).Push(t.Context(), []objects.ID{tree}, nil)
	if err != nil {
		t.Fatal(err)
	}

	counted.Reset()
	away := site(yours)
	if err := away.Know(t.Context(), tree, rep.Roots[tree]); err != nil {
		t.Fatal(err)
	}
	tr, err := yours.From(away).Tree(t.Context(), tree)
	if err != nil {
		t.Fatal(err)
	}
	f, err := tr.Open(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	part := make([]byte, 10<<20)
	if _, err := f.ReadAt(part, 123_456_789); err != nil || !bytes.Equal(part, content[123_456_789:][:len(part)]) {
		t.Fatal("wrong bytes", err)
	}
	if got := counted.Counts(); got.All() > 10 || got.Down > 12<<20 {
		t.Errorf("a read of 10 MiB took %+v", got)
	}

	rand.NewChaCha8([32]byte{2}).Read(content[100<<20 : 100<<20+64<<10])
	tree = taken(t, mine, content)
	counted.Reset()
	if _, err := site(mine).Push(t.Context(), []objects.ID{tree}, nil); err != nil {
		t.Fatal(err)
	}
	if got := counted.Counts(); got.All() > 12 || got.Up > 1<<20 {
		t.Errorf("a change of 64 KiB took %+v", got)
	}
}
