package objects

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/datafs/datafs/fixtures/samples"
	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/objects/codec"
	"github.com/datafs/datafs/objects/pack"
)

// newStore makes a repository for a test, and checks it deeply when the test
// ends.
func newStore(t testing.TB) *Store { return newStoreWith(t, codec.Params{}) }

// smallChunks make many chunks of few bytes.
var smallChunks = codec.Params{Algorithm: "gear-v1", Min: 64, Avg: 256, Max: 1024}

func newStoreWith(t testing.TB, p codec.Params) *Store {
	t.Helper()
	s := openStore(t, t.TempDir(), p)
	t.Cleanup(func() { checkStore(t, s) })
	return s
}

func openStore(t testing.TB, dir string, p codec.Params) *Store {
	t.Helper()
	if err := Create(dir, &CreateOptions{ID: "test", Chunker: p}); err != nil {
		t.Fatal(err)
	}
	return reopen(t, dir)
}

func reopen(t testing.TB, dir string) *Store {
	t.Helper()
	return openWith(t, dir, filepath.Join(dir, "index.db"), &Options{})
}

func openWith(t testing.TB, dir, indexFile string, opts *Options) *Store {
	t.Helper()
	db, err := index.Open(indexFile, nil)
	if err != nil {
		t.Fatal(err)
	}
	opts.Index = db
	s, err := Open(dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Close()
		db.Close()
	})
	return s
}

func checkStore(t testing.TB, s *Store) {
	t.Helper()
	if _, problems := checkPacks(t, s, true); len(problems) > 0 {
		t.Errorf("check: %q", problems)
	}
	checkNoTemp(t, s)
}

// checkPacks returns all that CheckPacks finds wrong, with packs and with chunks.
func checkPacks(t testing.TB, s *Store, full bool) (rep CheckReport, problems []string) {
	t.Helper()
	rep, damage, err := s.CheckPacks(context.Background(), &CheckOptions{Full: full, Found: func(p Problem) {
		if !errors.Is(p.Err, ErrCorrupt) {
			t.Errorf("check: %v", p.Err)
		}
		problems = append(problems, p.What)
	}})
	if err != nil {
		t.Errorf("check: %v", err)
	}
	for _, err := range damage.chunks {
		problems = append(problems, err.Error())
	}
	return rep, problems
}

func checkNoTemp(t testing.TB, s *Store) {
	t.Helper()
	if left, _ := os.ReadDir(filepath.Join(s.dir, pack.Temp)); len(left) > 0 {
		t.Errorf("left behind in tmp: %v", left)
	}
}

func newWriter(t testing.TB, s *Store, opts *WriterOptions) *Writer {
	t.Helper()
	if opts.Now == nil {
		opts.Now = time.Now
	}
	w, err := s.Writer(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return w
}

func take(t testing.TB, s *Store, add func(*Writer) (*Result, error)) Result {
	t.Helper()
	r, _ := takeNew(t, s, &WriterOptions{}, add)
	return r
}

// takeNew also returns how many raw bytes were new.
func takeNew(t testing.TB, s *Store, opts *WriterOptions, add func(*Writer) (*Result, error)) (Result, int64) {
	t.Helper()
	r, raw, _ := takeSizes(t, s, opts, add)
	return r, raw
}

// takeSizes also returns how many bytes were new, raw and as stored.
func takeSizes(t testing.TB, s *Store, opts *WriterOptions, add func(*Writer) (*Result, error)) (_ Result, raw, stored int64) {
	t.Helper()
	w := newWriter(t, s, opts)
	r, err := add(w)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Finish(); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	raw, stored = w.Added()
	return *r, raw, stored
}

func takeReader(t testing.TB, s *Store, r io.Reader) Result {
	t.Helper()
	return take(t, s, func(w *Writer) (*Result, error) { return w.File(r) })
}

func takeBytes(t testing.TB, s *Store, b []byte) Result {
	t.Helper()
	return takeReader(t, s, bytes.NewReader(b))
}

func takePath(t testing.TB, s *Store, name string) Result {
	t.Helper()
	return take(t, s, func(w *Writer) (*Result, error) { return w.Path(name, nil) })
}

func openTree(t testing.TB, s *Store, id ID) *Tree {
	t.Helper()
	tree, err := s.Tree(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

func openFile(t testing.TB, s *Store, id ID) *File {
	t.Helper()
	f, err := openTree(t, s, id).Open(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// readFile reads the tree that is a single file.
func readFile(ctx context.Context, s *Store, id ID) ([]byte, error) {
	tree, err := s.Tree(ctx, id)
	if err != nil {
		return nil, err
	}
	f, err := tree.Open(ctx, "")
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	_, err = f.WriteTo(&out)
	return out.Bytes(), err
}

func checkFile(t testing.TB, s *Store, id ID, want []byte) {
	t.Helper()
	got, err := readFile(t.Context(), s, id)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("tree %s gave %d bytes, %v; want %d", id, len(got), err, len(want))
	}
}

// packPaths lists the files of the packs.
func packPaths(t testing.TB, s *Store) (paths []string) {
	t.Helper()
	for id, err := range s.packs.IDs() {
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, s.packs.Path(id))
	}
	slices.Sort(paths)
	return paths
}

func TestAFileComesBackByteForByte(t *testing.T) {
	t.Parallel()
	zeros := make([]byte, 3<<20)
	text := bytes.Repeat([]byte("2026-01-01,12.5,0.0,station-7\n"), 40000)
	cases := map[string][]byte{
		"empty": nil, "one byte": {7}, "just the minimum": samples.Random(1, 16<<10), "one more": samples.Random(2, 16<<10+1),
		"random 5 MiB": samples.Random(3, 5<<20), "zeros": zeros, "text": text,
		"zeros between random": append(append(samples.Random(4, 1<<20), zeros...), samples.Random(5, 1<<20)...),
	}
	for name, want := range cases {
		t.Run(name, func(t *testing.T) {
			s := newStore(t)
			r := takeBytes(t, s, want)
			if r.Hash != Hash(want) || r.Size != int64(len(want)) || r.Files != 1 {
				t.Errorf("result %+v", r)
			}
			checkFile(t, s, r.Tree, want)
			f := openFile(t, s, r.Tree)
			if got, err := io.ReadAll(struct{ io.Reader }{f}); err != nil || !bytes.Equal(got, want) {
				t.Fatalf("Read gave %d bytes, %v", len(got), err)
			}
		})
	}
}

func TestARepositoryIsMadeOnce(t *testing.T) {
	dir := t.TempDir()
	var wg sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		wg.Go(func() { errs[i] = Create(dir, &CreateOptions{ID: string(rune('a' + i))}) })
	}
	wg.Wait()
	made := 0
	for i, err := range errs {
		switch {
		case err == nil:
			made++
			if f, err := ReadFormat(dir); err != nil || f.ID != string(rune('a'+i)) || f.Chunker != codec.DefaultParams {
				t.Errorf("format %+v, %v", f, err)
			}
		case !errors.Is(err, fs.ErrExist):
			t.Error(err)
		}
	}
	if made != 1 {
		t.Errorf("%d of 8 made the repository", made)
	}
	entries, _ := os.ReadDir(dir)
	if len(entries) != 3 {
		t.Errorf("the directory holds %v", entries)
	}
}

func TestAFormatFileIsReadOrRefusedByName(t *testing.T) {
	sizes := `"chunker":{"algorithm":"gear-v1","min":16384,"avg":65536,"max":262144}`
	cases := []struct {
		name, text, want string
		corrupt          bool
	}{
		{"what Create writes", `{"format":1,"id":"x",` + sizes + `}`, "", false},
		{"a checksum", summed(`{"format":1,"id":"x",` + sizes), "", false},
		{"a checksum, written by a person", strings.ReplaceAll(summed(`{"format":1,"id":"x",`+sizes), ":", " :\n\t"), "", false},
		{"a field that is not known, in front of a checksum", summed(`{"format":1,"id":"x","more":[1],` + sizes), "", false},
		{"a field that is not known", `{"format":1,"id":"x","more":[1],` + sizes + `}`, `says "more", which is not known`, true},
		{"the checksum of another id", strings.Replace(summed(`{"format":1,"id":"x",`+sizes), `"x"`, `"y"`, 1), "does not match its checksum", true},
		{"a later format with a checksum", summed(`{"format":2,"id":7`), "format 2 is not known", false},
		{"nothing", ``, "datafs.json", true},
		{"cut off", `{"format":1,"id":"x",`, "datafs.json", true},
		{"a later format", `{"format":2,"id":"x",` + sizes + `}`, "format 2 is not known", false},
		{"a later format that looks otherwise", `{"format":2,"id":7,"chunker":"gear-v2"}`, "format 2 is not known", false},
		{"no format", `{}`, "format 0 is not known", false},
		{"another chunker", `{"format":1,"id":"x","chunker":{"algorithm":"gear-v2","min":1,"avg":2,"max":3}}`, `unknown chunker "gear-v2"`, false},
		{"sizes out of order", `{"format":1,"id":"x","chunker":{"algorithm":"gear-v1","min":64,"avg":32,"max":128}}`, "chunk sizes", false},
		{"an average that is no power of two", `{"format":1,"id":"x","chunker":{"algorithm":"gear-v1","min":64,"avg":100,"max":128}}`, "chunk sizes", false},
		{"chunks of 32 MiB", `{"format":1,"id":"x","chunker":{"algorithm":"gear-v1","min":64,"avg":128,"max":33554432}}`, "chunk sizes", false},
		{"a file that never ends", `{"format":1,"id":"` + strings.Repeat("x", 1<<20) + `",` + sizes + `}`, "datafs.json", true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, FormatFile), []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := ReadFormat(dir)
			switch {
			case c.want == "" && err != nil:
				t.Error(err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || errors.Is(err, ErrCorrupt) != c.corrupt):
				t.Errorf("got error %v, want %q, corrupt %v", err, c.want, c.corrupt)
			}
			if _, err := Open(dir, &Options{}); (err == nil) != (c.want == "") {
				t.Errorf("Open: %v", err)
			}
		})
	}
	if _, err := ReadFormat(t.TempDir()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no repository: %v", err)
	}
}

// summed ends a format file with its checksum.
func summed(said string) string {
	return said + `,"blake3":"` + Hash([]byte(said)).String() + `"}`
}

func TestNoByteOfAFormatFileMayBeAnother(t *testing.T) {
	good, err := Format{Format: formatNumber, ID: "x", Chunker: codec.DefaultParams}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if f, err := ParseFormat("good", good); err != nil || f.ID != "x" || f.Chunker != codec.DefaultParams {
		t.Fatalf("got %v, %v", f, err)
	}
	if len(good) > 250 || bytes.Count(good, []byte("\n")) != 1 {
		t.Errorf("no line for people: %q", good)
	}
	for i := range good {
		for bit := range 8 {
			bad := bytes.Clone(good)
			bad[i] ^= 1 << bit
			f, err := ParseFormat("bad", bad)
			if err == nil && bytes.Equal(bytes.TrimSpace(bad), bytes.TrimSpace(good)) {
				continue // white space behind the line
			}
			if !errors.Is(err, ErrCorrupt) {
				t.Errorf("bit %d of byte %d, %q, is another: got %v, %v", bit, i, bad, f, err)
			}
			if hint, ok := errors.AsType[*leaf.HintError](err); !ok || hint.Hint == "" {
				t.Errorf("no hint with %v", err)
			}
		}
	}
}

func TestAFormatFileThatIsNoFileIsNotOpened(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, FormatFile), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadFormat(dir); !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), "it is not a regular file") {
		t.Errorf("got %v", err)
	}
}
