package index

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// every is how many bytes lie between two flipped bits in these tests; 1 takes
// many minutes.
var every = flag.Int("every", 1999, "flip a bit in every n-th byte")

// stride is a share of every, and longer in short tests.
func stride(times, part int) int {
	if testing.Short() {
		times *= 5
	}
	return max(1, *every*times/part)
}

// question is one thing to ask a database.
type question struct {
	name string
	ask  func(db *DB) (any, error)
}

func inView(ask func(tx *Tx) (any, error)) func(db *DB) (any, error) {
	return func(db *DB) (got any, err error) {
		verr := db.View(ctx, func(tx *Tx) error { got, err = ask(tx); return nil })
		return got, errors.Join(err, verr)
	}
}

// questions covers every way to read, for keys that are there and keys that are
// not.
func questions(keysAsked []string, ids []ID) []question {
	var qs []question
	for _, b := range []string{"big", "small", "missing", "biggest"} {
		qs = append(qs, question{"scan of " + b, inView(func(tx *Tx) (any, error) { return keys(tx, b, "", "") })})
		qs = append(qs, question{"page of " + b, inView(func(tx *Tx) (any, error) { return keys(tx, b, "key 01", "key 0123") })})
		qs = append(qs, question{"gets from " + b, inView(func(tx *Tx) (any, error) { return gets(tx, b, keysAsked) })})
	}
	return append(qs,
		question{"buckets", inView(func(tx *Tx) (any, error) { return tx.Buckets("") })},
		question{"locate", func(db *DB) (any, error) { return db.Locate(ctx, "local", ids) }},
		question{"locate elsewhere", func(db *DB) (any, error) { return db.Locate(ctx, "lokal", ids) }},
		question{"packs", func(db *DB) (any, error) { return db.Packs(ctx, "local") }},
		question{"count", func(db *DB) (any, error) { return db.CountChunks(ctx, "local") }},
		question{"cached", func(db *DB) (any, error) { return db.Cached(ctx, []string{"/a", "/b", "/c"}) }},
	)
}

// gets returns the values of keys, and the greatest key up to each; a key that
// cannot be read is left out, and its error kept.
func gets(tx *Tx, b string, keysAsked []string) (any, error) {
	got := map[string]string{}
	var failed error
	note := func(k, v string, err error) {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			got[k] = "absent"
		case err != nil:
			failed = err
		default:
			got[k] = v
		}
	}
	for _, k := range keysAsked {
		v, err := tx.Get(b, k)
		note(k, fmt.Sprintf("%d bytes, %.20q", len(v), v), err)
		r, err := tx.Last(b, k[:len(k)-1])
		note("last "+k, r.Key, err)
	}
	return got, failed
}

// matches compares what was got with what was wanted. With ErrCorrupt a part of
// the answer is enough, but that part must be right.
func matches(got, want any, err error) bool {
	if err == nil {
		return reflect.DeepEqual(got, want)
	}
	if !errors.Is(err, ErrCorrupt) {
		return false
	}
	if g, ok := got.(map[string]string); ok {
		for k, v := range g {
			if v != want.(map[string]string)[k] {
				return false
			}
		}
	}
	return true
}

// brief cuts a long answer.
func brief(v any) string { return fmt.Sprintf("%.300s", fmt.Sprint(v)) }

// specimen makes a small database that has everything: a tree of three levels,
// long keys, long values, inline buckets, free pages, and all of this package's
// own buckets.
func specimen(t *testing.T) (image []byte, qs []question) {
	t.Helper()
	db := openSmall(t, filepath.Join(t.TempDir(), "index.db"))
	asked := fillRecords(t, db)
	entries := randomEntries(rand.New(rand.NewPCG(1, 1)), 350)
	err := errors.Join(
		db.AddPacks(ctx, "local", Pack{ID{1}, 10, entries[:150]}, Pack{ID{4}, 20, entries[200:]}),
		db.AddPacks(ctx, "local", Pack{ID{2}, 20, entries[150:200]}),
		db.AddPacks(ctx, "team", Pack{ID{3}, 30, entries[100:180]}),
		db.RemovePack(ctx, "local", ID{1}, entries[:25]),
		db.Cache(ctx, map[string]Cached{"/a": {At: 1}, "/b": {At: 2, Tree: ID{1}}}),
		db.Update(ctx, func(tx *Tx) error { return deleteFrom(tx, "big", "key 02", 30, model{}) }))
	if err != nil {
		t.Fatal(err)
	}
	ids := []ID{{}, {0xFF}}
	for _, e := range entries {
		ids = append(ids, e.ID)
	}
	view(t, db, func(tx *Tx) error {
		sp, err := tx.space("local")
		if err != nil || sp.recent == 0 || len(sp.finders) != tiers {
			t.Fatalf("the specimen has %d recent chunks and tiers of %d, %v", sp.recent, sp.tiers, err)
		}
		return nil
	})
	return readImage(t, db), questions(asked, ids)
}

// fillRecords puts records into two buckets, and returns keys to ask for, half
// of which are not there.
func fillRecords(t *testing.T, db *DB) []string {
	t.Helper()
	asked := []string{"a", "key 0399a", "zzz"}
	update(t, db, func(tx *Tx) error {
		for i := range 400 {
			k := fmt.Sprintf("key %04d", i)
			if i%3 == 0 {
				k += strings.Repeat(".", 450)
			}
			if err := tx.Put("big", k, []byte(strings.Repeat(k[:8], i%7))); err != nil {
				return err
			}
			if i%20 < 2 {
				asked = append(asked, k, k[:8]+"!")
			}
		}
		return errors.Join(tx.Put("big", "key 0150 long", make([]byte, 9000)), tx.Put("small", "key 0010!", []byte("v")), tx.Put("small", "key 0123!", nil))
	})
	return asked
}

// readImage returns the specimen's content, having made sure that it is what
// the tests need.
func readImage(t *testing.T, db *DB) []byte {
	t.Helper()
	s, err := openSnapshot(db.path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	b, berr := newTx(s, false).bucket("big")
	_, _, gerr := b.get([]byte("key"))
	fl, ferr := s.freePages()
	if err := errors.Join(berr, gerr, ferr); err != nil || b.base.depth < 3 || fl.n < 3 {
		t.Fatalf("the specimen has a tree of depth %d and %d free pages, %v", b.base.depth, fl.n, err)
	}
	image, err := os.ReadFile(db.path)
	if err != nil {
		t.Fatal(err)
	}
	return image[:int(s.pages)*s.pageSize] // bbolt makes the file longer than it need be
}

func answers(t *testing.T, db *DB, qs []question) []any {
	t.Helper()
	var want []any
	for _, q := range qs {
		got, err := q.ask(db)
		if err != nil {
			t.Fatalf("%s: %v", q.name, err)
		}
		want = append(want, got)
	}
	return want
}

// damage calls fn with a damaged copy of an image for each n-th byte, and for
// many more of those that hold the structure of its pages.
func damage(t *testing.T, image []byte, first, n int, fn func(db *DB, what string)) {
	t.Helper()
	db := openSmall(t, filepath.Join(t.TempDir(), "index.db"))
	for at := range image {
		page, off := image[at/4096*4096:], at%4096
		step := n
		if off < pageHeader+elementSize*int(native.Uint16(page[10:])) || at < 8192 && off < pageHeader+metaSize {
			step = max(1, n/16)
		}
		if at%step != first%step {
			continue
		}
		b := bytes.Clone(image)
		bit := byte(1) << ((at ^ at>>3 ^ at>>9) % 8)
		b[at] ^= bit
		if err := os.WriteFile(db.path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		fn(db, fmt.Sprintf("bit %#x of byte %d (page %d, byte %d)", bit, at, at/4096, off))
		if t.Failed() {
			return
		}
	}
}

func TestAFlippedBitNeverGivesAWrongAnswer(t *testing.T) {
	image, qs := specimen(t)
	path := filepath.Join(t.TempDir(), "index.db")
	if err := os.WriteFile(path, image, 0o600); err != nil {
		t.Fatal(err)
	}
	want := answers(t, openSmall(t, path), qs)
	found, flips := 0, 0
	damage(t, image, 0, stride(1, 1), func(db *DB, what string) {
		bad := error(nil)
		for i, q := range qs {
			got, err := q.ask(db)
			if !matches(got, want[i], err) {
				t.Errorf("%s: %s: got %s, %v, want %s", what, q.name, brief(got), err, brief(want[i]))
			}
			if err != nil {
				bad = err
			}
		}
		err := db.Check(ctx)
		if err != nil && !errors.Is(err, ErrCorrupt) || err == nil && bad != nil {
			t.Errorf("%s: check: got %v, reading %v", what, err, bad)
		}
		flips++
		if err != nil {
			found++
		}
	})
	if found < flips/4 {
		t.Errorf("only %d of %d flips were found", found, flips)
	}
}

// writes are things to do to a database.
var writes = map[string]func(db *DB, ctx context.Context) error{
	"put": func(db *DB, ctx context.Context) error {
		return db.Update(ctx, func(tx *Tx) error {
			return errors.Join(tx.Put("big", "key 0123 new", []byte("v")), tx.Put("small", "x", make([]byte, 2000)), tx.Put("new", "k", nil))
		})
	},
	"delete": func(db *DB, ctx context.Context) error {
		return db.Update(ctx, func(tx *Tx) error { return deleteFrom(tx, "big", "key 01", 100, model{}) })
	},
	"drop": func(db *DB, ctx context.Context) error {
		return db.Update(ctx, func(tx *Tx) error { return errors.Join(tx.Drop("big"), tx.Put("big", "k", nil)) })
	},
	"drop space": func(db *DB, ctx context.Context) error { return db.DropSpace(ctx, "local") },
	"add pack": func(db *DB, ctx context.Context) error {
		return db.AddPacks(ctx, "local", Pack{ID: ID{9}, Entries: randomEntries(rand.New(rand.NewPCG(1, 1)), 100)})
	},
	"replace pack": func(db *DB, ctx context.Context) error {
		entries := randomEntries(rand.New(rand.NewPCG(1, 1)), 200)
		return db.ReplacePacks(ctx, "local", []Pack{{ID: ID{1}, Entries: entries[:150]}}, Pack{ID: ID{8}, Entries: entries[:100]})
	},
}

func TestAnUpdateOfADamagedFileNeverMakesAWrongAnswer(t *testing.T) {
	image, qs := specimen(t)
	first := 0
	for name, write := range writes {
		first += 23
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "index.db")
			os.WriteFile(path, image, 0o600)
			sound := openSmall(t, path)
			before := answers(t, sound, qs)
			if err := write(sound, ctx); err != nil {
				t.Fatal(err)
			}
			after := answers(t, sound, qs)
			damage(t, image, first, stride(4, 1), func(db *DB, what string) {
				whole := db.Check(ctx) == nil
				err := write(db, ctx)
				if err != nil && (whole || !errors.Is(err, ErrCorrupt)) {
					t.Errorf("%s: got %v", what, err)
				}
				// The tiers are tidied after the change, which may meet the damage.
				wrong := disagrees(db, qs, after, whole)
				if err != nil && wrong != "" {
					wrong = disagrees(db, qs, before, whole)
				}
				if wrong != "" {
					t.Errorf("%s: then %s", what, wrong)
				}
			})
		})
	}
}

// disagrees returns the first answer that is not as wanted, if any.
func disagrees(db *DB, qs []question, want []any, whole bool) string {
	for i, q := range qs {
		if got, err := q.ask(db); !matches(got, want[i], err) || whole && err != nil {
			return fmt.Sprintf("%s: got %s, %v, want %s", q.name, brief(got), err, brief(want[i]))
		}
	}
	return ""
}

func TestAFileThatIsCutOffIsCorrupt(t *testing.T) {
	image, qs := specimen(t)
	db := openSmall(t, filepath.Join(t.TempDir(), "index.db"))
	sound := openSmall(t, filepath.Join(t.TempDir(), "index.db"))
	os.WriteFile(sound.path, image, 0o600)
	want := answers(t, sound, qs)
	used := len(image)
	image = append(image, make([]byte, 20000)...)
	for n := 0; n <= len(image); n += 1024 {
		os.WriteFile(db.path, image[:n], 0o600)
		for i, q := range qs {
			got, err := q.ask(db)
			if n < used && !errors.Is(err, ErrCorrupt) || n >= used && !matches(got, want[i], err) {
				t.Fatalf("%d of %d bytes: %s: got %s, %v", n, used, q.name, brief(got), err)
			}
		}
		err := db.Update(ctx, func(tx *Tx) error { return tx.Put("b", "k", nil) })
		if n < used && !errors.Is(err, ErrCorrupt) || n >= used && err != nil {
			t.Fatalf("%d of %d bytes: update: %v", n, used, err)
		}
		if n < used && !errors.Is(db.Check(ctx), ErrCorrupt) {
			t.Fatalf("%d of %d bytes: check: no error", n, used)
		}
	}
}

func TestAFileThatIsNoDatabaseIsCorrupt(t *testing.T) {
	garbage := make([]byte, 40000)
	rnd := rand.New(rand.NewPCG(7, 7))
	for i := range garbage {
		garbage[i] = byte(rnd.Uint32())
	}
	for name, content := range map[string][]byte{
		"an empty file": {}, "one byte": {1}, "text": []byte("not a database\n"), "zeros": make([]byte, 40000), "noise": garbage,
	} {
		db := openSmall(t, filepath.Join(t.TempDir(), "index.db"))
		os.WriteFile(db.path, content, 0o600)
		for what, err := range map[string]error{
			"view":   db.View(ctx, func(*Tx) error { return nil }),
			"update": db.Update(ctx, func(tx *Tx) error { return tx.Put("b", "k", nil) }),
			"check":  db.Check(ctx),
		} {
			if !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), db.path) {
				t.Errorf("%s: %s: got %v, want ErrCorrupt that names the file", name, what, err)
			}
		}
		if got, _ := os.ReadFile(db.path); !bytes.Equal(got, content) {
			t.Errorf("%s: the file was changed", name)
		}
	}
}

// TestAnOverwrittenSectorNeverGivesAWrongAnswer writes zeros, noise or another
// sector of the file over sectors, and other pages over pages.
func TestAnOverwrittenSectorNeverGivesAWrongAnswer(t *testing.T) {
	image, qs := specimen(t)
	db := openSmall(t, filepath.Join(t.TempDir(), "index.db"))
	os.WriteFile(db.path, image, 0o600)
	want := answers(t, db, qs)
	rnd := rand.New(rand.NewPCG(11, 3))
	for round := range 150 {
		b, size := bytes.Clone(image), [...]int{64, 512, 4096}[round%3]
		at := rnd.IntN(len(b)/size) * size
		switch rnd.IntN(3) {
		case 0:
			clear(b[at : at+size])
		case 1:
			for i := range size {
				b[at+i] = byte(rnd.Uint32())
			}
		case 2:
			copy(b[at:at+size], image[rnd.IntN(len(b)/size)*size:])
		}
		os.WriteFile(db.path, b, 0o600)
		for i, q := range qs {
			if got, err := q.ask(db); !matches(got, want[i], err) {
				t.Errorf("%d bytes at %d: %s: got %s, %v", size, at, q.name, brief(got), err)
			}
		}
		if err := db.Check(ctx); err != nil && !errors.Is(err, ErrCorrupt) {
			t.Errorf("%d bytes at %d: check: %v", size, at, err)
		}
		if t.Failed() {
			return
		}
	}
}
