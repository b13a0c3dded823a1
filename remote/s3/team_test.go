package s3

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/datafs/datafs/fixtures/servers"
	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/objects"
	"github.com/datafs/datafs/refs"
	"github.com/datafs/datafs/refs/refstest"
	"github.com/datafs/datafs/remote"
	"github.com/datafs/datafs/remote/catalog"
	"github.com/datafs/datafs/remote/remotetest"
	"github.com/datafs/datafs/remote/transfer"
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
		c, err := catalog.Open(a, nil)
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
	c, err := catalog.Open(ignoring{a}, nil)
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

func taken(t *testing.T, s *objects.Store, content io.Reader) objects.ID {
	t.Helper()
	w, err := s.Writer(t.Context(), &objects.WriterOptions{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	r, err := w.File(content)
	if err == nil {
		err = w.Finish()
	}
	if err != nil {
		t.Fatal(err)
	}
	return r.Tree
}

// random reads n bytes from the offset off of an endless random file.
func random(seed byte, off, n int64) io.Reader {
	r := rand.NewChaCha8([32]byte{seed})
	io.CopyN(io.Discard, r, off)
	return io.LimitReader(r, n)
}

// TestServerReadsAndPushesWhatChanged counts requests and bytes of a random
// read and of a small change in a large file: of 4 GiB where DATAFS_TEST_LARGE is
// set, as make bench-remote does.
func TestServerReadsAndPushesWhatChanged(t *testing.T) {
	size := int64(256 << 20)
	if os.Getenv("DATAFS_TEST_LARGE") != "" {
		size = 4 << 30
	}
	srv := servers.S3(t)
	a, err := Open(t.Context(), at(srv, srv.NewBucket(t)))
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	counted := remotetest.NewFaulty(t, a)
	mine, yours := repository(t), repository(t)
	site := func(s *objects.Store) *transfer.Site {
		return transfer.NewSite(&transfer.SiteOptions{Authority: counted, Name: "team", Store: s})
	}
	tree := taken(t, mine, random(1, 0, size))
	rep, err := site(mine).Push(t.Context(), []objects.ID{tree}, nil)
	if err != nil {
		t.Fatal(err)
	}

	const part = 10 << 20
	where := size/3 + 12345
	counted.Reset()
	away := site(yours)
	if err := away.Know(t.Context(), map[objects.ID]string{tree: rep.Roots[tree]}); err != nil {
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
	got := make([]byte, part)
	if _, err := f.ReadAt(got, where); err != nil {
		t.Fatal(err)
	}
	want, err := io.ReadAll(random(1, where, part))
	if err != nil || !bytes.Equal(got, want) {
		t.Error("wrong bytes", err)
	}
	counts := counted.Counts()
	t.Logf("a read of 10 MiB in %d MiB: %d requests, %d KiB more than that", size>>20, counts.All(), (counts.Down-part)>>10)
	if counts.All() > 10 || counts.Down > part+2<<20 {
		t.Errorf("a read of 10 MiB took %+v", counts)
	}

	const change = 64 << 10
	tree = taken(t, mine, io.MultiReader(random(1, 0, where), random(2, 0, change), random(1, where+change, size-where-change)))
	counted.Reset()
	if _, err := site(mine).Push(t.Context(), []objects.ID{tree}, nil); err != nil {
		t.Fatal(err)
	}
	counts = counted.Counts()
	t.Logf("a push of a change of 64 KiB: %d requests, %d KiB up, %d KiB down", counts.All(), counts.Up>>10, counts.Down>>10)
	if counts.All() > 12 || counts.Up+counts.Down > 1<<20 {
		t.Errorf("a change of 64 KiB took %+v", counts)
	}
}
