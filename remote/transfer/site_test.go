package transfer_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/objects"
	"github.com/datafs/datafs/objects/codec"
	"github.com/datafs/datafs/remote"
	"github.com/datafs/datafs/remote/dir"
	"github.com/datafs/datafs/remote/remotetest"
	"github.com/datafs/datafs/remote/transfer"
)

// newStore makes a repository, which is checked deeply when the test ends.
func newStore(t testing.TB) *objects.Store {
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
	t.Cleanup(func() {
		_, damage, err := s.CheckPacks(context.Background(), &objects.CheckOptions{Full: true, Found: func(p objects.Problem) { t.Errorf("check: %s", p.What) }})
		if damage.Len() > 0 {
			t.Errorf("check: %d chunks are damaged", damage.Len())
		}
		if err := errors.Join(err, s.Close(), db.Close()); err != nil {
			t.Error(err)
		}
	})
	return s
}

func store(t testing.TB, s *objects.Store, content []byte) objects.ID {
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

func random(seed uint64, n int) []byte {
	b := make([]byte, n)
	var key [32]byte
	key[0], key[1] = byte(seed), byte(seed>>8)
	rand.NewChaCha8(key).Read(b)
	return b
}

func newSite(s *objects.Store, a remote.Authority) *transfer.Site {
	return transfer.NewSite(&transfer.SiteOptions{Authority: a, Name: "team", Store: s})
}

func push(t testing.TB, site *transfer.Site, trees ...objects.ID) *transfer.PushReport {
	t.Helper()
	rep, err := site.Push(t.Context(), trees, &transfer.PushOptions{Warn: func(s string) { t.Log(s) }})
	if err != nil {
		t.Fatal(err)
	}
	return rep
}

func know(t testing.TB, site *transfer.Site, rep *transfer.PushReport, tree objects.ID) {
	t.Helper()
	if err := site.Know(t.Context(), map[objects.ID]string{tree: rep.Roots[tree]}); err != nil {
		t.Fatal(err)
	}
}

func open(t testing.TB, s *objects.Store, tree objects.ID) *objects.File {
	t.Helper()
	tr, err := s.Tree(t.Context(), tree)
	if err != nil {
		t.Fatal(err)
	}
	f, err := tr.Open(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func wantSame(t testing.TB, s *objects.Store, tree objects.ID, want []byte) {
	t.Helper()
	var got bytes.Buffer
	if _, err := open(t, s, tree).WriteTo(&got); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("%d bytes came back that are not the %d bytes that went out", got.Len(), len(want))
	}
}

func TestWhatOnePushesAnotherPulls(t *testing.T) {
	var mem remote.Mem
	alice, bob := newStore(t), newStore(t)
	content := random(1, 30<<20)
	tree := store(t, alice, content)
	site := newSite(alice, &mem)
	rep := push(t, site, tree)
	if rep.New != 30<<20 || rep.Chunks == 0 || rep.Packs != 2 || rep.Sent < rep.New {
		t.Errorf("pushed %+v", rep)
	}
	away := newSite(bob, &mem)
	know(t, away, rep, tree)
	if err := away.Pull(t.Context(), tree); err != nil {
		t.Fatal(err)
	}
	wantSame(t, bob, tree, content)
	again := push(t, newSite(alice, &mem), tree)
	if again.Sent != 0 || again.Packs != 0 || again.Roots[tree] != rep.Roots[tree] {
		t.Errorf("pushed again: %+v", again)
	}
}

func TestAReadFetchesWhatItReads(t *testing.T) {
	var mem remote.Mem
	alice, bob := newStore(t), newStore(t)
	content := random(2, 100<<20)
	tree := store(t, alice, content)
	rep := push(t, newSite(alice, &mem), tree)

	faulty := remotetest.NewFaulty(t, &mem)
	away := newSite(bob, faulty)
	know(t, away, rep, tree)
	f := open(t, bob.From(away), tree)
	buf := make([]byte, 10<<20)
	if _, err := f.ReadAt(buf, 55_555_555); err != nil || !bytes.Equal(buf, content[55_555_555:][:10<<20]) {
		t.Fatal("wrong bytes", err)
	}
	got := faulty.Counts()
	if got.All() > 8 || got.Down > 10<<20+1<<20 {
		t.Errorf("a read of 10 MiB took %+v", got)
	}
	t.Logf("%+v", got)
	faulty.Reset()
	if _, err := f.ReadAt(buf, 55_555_555); err != nil || faulty.Counts().All() != 0 {
		t.Errorf("the second time: %+v, %v", faulty.Counts(), err)
	}
	wantSame(t, bob.From(away), tree, content)
}

func TestASmallFileIsReadWithTwoRequests(t *testing.T) {
	var mem remote.Mem
	alice, bob := newStore(t), newStore(t)
	tree := store(t, alice, []byte("small"))
	rep := push(t, newSite(alice, &mem), tree)
	faulty := remotetest.NewFaulty(t, &mem)
	away := newSite(bob, faulty)
	know(t, away, rep, tree)
	wantSame(t, bob.From(away), tree, []byte("small"))
	if got := faulty.Counts(); got.All() != 2 { // the format file, and the pack's end
		t.Errorf("%+v", got)
	}
}

func TestASmallReadAfterAnotherFetchesAhead(t *testing.T) {
	var mem remote.Mem
	alice, bob := newStore(t), newStore(t)
	content := random(3, 40<<20)
	tree := store(t, alice, content)
	rep := push(t, newSite(alice, &mem), tree)
	faulty := remotetest.NewFaulty(t, &mem)
	away := newSite(bob, faulty)
	know(t, away, rep, tree)
	f := open(t, bob.From(away), tree)
	buf := make([]byte, 100_000)
	for off := 0; off+len(buf) < len(content); off += len(buf) {
		if _, err := f.ReadAt(buf, int64(off)); err != nil || !bytes.Equal(buf, content[off:][:len(buf)]) {
			t.Fatal(off, err)
		}
	}
	if got := faulty.Counts(); got.All() > 25 {
		t.Errorf("400 small reads took %+v", got)
	}
}

func TestAChangePushesWhatChanged(t *testing.T) {
	var mem remote.Mem
	alice := newStore(t)
	content := random(4, 100<<20)
	push(t, newSite(alice, &mem), store(t, alice, content))
	changed := slices.Concat(content[:50<<20], random(5, 64<<10), content[50<<20:])
	tree := store(t, alice, changed)

	faulty := remotetest.NewFaulty(t, &mem)
	dry, err := newSite(alice, faulty).Push(t.Context(), []objects.ID{tree}, &transfer.PushOptions{Dry: true})
	if err != nil || faulty.Counts().Put != 0 {
		t.Fatal(err, faulty.Counts())
	}
	faulty.Reset()
	rep := push(t, newSite(alice, faulty), tree)
	if got := faulty.Counts(); got.All() > 8 || got.Up > 700<<10 {
		t.Errorf("a small change took %+v", got)
	}
	if dry.New != rep.New || dry.Chunks != rep.Chunks || dry.Packs != rep.Packs {
		t.Errorf("the dry run said %+v, it was %+v", dry, rep)
	}
	bob := newStore(t)
	away := newSite(bob, &mem)
	know(t, away, rep, tree)
	wantSame(t, bob.From(away), tree, changed)
}

// deltas counts the chunks that are stored as the difference from others.
func deltas(t testing.TB, s *objects.Store) (n int) {
	t.Helper()
	packs, err := s.Index().Packs(t.Context(), "local")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range packs {
		pack, err := s.PackTable(p.ID)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range pack.Entries {
			if codec.IsDelta(e) {
				n++
			}
		}
	}
	return n
}

// TestDifferencesStayAtHome has a second version whose pack could go as it is,
// if there were no deltas in it.
func TestDifferencesStayAtHome(t *testing.T) {
	dir, err := dir.Open(&dir.Options{Root: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	alice := newStore(t)
	site := newSite(alice, dir)
	first := random(4, 8<<20)
	push(t, site, store(t, alice, first))
	second := slices.Concat(first, random(5, 20<<20))
	for at := 100_000; at < len(first); at += 300_000 {
		copy(second[at:], random(uint64(at), 4096))
	}
	tree := store(t, alice, second)
	if n := deltas(t, alice); n < 20 {
		t.Fatalf("only %d deltas", n)
	}
	dry, err := site.Push(t.Context(), []objects.ID{tree}, &transfer.PushOptions{Dry: true})
	if err != nil {
		t.Fatal(err)
	}
	rep := push(t, site, tree)
	if rep.Sent < 21<<20 || dry.Sent > rep.Sent || dry.Sent < rep.Sent*9/10 {
		t.Errorf("the dry run said %d bytes, it was %d", dry.Sent, rep.Sent)
	}
	bob := newStore(t)
	away := newSite(bob, dir)
	know(t, away, rep, tree)
	if err := away.Pull(t.Context(), tree); err != nil {
		t.Fatal(err)
	}
	wantSame(t, bob, tree, second)
	if n := deltas(t, bob); n > 0 {
		t.Errorf("%d deltas arrived", n)
	}
	carol := newStore(t)
	other := newSite(carol, dir)
	know(t, other, rep, tree)
	wantSame(t, carol.From(other), tree, second)
}

func TestAPusherWhoKnowsNothingSharesAll(t *testing.T) {
	var mem remote.Mem
	alice, bob := newStore(t), newStore(t)
	content := random(6, 20<<20)
	push(t, newSite(alice, &mem), store(t, alice, content))
	rep := push(t, newSite(bob, &mem), store(t, bob, append(content, "more"...)))
	if rep.New > 1<<20 {
		t.Errorf("%+v", rep)
	}
}

func TestWithoutAPlaceATreeIsFoundByTheTables(t *testing.T) {
	var mem remote.Mem
	alice, bob := newStore(t), newStore(t)
	content := random(7, 3<<20)
	tree := store(t, alice, content)
	push(t, newSite(alice, &mem), tree)
	away := newSite(bob, &mem)
	for _, place := range []string{"", "nonsense", "00:1:2:3:4"} {
		if err := away.Know(t.Context(), map[objects.ID]string{tree: place}); err != nil {
			t.Fatal(err)
		}
	}
	wantSame(t, bob.From(away), tree, content)
}

func TestALostPackIsSaidAndSentAgain(t *testing.T) {
	var mem remote.Mem
	alice, bob := newStore(t), newStore(t)
	content := random(8, 30<<20)
	tree := store(t, alice, content)
	rep := push(t, newSite(alice, &mem), tree)
	for f, err := range mem.List(t.Context(), "packs/") {
		if err != nil {
			t.Fatal(err)
		}
		if f.Size > 10<<20 {
			if err := mem.Delete(t.Context(), f.Name); err != nil {
				t.Fatal(err)
			}
		}
	}
	away := newSite(bob, &mem)
	know(t, away, rep, tree)
	if err := away.Pull(t.Context(), tree); !errors.Is(err, objects.ErrCorrupt) {
		t.Fatalf("a pull without the pack: %v", err)
	}
	rep = push(t, newSite(alice, &mem), tree)
	if rep.New < 29<<20 {
		t.Errorf("pushed again: %+v", rep)
	}
	away = newSite(bob, &mem)
	if err := away.Pull(t.Context(), tree); err != nil {
		t.Fatal(err)
	}
	wantSame(t, bob, tree, content)
}

func TestDirectoriesTravelWhole(t *testing.T) {
	var mem remote.Mem
	alice, bob := newStore(t), newStore(t)
	w, err := alice.Writer(t.Context(), &objects.WriterOptions{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	dir := t.TempDir()
	writeFiles(t, dir, 3000)
	r, err := w.Path(dir, nil)
	if err == nil {
		err = w.Finish()
	}
	if err != nil {
		t.Fatal(err)
	}
	rep := push(t, newSite(alice, &mem), r.Tree)
	faulty := remotetest.NewFaulty(t, &mem)
	away := newSite(bob, faulty)
	know(t, away, rep, r.Tree)
	if err := away.Pull(t.Context(), r.Tree); err != nil {
		t.Fatal(err)
	}
	if got := faulty.Counts(); got.All() > 40 {
		t.Errorf("3000 small files took %+v", got)
	}
	if err := bob.CheckTree(t.Context(), r.Tree, &objects.Marks{}); err != nil {
		t.Error(err)
	}
}

func TestAnEmptyAuthoritySaysSo(t *testing.T) {
	var mem remote.Mem
	site := newSite(newStore(t), &mem)
	if err := site.Pull(t.Context(), objects.ID{1}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
}

func TestOtherChunkersAreRefused(t *testing.T) {
	var mem remote.Mem
	other := `{"format": 1, "id": "0123456789abcdef", "chunker": {"algorithm": "gear-v1", "min": 1024, "avg": 4096, "max": 16384}}`
	if err := mem.Put(t.Context(), "datafs.json", bytes.NewReader([]byte(other))); err != nil {
		t.Fatal(err)
	}
	s := newStore(t)
	if _, err := newSite(s, &mem).Push(t.Context(), []objects.ID{store(t, s, []byte("x"))}, nil); err == nil {
		t.Error("it was accepted")
	}
}
