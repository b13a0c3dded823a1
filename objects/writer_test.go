package objects

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/datafs/datafs/fixtures/samples"
	"github.com/datafs/datafs/index"
)

// later is a clock by which every file has been left alone for an hour.
func later() time.Time { return time.Now().Add(time.Hour) }

// pretend tells the stat cache that a file holds what a tree says.
func pretend(t *testing.T, s *Store, name string, content Result, at time.Time) {
	t.Helper()
	fi, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	c := index.Cached{Stat: index.StatOf(fi), Hash: content.Hash, Tree: content.Tree, At: at.UnixNano()}
	if err := s.index.Cache(t.Context(), map[string]index.Cached{name: c}); err != nil {
		t.Fatal(err)
	}
}

func TestAnUnchangedFileIsNotReadAgain(t *testing.T) {
	s, dir := newStore(t), t.TempDir()
	writeFile(t, dir, "f", 0o644, samples.Random(1, 100_000))
	name := filepath.Join(dir, "f")
	path := func(before *Tree) func(*Writer) (*Result, error) {
		return func(w *Writer) (*Result, error) { return w.Path(name, before) }
	}
	first, _ := takeNew(t, s, &WriterOptions{Now: later}, path(nil))
	var progress int64
	second, fresh := takeNew(t, s, &WriterOptions{Now: later, Progress: func(n int64) { progress += n }}, path(nil))
	if first.Cached || !second.Cached || fresh != 0 || progress != 100_000 {
		t.Errorf("cached %v, then %v; %d new bytes, progress of %d", first.Cached, second.Cached, fresh, progress)
	}
	if first.Cached = true; first != second {
		t.Errorf("%+v, then %+v", first, second)
	}
	// That it is not read shows when the cache holds something else.
	other := takeBytes(t, s, []byte("another content"))
	pretend(t, s, name, other, later())
	if r, _ := takeNew(t, s, &WriterOptions{}, path(nil)); r.Tree != other.Tree {
		t.Error("the file was read")
	}
	// The tree of an earlier version is used where it has the same content.
	pretend(t, s, name, Result{Hash: first.Hash}, later())
	if r, _ := takeNew(t, s, &WriterOptions{}, path(openTree(t, s, first.Tree))); r.Tree != first.Tree || !r.Cached {
		t.Errorf("with the version before: %+v", r)
	}
	// A tree that is not in the store is not believed.
	pretend(t, s, name, Result{Hash: ID{1}, Tree: ID{2}}, later())
	if r, _ := takeNew(t, s, &WriterOptions{}, path(nil)); r.Tree != first.Tree || r.Cached {
		t.Errorf("with an unknown tree: %+v", r)
	}
}

func TestAFileIsReadAgainWhenItMayHaveChanged(t *testing.T) {
	s, dir := newStore(t), t.TempDir()
	name := filepath.Join(dir, "f")
	touch := func(at time.Time) {
		if err := os.Chtimes(name, at, at); err != nil {
			t.Fatal(err)
		}
	}
	cases := map[string]struct {
		now    func(changed time.Time) time.Time // when the file was read the first time
		change func()
	}{
		"its time is the one of the look":    {func(c time.Time) time.Time { return c }, func() {}},
		"it changed 5 ms before the look":    {func(c time.Time) time.Time { return c.Add(5 * time.Millisecond) }, func() {}},
		"it has another size":                {func(c time.Time) time.Time { return c.Add(time.Hour) }, func() { writeFile(t, dir, "f", 0o644, []byte("longer than it was")) }},
		"it has another time":                {func(c time.Time) time.Time { return c.Add(time.Hour) }, func() { touch(time.Unix(1, 5)) }},
		"it is another file of the same age": {func(c time.Time) time.Time { return c.Add(time.Hour) }, func() { replaceFile(t, name) }},
		"the clock was wrong":                {func(c time.Time) time.Time { return time.Unix(0, 1) }, func() {}},
	}
	for what, c := range cases {
		t.Run(what, func(t *testing.T) {
			writeFile(t, dir, "f", 0o644, []byte("some content"))
			fi, err := os.Stat(name)
			if err != nil {
				t.Fatal(err)
			}
			look := c.now(fi.ModTime())
			take := func() Result {
				r, _ := takeNew(t, s, &WriterOptions{Now: func() time.Time { return look }}, func(w *Writer) (*Result, error) { return w.Path(name, nil) })
				return r
			}
			take()
			c.change()
			r := take()
			want, _ := os.ReadFile(name)
			if r.Cached || r.Hash != Hash(want) {
				t.Errorf("%+v, want hash %s", r, Hash(want))
			}
		})
	}
}

// replaceFile puts a file of the same size and time in the place of another.
func replaceFile(t *testing.T, name string) {
	t.Helper()
	fi, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	other := name + ".new"
	if err := os.WriteFile(other, bytes.Repeat([]byte{'x'}, int(fi.Size())), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Chtimes(other, fi.ModTime(), fi.ModTime()), os.Rename(other, name)); err != nil {
		t.Fatal(err)
	}
}

func TestUnchangedFilesOfADirectoryAreNotReadAgain(t *testing.T) {
	s, dir := newStore(t), t.TempDir()
	for _, name := range []string{"a/1", "a/2", "b", "c/d/e"} {
		writeFile(t, dir, name, 0o644, []byte("content of "+name))
	}
	path := func(before *Tree) func(*Writer) (*Result, error) {
		return func(w *Writer) (*Result, error) { return w.Path(dir, before) }
	}
	first, _ := takeNew(t, s, &WriterOptions{Now: later}, path(nil))
	before := openTree(t, s, first.Tree)
	// Change two files; make the cache believe that one of them is as it was.
	for _, name := range []string{"a/2", "c/d/e"} {
		writeFile(t, dir, name, 0o644, []byte("changed is "+name))
	}
	e, err := before.Entry(t.Context(), "a/2")
	if err != nil {
		t.Fatal(err)
	}
	pretend(t, s, filepath.Join(dir, "a/2"), Result{Hash: e.Hash}, later())
	second, _ := takeNew(t, s, &WriterOptions{Now: later}, path(before))
	var changed []string
	for c, err := range Diff(t.Context(), before, openTree(t, s, second.Tree)) {
		if err != nil {
			t.Fatal(err)
		}
		changed = append(changed, c.Path)
	}
	if !slices.Equal(changed, []string{"c/d/e"}) {
		t.Errorf("read were %q", changed)
	}
	// Without the version before there is nothing to take an entry from.
	third, _ := takeNew(t, s, &WriterOptions{Now: later}, path(nil))
	if third.Tree == second.Tree {
		t.Error("a/2 was not read")
	}
	// Now the cache knows all files, but that version has other contents.
	if fourth, _ := takeNew(t, s, &WriterOptions{Now: later}, path(before)); fourth.Tree != third.Tree {
		t.Errorf("with an older version: tree %s, want %s", fourth.Tree, third.Tree)
	}
}

func TestAFileThatChangesWhileItIsReadIsRefused(t *testing.T) {
	t.Parallel()
	changes := map[string]func(*os.File) error{
		"grows":       func(f *os.File) error { _, err := f.WriteAt([]byte("more"), 3<<20); return err },
		"shrinks":     func(f *os.File) error { return f.Truncate(2 << 20) },
		"is emptied":  func(f *os.File) error { return f.Truncate(0) },
		"is modified": func(f *os.File) error { return errors.Join(second(f.WriteAt([]byte("x"), 1)), f.Sync()) },
	}
	for what, change := range changes {
		for _, whole := range []bool{false, true} {
			t.Run(fmt.Sprint(what, ", directory ", whole), func(t *testing.T) {
				s, dir := newStore(t), t.TempDir()
				writeFile(t, dir, "sub/f", 0o644, samples.Random(1, 3<<20))
				name := filepath.Join(dir, "sub/f")
				// Else a change within one tick of the clock would not show.
				if err := os.Chtimes(name, time.Unix(1e9, 0), time.Unix(1e9, 0)); err != nil {
					t.Fatal(err)
				}
				f, err := os.OpenFile(name, os.O_RDWR, 0)
				if err != nil {
					t.Fatal(err)
				}
				defer f.Close()
				var once sync.Once
				w := newWriter(t, s, &WriterOptions{Progress: func(int64) {
					once.Do(func() {
						if err := change(f); err != nil {
							t.Error(err)
						}
					})
				}})
				arg := name
				if whole {
					arg = dir
				}
				if _, err := w.Path(arg, nil); !errors.Is(err, ErrChanged) || !strings.Contains(err.Error(), name) {
					t.Errorf("got %v", err)
				}
				// The writer goes on with the next file as if nothing had been.
				r, err := w.File(strings.NewReader("the next file"))
				if err != nil {
					t.Fatal(err)
				}
				if err := errors.Join(w.Finish(), w.Close()); err != nil {
					t.Fatal(err)
				}
				checkFile(t, s, r.Tree, []byte("the next file"))
				if r.Hash != Hash([]byte("the next file")) {
					t.Errorf("hash %s", r.Hash)
				}
			})
		}
	}
}

func second(_ int, err error) error { return err }

func TestAFileThatCannotBeReadLeavesTheNextOneAlone(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for _, n := range []int{0, 1, 100, 70_000, blockSize, blockSize + 1, 3<<20 + 5} {
		s := newStore(t)
		w := newWriter(t, s, &WriterOptions{})
		want := map[*Result][]byte{}
		for i := range uint64(3) {
			if _, err := w.File(io.MultiReader(bytes.NewReader(samples.Random(9, n)), iotest.ErrReader(broken))); err != broken {
				t.Fatalf("got %v", err)
			}
			b := samples.Random(i, 200_000)
			r, err := w.File(bytes.NewReader(b))
			if err != nil {
				t.Fatal(err)
			}
			want[r] = b
		}
		if err := errors.Join(w.Finish(), w.Close()); err != nil {
			t.Fatal(err)
		}
		for r, b := range want {
			if checkFile(t, s, r.Tree, b); r.Hash != Hash(b) || r.Size != int64(len(b)) {
				t.Errorf("behind %d bytes of a broken file: %+v", n, r)
			}
		}
	}
}

// TestFilesOfAllLengthsHaveTheirHash puts files end to end so that they end
// everywhere in the blocks that the writer works on.
func TestFilesOfAllLengthsHaveTheirHash(t *testing.T) {
	s := newStore(t)
	w := newWriter(t, s, &WriterOptions{})
	var want [][]byte
	var got []*Result
	for i, n := range []int{blockSize, blockSize - 1, 1, blockSize + 1, 0, 0, 300_000, 16 << 10, 16<<10 + 1, 2 * blockSize, 256 << 10, 3 * 256 << 10, blockSize / 2, blockSize / 2, 0, 5} {
		b := samples.Random(uint64(i), n)
		if i%3 == 0 {
			b = make([]byte, n) // chunks of the maximum, that end with the block
		}
		r, err := w.File(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		want, got = append(want, b), append(got, r)
	}
	if err := errors.Join(w.Finish(), w.Close()); err != nil {
		t.Fatal(err)
	}
	for i, r := range got {
		if checkFile(t, s, r.Tree, want[i]); r.Hash != Hash(want[i]) || r.Size != int64(len(want[i])) || r.Files != 1 {
			t.Errorf("file %d of %d bytes: %+v", i, len(want[i]), r)
		}
	}
}

func TestAddedCountsWhatIsNew(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	b := samples.Random(1, 2<<20)
	file := func(parts ...[]byte) func(*Writer) (*Result, error) {
		return func(w *Writer) (*Result, error) { return w.File(bytes.NewReader(bytes.Join(parts, nil))) }
	}
	const nodes = 4 << 10 // at most
	if _, fresh := takeNew(t, s, &WriterOptions{}, file(b)); fresh < 2<<20 || fresh > 2<<20+nodes {
		t.Errorf("the first time: %d", fresh)
	}
	if _, fresh := takeNew(t, s, &WriterOptions{}, file(b)); fresh != 0 {
		t.Errorf("the second time: %d", fresh)
	}
	if _, fresh := takeNew(t, s, &WriterOptions{}, file(b, b, b)); fresh > 3*256<<10 {
		t.Errorf("three times in a file: %d", fresh)
	}
	if _, fresh := takeNew(t, s, &WriterOptions{}, file(make([]byte, 32<<20))); fresh > 256<<10+2*nodes {
		t.Errorf("zeros: %d", fresh)
	}
	w := newWriter(t, s, &WriterOptions{})
	for range 20 {
		if _, err := w.File(bytes.NewReader(samples.Random(2, 100_000))); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Finish(), w.Close()); err != nil {
		t.Fatal(err)
	}
	if raw, stored := w.Added(); raw < 100_000 || raw > 100_000+nodes || stored < 100_000 || stored > raw {
		t.Errorf("one file 20 times: %d raw, %d stored", raw, stored)
	}
}

func TestAWriterThatIsNotFinishedAddsNothing(t *testing.T) {
	s := newStore(t)
	w := newWriter(t, s, &WriterOptions{})
	b := samples.Random(1, 5<<20)
	if _, err := w.File(bytes.NewReader(b)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	checkNoTemp(t, s)
	r := takeBytes(t, s, b)
	checkFile(t, s, r.Tree, b)
}

func TestAWriterIsNotUsedAfterItsEnd(t *testing.T) {
	s := newStore(t)
	big := samples.Random(1, 3<<20)
	for name, end := range map[string]func(*Writer) error{"Finish": (*Writer).Finish, "Close": (*Writer).Close} {
		w := newWriter(t, s, &WriterOptions{})
		if err := end(w); err != nil {
			t.Fatal(err)
		}
		for range 5 { // that it does not panic is not luck
			if _, err := w.File(bytes.NewReader(big)); err == nil {
				t.Errorf("File after %s", name)
			}
		}
		if err := w.Finish(); err == nil {
			t.Errorf("Finish after %s", name)
		}
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestACancelledWriterLeavesAGoodStore cancels at many moments.
func TestACancelledWriterLeavesAGoodStore(t *testing.T) {
	t.Parallel()
	s, dir := newStore(t), t.TempDir()
	for i := range 40 {
		writeFile(t, dir, fmt.Sprint(i), 0o644, samples.Random(uint64(i), 150_000))
	}
	before := takeBytes(t, s, []byte("before"))
	for at := int64(1); at < 6_000_000; at += 900_001 {
		ctx, cancel := context.WithCancel(t.Context())
		var seen int64
		w, err := s.Writer(ctx, &WriterOptions{Now: time.Now, Progress: func(n int64) {
			if seen += n; seen >= at {
				cancel()
			}
		}})
		if err != nil {
			t.Fatal(err)
		}
		_, err = w.Path(dir, nil)
		if err == nil {
			err = w.Finish()
		}
		if !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled after %d bytes: %v", at, err)
		}
		if err := w.Close(); err != nil {
			t.Error(err)
		}
		checkStore(t, s)
		cancel()
	}
	checkFile(t, s, before.Tree, []byte("before"))
	tree, out := openTree(t, s, takePath(t, s, dir).Tree), t.TempDir()
	if err := tree.Extract(t.Context(), out, &ExtractOptions{}); err != nil {
		t.Fatal(err)
	}
	sameDirs(t, out, dir)
}

// TestTwoWritersAtOnceInOneStore has each take in what the other does, and
// something of its own, as two processes would.
func TestTwoWritersAtOnceInOneStore(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	stores := []*Store{s, reopen(t, s.dir), s}
	common := samples.Random(1, 3<<20)
	results := make([]*Result, 3*len(stores))
	var wg sync.WaitGroup
	for i, s := range stores {
		w := newWriter(t, s, &WriterOptions{})
		wg.Go(func() {
			for k, b := range [][]byte{common, samples.Random(uint64(10+i), 1<<20), common[:1<<20]} {
				r, err := w.File(bytes.NewReader(b))
				if err != nil {
					t.Error(err)
					return
				}
				results[3*i+k] = r
			}
			if err := errors.Join(w.Finish(), w.Close()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for i := range stores {
		checkFile(t, s, results[3*i].Tree, common)
		checkFile(t, s, results[3*i+1].Tree, samples.Random(uint64(10+i), 1<<20))
		checkFile(t, s, results[3*i+2].Tree, common[:1<<20])
	}
	if _, err := gcNow(s, t.Context(), false, marks(s, results[0].Tree, results[1].Tree, results[4].Tree)); err != nil {
		t.Fatal(err)
	}
	checkFile(t, s, results[0].Tree, common)
	checkFile(t, s, results[4].Tree, samples.Random(11, 1<<20))
}

func TestAWriterWaitsForGC(t *testing.T) {
	s := newStore(t)
	lock, err := s.lock(t.Context(), true)
	if err != nil {
		t.Fatal(err)
	}
	impatient := openWith(t, s.dir, filepath.Join(s.dir, "index.db"), &Options{LockTimeout: time.Nanosecond})
	if _, err := impatient.Writer(t.Context(), &WriterOptions{Now: time.Now}); !errors.Is(err, index.ErrBusy) {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Writer(ctx, &WriterOptions{Now: time.Now}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	done := make(chan error)
	go func() {
		w, err := s.Writer(t.Context(), &WriterOptions{Now: time.Now})
		if err == nil {
			err = w.Close()
		}
		done <- err
	}()
	if err := errors.Join(lock.Unlock(), <-done); err != nil {
		t.Error(err)
	}
}

func TestWhatCannotBeTakenInIsNamed(t *testing.T) {
	s := newStore(t)
	w := newWriter(t, s, &WriterOptions{})
	if _, err := w.Path(filepath.Join(t.TempDir(), "none"), nil); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "none") {
		t.Errorf("got %v", err)
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
}
