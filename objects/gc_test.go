package objects

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"github.com/datafs/datafs/objects/pack"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/datafs/datafs/fixtures/samples"
	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/objects/codec"
)

// marks are the roots of a GC.
func marks(s *Store, trees ...ID) func(*Marks) error {
	return func(m *Marks) error {
		for _, id := range trees {
			if err := m.Mark(context.Background(), s, id); err != nil {
				return err
			}
		}
		return nil
	}
}

// gcNow is GC without grace.
func gcNow(s *Store, ctx context.Context, dry bool, live func(*Marks) error) (GCReport, error) {
	return s.GC(ctx, &GCOptions{Dry: dry, Now: time.Now(), Live: live})
}

func collect(t testing.TB, s *Store, trees ...ID) GCReport {
	t.Helper()
	rep, err := gcNow(s, t.Context(), false, marks(s, trees...))
	if err != nil {
		t.Fatal(err)
	}
	return rep
}

func isThere(t testing.TB, s *Store, id ID) bool {
	t.Helper()
	locs, err := s.index.Locate(t.Context(), localSpace, []ID{id})
	if err != nil {
		t.Fatal(err)
	}
	return locs[0].Found
}

func TestGCKeepsWhatIsLiveAndRemovesTheRest(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	dir := t.TempDir()
	for i := range 50 {
		writeFile(t, dir, fmt.Sprintf("d/%d", i), 0o644, samples.Random(uint64(i), 20_000))
	}
	want := [][]byte{samples.Random(100, 900_000), samples.Kinds(400_000)["text"]}
	live := []ID{takePath(t, s, dir).Tree, takeBytes(t, s, want[0]).Tree, takeBytes(t, s, want[1]).Tree}
	var dead []ID
	for i := range 5 {
		dead = append(dead, takeBytes(t, s, append(samples.Random(uint64(200+i), 500_000), want[0]...)).Tree)
	}
	dry, err := gcNow(s, t.Context(), true, marks(s, live...))
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range dead { // a dry run changes nothing
		if _, err := readFile(t.Context(), s, id); err != nil {
			t.Error(err)
		}
	}
	if n := len(packPaths(t, s)); n != 8 || dry.Packs != 8 {
		t.Errorf("%d packs, the dry run saw %d", n, dry.Packs)
	}
	rep := collect(t, s, live...)
	if rep != dry {
		t.Errorf("done %+v, foretold %+v", rep, dry)
	}
	if n := len(packPaths(t, s)); n != 1 {
		t.Errorf("%d packs are left", n)
	}
	if rep.Freed < 5*500_000 {
		t.Errorf("only %d bytes freed", rep.Freed)
	}
	for _, id := range dead {
		s.nodes = newNodeCache()
		if isThere(t, s, id) {
			t.Errorf("tree %s is still there", id)
		}
		if _, err := s.Tree(t.Context(), id); !errors.Is(err, ErrCorrupt) {
			t.Errorf("tree %s: %v", id, err)
		}
	}
	out := t.TempDir()
	if err := openTree(t, s, live[0]).Extract(t.Context(), out, &ExtractOptions{}); err != nil {
		t.Fatal(err)
	}
	sameDirs(t, out, dir)
	checkFile(t, s, live[1], want[0])
	checkFile(t, s, live[2], want[1])
	size, before := int64(0), packPaths(t, s)
	if again := collect(t, s, live...); again.Freed != size || again.Removed != 0 {
		t.Errorf("a second run did %+v", again)
	}
	if after := packPaths(t, s); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("a second run changed the packs from %v to %v", before, after)
	}
	r := takeBytes(t, s, append(samples.Random(200, 500_000), want[0]...)) // what was removed can come again
	if r.Tree != dead[0] {
		t.Errorf("tree %s, was %s", r.Tree, dead[0])
	}
	checkFile(t, s, r.Tree, append(samples.Random(200, 500_000), want[0]...))
}

func TestGCOfEverything(t *testing.T) {
	s := newStore(t)
	collect(t, s) // nothing there
	id := takeBytes(t, s, samples.Random(1, 300_000)).Tree
	if rep := collect(t, s); rep.Removed != 1 || rep.Live != 0 {
		t.Errorf("%+v", rep)
	}
	if n := len(packPaths(t, s)); n != 0 || isThere(t, s, id) {
		t.Errorf("%d packs are left", n)
	}
}

// TestGCRewritesAPackThatIsHalfGarbage has one pack only, so that none is
// gathered.
func TestGCRewritesAPackThatIsHalfGarbage(t *testing.T) {
	s := newStore(t)
	var live *Result
	dead := take(t, s, func(w *Writer) (*Result, error) {
		var err error
		if live, err = w.File(bytes.NewReader(samples.Random(1, 300_000))); err != nil {
			return nil, err
		}
		return w.File(bytes.NewReader(samples.Random(2, 300_000)))
	})
	if rep := collect(t, s, live.Tree, dead.Tree); rep.Rewritten != 0 {
		t.Errorf("with nothing to remove: %+v", rep)
	}
	if rep := collect(t, s, live.Tree); rep.Rewritten != 1 || rep.Freed < 300_000 {
		t.Errorf("%+v", rep)
	}
	if isThere(t, s, dead.Tree) {
		t.Error("the garbage is still there")
	}
	checkFile(t, s, live.Tree, samples.Random(1, 300_000))
}

func TestGCGathersSmallPacks(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	var trees []ID
	for i := range 30 {
		trees = append(trees, takeBytes(t, s, samples.Random(uint64(i), 50_000)).Tree)
	}
	rep := collect(t, s, trees...)
	if n := len(packPaths(t, s)); n != 1 || rep.Rewritten != 30 || rep.Freed != 0 {
		t.Errorf("%d packs are left; %+v", n, rep)
	}
	for i, id := range trees {
		checkFile(t, s, id, samples.Random(uint64(i), 50_000))
	}
}

// TestGCMakesSeveralPacks rewrites more chunks than one pack takes. The new
// packs appear in the directories that GC still goes through.
func TestGCMakesSeveralPacks(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	const packs, each = 3, 34_000
	var live []ID
	for p := range packs {
		raws := make([][]byte, each)
		for i := range raws {
			raws[i] = binary.LittleEndian.AppendUint64(nil, uint64(p*each+i))
		}
		ids := storeChunks(t, s, raws...)
		live = append(live, ids[:each*2/3]...)
	}
	for i := range 256 {
		mkdir(t, s.dir, fmt.Sprintf("packs/%02x", i))
	}
	_, err := gcNow(s, t.Context(), false, func(m *Marks) error {
		for _, id := range live {
			m.set.add(id)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	locs, err := s.locate(t.Context(), live)
	if err != nil {
		t.Fatal(err)
	}
	f := fetcher{s: s}
	for i := range locs {
		if _, err := f.fetch(t.Context(), nil, &locs[i]); err != nil {
			t.Fatal(err)
		}
	}
	if st, err := s.Stats(t.Context()); err != nil || st.Chunks != int64(len(live)) {
		t.Errorf("%d chunks, %v; want %d", st.Chunks, err, len(live))
	}
}

// doubled makes a store whose files lie in two packs each: another index on the
// same packs knew nothing of the first.
func doubled(t *testing.T, s *Store, files ...[]byte) (trees []ID) {
	t.Helper()
	other := openWith(t, s.dir, filepath.Join(t.TempDir(), "other.db"), &Options{})
	for i, b := range files {
		trees = append(trees, takeBytes(t, s, b).Tree)
		takeBytes(t, other, append(bytes.Clone(b), samples.Random(uint64(70+i), 100_000)...))
	}
	return trees
}

func TestGCOfChunksThatLieInTwoPacks(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	files := [][]byte{samples.Random(1, 400_000), samples.Random(2, 400_000), samples.Random(3, 400_000), samples.Random(4, 400_000)}
	trees := doubled(t, s, files...)
	for range 3 {
		collect(t, s, trees...)
		for i, id := range trees {
			checkFile(t, s, id, files[i])
		}
		checkStore(t, s)
	}
	if err := rebuild(t, s, func(p Problem) { t.Error(p.What) }); err != nil {
		t.Fatal(err)
	}
	for i, id := range trees {
		checkFile(t, s, id, files[i])
	}
}

// TestGCKeepsTheOnlyCopy has the pack that the index knows a chunk in deleted;
// the chunk's double in another pack must not be taken for garbage.
func TestGCKeepsTheOnlyCopy(t *testing.T) {
	s := newStore(t)
	b := samples.Random(1, 400_000)
	tree := takeBytes(t, s, b).Tree
	known := packPaths(t, s)[0]
	other := openWith(t, s.dir, filepath.Join(t.TempDir(), "other.db"), &Options{})
	takeBytes(t, other, append(bytes.Clone(b), samples.Random(70, 100_000)...))
	root := openTree(t, s, tree) // while its node can be read
	s.packs.Forget(mustID(t, filepath.Base(known)))
	if err := os.Remove(known); err != nil {
		t.Fatal(err)
	}
	_, err := gcNow(s, t.Context(), false, func(m *Marks) error {
		m.set.add(tree)
		return m.listing(t.Context(), s, root.root, marking{})
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := rebuild(t, s, func(p Problem) { t.Error(p.What) }); err != nil {
		t.Fatal(err)
	}
	e, _ := root.Single()
	// The last chunk of b is not in the other file; those before it are.
	p := make([]byte, 100_000)
	if _, err := s.OpenEntry(t.Context(), e).ReadAt(p, 0); err != nil || !bytes.Equal(p, b[:len(p)]) {
		t.Error(err)
	}
}

func mustID(t *testing.T, s string) ID {
	t.Helper()
	id, err := ParseID(s)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// TestGCTellsNodesFromFilesThatLookLikeThem stores a file whose bytes are the
// node of another file, and marks it first.
func TestGCTellsNodesFromFilesThatLookLikeThem(t *testing.T) {
	s := newStore(t)
	want := samples.Random(1, 2<<20)
	big := takeBytes(t, s, want).Tree
	e, _ := openTree(t, s, big).Single()
	node, err := s.load(t.Context(), e.root)
	if err != nil {
		t.Fatal(err)
	}
	root, err := s.load(t.Context(), big)
	if err != nil {
		t.Fatal(err)
	}
	likeNode, likeRoot := takeBytes(t, s, node).Tree, takeBytes(t, s, root).Tree
	collect(t, s, likeNode, likeRoot, big)
	s.nodes = newNodeCache()
	checkFile(t, s, big, want)
	var done Marks
	for _, id := range []ID{likeNode, likeRoot, big} {
		if err := s.CheckTree(t.Context(), id, &done); err != nil {
			t.Error(err)
		}
	}
}

// TestACachedTreeThatGCBrokeIsNotBelieved leaves a tree's root as garbage in a
// pack that GC keeps, and removes its chunks.
func TestACachedTreeThatGCBrokeIsNotBelieved(t *testing.T) {
	t.Parallel()
	s, dir := newStore(t), t.TempDir()
	b := samples.Random(1, smallPack+1<<20)
	writeFile(t, dir, "d/f", 0o644, b)
	name := filepath.Join(dir, "d/f")
	take := func(name string) Result {
		r, _ := takeNew(t, s, &WriterOptions{Now: later}, func(w *Writer) (*Result, error) { return w.Path(name, nil) })
		return r
	}
	takePath(t, s, filepath.Join(dir, "d")) // the chunks, in a pack of their own
	var live *Result
	dead, _ := takeNew(t, s, &WriterOptions{Now: later}, func(w *Writer) (*Result, error) {
		var err error
		if live, err = w.File(bytes.NewReader(samples.Random(2, 500_000))); err != nil {
			return nil, err
		}
		return w.Path(name, nil)
	})
	collect(t, s, live.Tree)
	s.nodes = newNodeCache()
	if !isThere(t, s, dead.Tree) {
		t.Fatal("the root is gone: this tests nothing")
	}
	if r := take(name); r.Tree != dead.Tree {
		t.Errorf("%+v", r)
	}
	checkFile(t, s, dead.Tree, b)
}

func TestFilesOfAKilledWriterAreRemoved(t *testing.T) {
	s := newStore(t)
	left := filepath.Join(s.dir, pack.Temp, "pack-123")
	leave := func() {
		if err := os.WriteFile(left, samples.Random(1, 1000), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	leave()
	w := newWriter(t, s, &WriterOptions{})
	if err := s.CleanTemp(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(left); err != nil {
		t.Errorf("removed while somebody writes: %v", err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := gcNow(s, t.Context(), true, marks(s)); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(left); err != nil {
		t.Errorf("removed by a dry run: %v", err)
	}
	if err := s.CleanTemp(); err != nil {
		t.Fatal(err)
	}
	checkNoTemp(t, s)
	leave()
	collect(t, s)
	checkNoTemp(t, s)
}

func TestGCDoesNothingWhenItCannotKnow(t *testing.T) {
	s := openStore(t, t.TempDir(), codec.Params{})
	tree := takeBytes(t, s, samples.Random(1, 100_000)).Tree
	takeBytes(t, s, samples.Random(2, 100_000))
	before := packPaths(t, s)
	unknown := errors.New("unknown")
	if _, err := gcNow(s, t.Context(), false, func(*Marks) error { return unknown }); err != unknown {
		t.Errorf("got %v", err)
	}
	if _, err := gcNow(s, t.Context(), false, marks(s, ID{1})); !errors.Is(err, ErrCorrupt) {
		t.Errorf("a root that is missing: %v", err)
	}
	for _, name := range before { // a broken pack may hold what is needed
		good, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		bad := bytes.Clone(good)
		bad[len(bad)-packTrailerLen-3] ^= 1
		overwrite(t, name, bad)
		if _, err := gcNow(s, t.Context(), false, marks(s, tree)); !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), filepath.Base(name)) {
			t.Errorf("a broken table: %v", err)
		}
		overwrite(t, name, good)
		checkFile(t, s, tree, samples.Random(1, 100_000))
	}
	collect(t, s, tree)
	checkStore(t, s)
}

func TestGCDoesNotCarryABrokenChunkOn(t *testing.T) {
	s := openStore(t, t.TempDir(), codec.Params{})
	tree := takeBytes(t, s, samples.Random(1, 100_000)).Tree
	other := takeBytes(t, s, samples.Random(2, 100_000)).Tree // so that the packs are gathered
	for _, name := range packPaths(t, s) {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if i := bytes.Index(data, samples.Random(1, 50)); i > 0 {
			data[i] ^= 1
			overwrite(t, name, data)
		}
	}
	if _, err := gcNow(s, t.Context(), false, marks(s, tree, other)); !errors.Is(err, ErrCorrupt) {
		t.Errorf("got %v", err)
	}
	checkNoTemp(t, s)
	checkFile(t, s, other, samples.Random(2, 100_000))
	if _, err := readFile(t.Context(), s, tree); !errors.Is(err, ErrCorrupt) {
		t.Errorf("the broken file: %v", err)
	}
}

func TestACancelledGCLeavesAGoodStore(t *testing.T) {
	s := newStore(t)
	var trees []ID
	for i := range 6 {
		trees = append(trees, takeBytes(t, s, samples.Random(uint64(i), 50_000)).Tree)
	}
	ctx, cancel := context.WithCancel(t.Context())
	_, err := gcNow(s, ctx, false, func(m *Marks) error {
		defer cancel()
		return marks(s, trees...)(m)
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	for i, id := range trees {
		checkFile(t, s, id, samples.Random(uint64(i), 50_000))
	}
}

func TestGCWaitsForWriters(t *testing.T) {
	s := newStore(t)
	w := newWriter(t, s, &WriterOptions{})
	impatient := openWith(t, s.dir, filepath.Join(s.dir, "index.db"), &Options{LockTimeout: time.Nanosecond})
	if _, err := gcNow(impatient, t.Context(), false, marks(s)); !errors.Is(err, index.ErrBusy) {
		t.Errorf("got %v", err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	collect(t, s)
}

// TestReadersGoOnWhileGCMovesWhatTheyRead reads with 16 goroutines, half of
// them through a store of their own, as another process does.
func TestReadersGoOnWhileGCMovesWhatTheyRead(t *testing.T) {
	t.Parallel()
	s := newStoreWith(t, smallChunks)
	files := [][]byte{samples.Random(1, 300_000), samples.Kinds(300_000)["text"], samples.Random(3, 200)}
	var trees []ID
	for _, b := range files {
		trees = append(trees, takeBytes(t, s, b).Tree)
	}
	other := reopen(t, s.dir)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for i := range uint64(16) {
		from := []*Store{s, other}[i%2]
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(i, 1))
			for {
				select {
				case <-stop:
					return
				default:
				}
				k := rnd.IntN(len(files))
				if err := readSome(t.Context(), rnd, from, trees[k], files[k]); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for i := range uint64(5) {
		takeBytes(t, s, samples.Random(100+i, 30_000)) // garbage, and a second small pack
		collect(t, s, trees...)
	}
	close(stop)
	wg.Wait()
}

func readSome(ctx context.Context, rnd *rand.Rand, s *Store, id ID, want []byte) error {
	if rnd.IntN(2) == 0 {
		got, err := readFile(ctx, s, id)
		if err == nil && !bytes.Equal(got, want) {
			err = errors.New("wrong bytes")
		}
		return err
	}
	tree, err := s.Tree(ctx, id)
	if err != nil {
		return err
	}
	f, err := tree.Open(ctx, "")
	if err != nil {
		return err
	}
	off := rnd.IntN(len(want))
	p := make([]byte, min(100, len(want)-off))
	if _, err := f.ReadAt(p, int64(off)); err != nil {
		return err
	}
	if !bytes.Equal(p, want[off:][:len(p)]) {
		return fmt.Errorf("wrong bytes at %d", off)
	}
	return nil
}
