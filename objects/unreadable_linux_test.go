package objects

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"github.com/datafs/datafs/fixtures/samples"
	"github.com/datafs/datafs/index"
)

// TestAPackThatCannotBeReadIsNoDamage: a push reads chunks with a Copier.
func TestAPackThatCannotBeReadIsNoDamage(t *testing.T) {
	s := newStore(t)
	takeBytes(t, s, samples.Random(1, 300_000))
	path := packPaths(t, s)[0]
	entries := allEntries(t, s)
	if err := os.Chmod(path, 0); err != nil {
		t.Fatal(err)
	}
	s = reopen(t, s.dir) // its packs are not open
	errs := map[string]error{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if os.Geteuid() == 0 {
			runtime.LockOSThread() // the thread ends with the goroutine
			if err := syscall.Setfsuid(65534); err != nil {
				t.Error(err)
			}
		}
		c := s.Copier()
		for pack, list := range entries {
			for _, e := range list {
				_, _, errs["a chunk"] = c.Stored(t.Context(), &index.Loc{Entry: e, Pack: pack, Found: true})
			}
			errs["a chunk for a whole pack"] = c.Check(&index.Loc{Entry: list[0], Pack: pack, Found: true})
			_, errs["a table"] = s.PackTable(pack)
		}
	}()
	<-done
	if len(errs) != 3 {
		t.Errorf("got %d errors", len(errs))
	}
	for what, err := range errs {
		if !errors.Is(err, fs.ErrPermission) || errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: got %v, want that it cannot be read", what, err)
		}
	}
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
}

// allEntries reads the tables of all packs.
func allEntries(t *testing.T, s *Store) map[ID][]index.Entry {
	t.Helper()
	all := map[ID][]index.Entry{}
	for id, err := range s.packs.IDs() {
		if err != nil {
			t.Fatal(err)
		}
		pack, err := s.PackTable(id)
		if err != nil {
			t.Fatal(err)
		}
		all[id] = pack.Entries
	}
	return all
}

// TestATableThatCannotBeReadIsNoDamage: reading a directory fails like reading from
// a bad disk.
func TestATableThatCannotBeReadIsNoDamage(t *testing.T) {
	s := newStore(t)
	takeBytes(t, s, samples.Random(1, 300_000))
	path := packPaths(t, s)[0]
	if err := os.Rename(path, path+"-"); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	id, err := ParseID(filepath.Base(path))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.PackTable(id); !errors.Is(err, syscall.EISDIR) || errors.Is(err, ErrCorrupt) {
		t.Errorf("got %v, want that it cannot be read", err)
	}
	if err := errors.Join(os.Remove(path), os.Rename(path+"-", path)); err != nil {
		t.Fatal(err)
	}
}
