package objects

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/datafs/datafs/fixtures/samples"
	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/objects/codec"
)

// damaged is a store of some files, each in a pack of its own.
type damaged struct {
	s     *Store
	files []damagedFile
}

type damagedFile struct {
	name string
	tree ID
	want []byte
	pack ID
}

// The lengths of a pack's header and trailer, as in the format.
const (
	packHeaderLen  = 8
	packTrailerLen = 56
)

// newDamaged takes files in that are stored in different ways. The store is not checked
// when the test ends.
func newDamaged(t *testing.T) *damaged {
	t.Helper()
	d := &damaged{s: openStore(t, t.TempDir(), smallChunks)}
	old := map[string]bool{}
	for i, kind := range []string{"random", "text", "float32"} {
		want := append(samples.Random(uint64(10+i), 1200), samples.Kinds(4000)[kind]...)
		r, _ := takeNew(t, d.s, &WriterOptions{}, func(w *Writer) (*Result, error) { return w.File(bytes.NewReader(want)) })
		f := damagedFile{name: kind, tree: r.Tree, want: want}
		for _, p := range packPaths(t, d.s) {
			if !old[p] {
				old[p] = true
				f.pack, _ = ParseID(filepath.Base(p))
			}
		}
		d.files = append(d.files, f)
	}
	return d
}

func (d *damaged) path(i int) string { return d.s.packs.Path(d.files[i].pack) }

func (d *damaged) check(t *testing.T) []string {
	t.Helper()
	_, problems := checkPacks(t, d.s, true)
	return problems
}

// read reads all files, of which only that of a pack may be damaged, and
// reports whether it is.
func (d *damaged) read(t *testing.T, what string, hit int) (failed bool) {
	t.Helper()
	d.s.nodes = newNodeCache()
	for i, f := range d.files {
		got, err := readFile(t.Context(), d.s, f.tree)
		switch {
		case err == nil && bytes.Equal(got, f.want):
		case err == nil:
			t.Errorf("%s: %s has wrong bytes", what, f.name)
		case i != hit:
			t.Errorf("%s in another pack: %s: %v", what, f.name, err)
		case !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), f.pack.String()):
			t.Errorf("%s: the error does not name the pack: %v", what, err)
		case !bytes.HasPrefix(f.want, got):
			t.Errorf("%s: what was read before the error is wrong", what)
		default:
			failed = true
		}
	}
	return failed
}

func TestAFlippedBitIsFoundOrHarmless(t *testing.T) {
	t.Parallel()
	d := newDamaged(t)
	for i, f := range d.files {
		good, err := os.ReadFile(d.path(i))
		if err != nil {
			t.Fatal(err)
		}
		table := binary.LittleEndian.Uint64(good[len(good)-packTrailerLen:])
		_, entries, err := d.s.packs.Table(f.pack)
		if err != nil {
			t.Fatal(err)
		}
		raw := !slices.ContainsFunc(entries, func(e index.Entry) bool { return e.Codec != codec.Raw })
		failures := 0
		for at := 0; at < len(good); at += 1 + at%61 {
			bad := bytes.Clone(good)
			bad[at] ^= 1 << (at % 8)
			overwrite(t, d.path(i), bad)
			what := fmt.Sprintf("%s: byte %d of %d", f.name, at, len(good))
			failed := d.read(t, what, i)
			problems := d.check(t)
			frame := at >= packHeaderLen && uint64(at) < table
			// In a compressed chunk a bit may not matter for what it expands to.
			if sure := !frame || failed || raw; sure && len(problems) == 0 {
				t.Errorf("%s: CheckPacks found nothing", what)
			}
			if !frame && failed {
				t.Errorf("%s: the table is broken, and the file cannot be read", what)
			}
			for _, p := range problems {
				if !strings.Contains(p, f.pack.String()) {
					t.Errorf("%s: CheckPacks found %s", what, p)
				}
			}
			if failed {
				failures++
			}
		}
		if failures < 20 {
			t.Errorf("%s: only %d flipped bits were felt", f.name, failures)
		}
		overwrite(t, d.path(i), good)
	}
	checkStore(t, d.s)
}

// overwrite changes a file in place, as a failing disk does.
func overwrite(t *testing.T, name string, b []byte) {
	t.Helper()
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteAt(b, 0)
	if err := errors.Join(err, f.Truncate(int64(len(b))), f.Close()); err != nil {
		t.Fatal(err)
	}
}

func TestATruncatedPackIsFoundOrHarmless(t *testing.T) {
	t.Parallel()
	d := newDamaged(t)
	for i, f := range d.files {
		good, err := os.ReadFile(d.path(i))
		if err != nil {
			t.Fatal(err)
		}
		for n := 0; n < len(good); n += 1 + n%101 {
			overwrite(t, d.path(i), good[:n])
			what := fmt.Sprintf("%s cut to %d of %d", f.name, n, len(good))
			failed := d.read(t, what, i)
			if n < 100 && !failed {
				t.Errorf("%s can still be read", what)
			}
			if problems := d.check(t); len(problems) == 0 {
				t.Errorf("%s: CheckPacks found nothing", what)
			}
		}
		overwrite(t, d.path(i), good)
	}
	checkStore(t, d.s)
}

func TestADeletedPackIsNamed(t *testing.T) {
	d := newDamaged(t)
	for _, closeFirst := range []bool{true, false} {
		if closeFirst {
			d.s.packs.Close() // or the open pack can still be read
		}
		aside := filepath.Join(t.TempDir(), "aside")
		if err := os.Rename(d.path(1), aside); err != nil {
			t.Fatal(err)
		}
		if failed := d.read(t, "a deleted pack", 1); failed != closeFirst {
			t.Errorf("reading failed %v", failed)
		}
		if rep, problems := checkPacks(t, d.s, true); !slices.Equal(rep.Missing, []ID{d.files[1].pack}) || len(problems) > 0 {
			t.Errorf("CheckPacks: %+v, %q", rep, problems)
		}
		if err := d.s.CheckTree(t.Context(), d.files[1].tree, &Marks{}); closeFirst && !errors.Is(err, ErrCorrupt) {
			t.Errorf("the tree in it: %v", err)
		}
		if err := os.Rename(aside, d.path(1)); err != nil {
			t.Fatal(err)
		}
		d.read(t, "all packs there", -1)
	}
	checkStore(t, d.s)
}

func TestAPackUnderAnotherNameIsFound(t *testing.T) {
	d := newDamaged(t)
	data, err := os.ReadFile(d.path(0))
	if err != nil {
		t.Fatal(err)
	}
	overwrite(t, d.path(1), data)
	if !d.read(t, "another pack's bytes", 1) {
		t.Error("it could be read")
	}
	if problems := d.check(t); len(problems) == 0 {
		t.Error("CheckPacks found nothing")
	}
}

// rebuild makes the index anew beside the one that there is, and puts it in its place.
func rebuild(t *testing.T, s *Store, found func(Problem)) error {
	t.Helper()
	into, err := index.Open(s.index.Path()+".rebuilt", nil)
	if err != nil {
		t.Fatal(err)
	}
	return s.Rebuild(t.Context(), into, found, func() error {
		return s.index.Replace(t.Context(), func() (string, error) { return into.Path(), nil })
	})
}

func TestALostIndexIsRebuilt(t *testing.T) {
	d := newDamaged(t)
	if err := os.Remove(filepath.Join(d.s.dir, "index.db")); err != nil {
		t.Fatal(err)
	}
	s := reopen(t, d.s.dir)
	d.s = s
	d.read(t, "without an index", -1)
	checkStore(t, s)
	for range 2 { // over an empty index, and over a full one
		if err := rebuild(t, s, func(p Problem) { t.Error(p.What) }); err != nil {
			t.Fatal(err)
		}
		d.read(t, "rebuilt", -1)
		checkStore(t, s)
	}
	if err := s.CheckTree(t.Context(), d.files[2].tree, &Marks{}); err != nil {
		t.Error(err)
	}
}

func TestRebuildLeavesBrokenPacksOut(t *testing.T) {
	d := newDamaged(t)
	overwrite(t, d.path(2), []byte("no pack"))
	var problems []string
	if err := rebuild(t, d.s, func(p Problem) { problems = append(problems, p.What) }); err != nil {
		t.Fatal(err)
	}
	if len(problems) != 1 || !strings.Contains(problems[0], d.files[2].pack.String()) {
		t.Errorf("Rebuild found %q", problems)
	}
	for i, f := range d.files[:2] {
		if got, err := readFile(t.Context(), d.s, f.tree); err != nil || !bytes.Equal(got, f.want) {
			t.Errorf("file %d: %v", i, err)
		}
	}
	if _, err := readFile(t.Context(), d.s, d.files[2].tree); !errors.Is(err, ErrCorrupt) {
		t.Errorf("the file of the broken pack: %v", err)
	}
}

func TestRebuildWaitsForGC(t *testing.T) {
	d := newDamaged(t)
	lock, err := d.s.lock(t.Context(), true)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Unlock()
	s := openWith(t, d.s.dir, filepath.Join(d.s.dir, "index.db"), &Options{LockTimeout: 1})
	if err := rebuild(t, s, func(Problem) {}); !errors.Is(err, index.ErrBusy) {
		t.Errorf("got %v", err)
	}
}

// TestAWrongLocationIsMadeGood writes locations into the index that are not
// those of the packs. The pack's own table helps, except where the length is
// not what the tree says.
func TestAWrongLocationIsMadeGood(t *testing.T) {
	t.Parallel()
	cases := map[string]func(*index.Entry){
		"an offset too great":      func(e *index.Entry) { e.Offset++ },
		"an offset too small":      func(e *index.Entry) { e.Offset-- },
		"an offset far outside":    func(e *index.Entry) { e.Offset = 1 << 50 },
		"a negative offset":        func(e *index.Entry) { e.Offset = 1 << 63 },
		"too few stored bytes":     func(e *index.Entry) { e.Stored-- },
		"too many stored bytes":    func(e *index.Entry) { e.Stored++ },
		"4 GiB of stored bytes":    func(e *index.Entry) { e.Stored = 1<<32 - 1 },
		"another codec":            func(e *index.Entry) { e.Codec ^= 1 },
		"an unknown codec":         func(e *index.Entry) { e.Codec = 77 },
		"another filter":           func(e *index.Entry) { e.Filter ^= 4 },
		"an unknown filter":        func(e *index.Entry) { e.Filter = 3 },
		"another length, refused":  func(e *index.Entry) { e.Raw++ },
		"4 GiB of length, refused": func(e *index.Entry) { e.Raw = 1<<32 - 1 },
	}
	d := newDamaged(t)
	for name, change := range cases {
		t.Run(name, func(t *testing.T) {
			d.relocate(t, change)
			for _, f := range d.files {
				d.s.nodes = newNodeCache()
				got, err := readFile(t.Context(), d.s, f.tree)
				if strings.HasSuffix(name, "refused") {
					if !errors.Is(err, ErrCorrupt) {
						t.Errorf("%s: %v", f.name, err)
					}
				} else if err != nil || !bytes.Equal(got, f.want) {
					t.Errorf("%s: %d bytes, %v", f.name, len(got), err)
				}
			}
			if problems := d.check(t); len(problems) != len(d.files) {
				t.Errorf("CheckPacks found %q", problems)
			}
		})
	}
	if err := rebuild(t, d.s, func(p Problem) { t.Error(p.What) }); err != nil {
		t.Fatal(err)
	}
	checkStore(t, d.s)
}

// relocate fills the index with changed locations.
func (d *damaged) relocate(t *testing.T, change func(*index.Entry)) {
	t.Helper()
	if err := d.s.index.DropSpace(t.Context(), localSpace); err != nil {
		t.Fatal(err)
	}
	for _, f := range d.files {
		size, entries, err := d.s.packs.Table(f.pack)
		if err != nil {
			t.Fatal(err)
		}
		for i := range entries {
			change(&entries[i])
		}
		if err := d.s.index.AddPacks(t.Context(), localSpace, index.Pack{ID: f.pack, Size: size, Entries: entries}); err != nil {
			t.Fatal(err)
		}
	}
}

// TestALocationInAnotherPackIsMadeGood shows that an index which leads to the wrong
// pack never yields wrong bytes: the chunk is found in the right one.
func TestALocationInAnotherPackIsMadeGood(t *testing.T) {
	d := newDamaged(t)
	if err := d.s.index.DropSpace(t.Context(), localSpace); err != nil {
		t.Fatal(err)
	}
	for i, f := range d.files {
		size, entries, err := d.s.packs.Table(f.pack)
		if err != nil {
			t.Fatal(err)
		}
		other := d.files[(i+1)%len(d.files)].pack
		if err := d.s.index.AddPacks(t.Context(), localSpace, index.Pack{ID: other, Size: size, Entries: entries}); err != nil {
			t.Fatal(err)
		}
	}
	d.read(t, "wrong packs", -1)
}

func TestADamagedFileIsNotExtracted(t *testing.T) {
	t.Parallel()
	s, src, dir := openStore(t, t.TempDir(), codec.Params{}), t.TempDir(), t.TempDir()
	writeFile(t, src, "broken", 0o644, samples.Random(1, 100_000))
	writeFile(t, src, "large", 0o644, samples.Random(2, extractLarge))
	writeFile(t, src, "sound", 0o644, []byte("sound"))
	r, _ := takeNew(t, s, &WriterOptions{}, func(w *Writer) (*Result, error) { return w.Path(src, nil) })
	tree := openTree(t, s, r.Tree)
	data, err := os.ReadFile(packPaths(t, s)[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range [][]byte{samples.Random(1, 100), samples.Random(2, extractLarge)[3<<20:][:100]} {
		bad := bytes.Clone(data)
		bad[bytes.Index(bad, part)] ^= 1
		overwrite(t, packPaths(t, s)[0], bad)
		for _, replace := range []bool{false, true} {
			err := tree.Extract(t.Context(), dir, &ExtractOptions{Replace: replace})
			if !errors.Is(err, ErrCorrupt) {
				t.Errorf("got %v", err)
			}
			for p, what := range listDir(t, dir) {
				if want, ok := listDir(t, src)[p]; !ok || what != want {
					t.Errorf("%q was left: %s", p, what)
				}
				if err := os.Remove(filepath.Join(dir, p)); err != nil && !errors.Is(err, fs.ErrNotExist) {
					t.Error(err)
				}
			}
		}
	}
}

// TestAHugeLocationFailsWithoutMemory has the index say that small chunks are
// huge.
func TestAHugeLocationFailsWithoutMemory(t *testing.T) {
	d := newDamaged(t)
	for name, change := range map[string]func(*index.Entry){
		"stored": func(e *index.Entry) { e.Stored = math.MaxUint32 },
		"raw":    func(e *index.Entry) { e.Raw = math.MaxUint32 },
	} {
		d.relocate(t, change)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for _, f := range d.files {
			readFile(t.Context(), d.s, f.tree) // what it gives is another test's business
		}
		runtime.ReadMemStats(&after)
		if got := after.TotalAlloc - before.TotalAlloc; got > 64<<20 {
			t.Errorf("%s: %d bytes were allocated", name, got)
		}
	}
}
