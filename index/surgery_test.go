package index

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// pointer is the place of a page number in an image.
type pointer struct {
	at   int
	what string
}

// pointers finds all that point to pages: branches, and the roots of buckets.
func pointers(t *testing.T, image []byte) []pointer {
	t.Helper()
	path := filepath.Join(t.TempDir(), "index.db")
	os.WriteFile(path, image, 0o600)
	s, err := openSnapshot(path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	var found []pointer
	note := func(p *page) error {
		for i := range p.n {
			at := int(p.id)*s.pageSize + pageHeader + i*elementSize
			if !p.leaf {
				found = append(found, pointer{at + 8, fmt.Sprintf("branch %d of page %d", i, p.id)})
			} else if p.id != 0 && p.flags(i) == bucketEntry && native.Uint64(p.value(i)) != 0 {
				pos, key, _ := p.sizes(pageHeader + i*elementSize)
				found = append(found, pointer{at + pos + key, fmt.Sprintf("root of bucket %q", p.key(i))})
			}
		}
		return nil
	}
	if err := newTx(s, false).walkAll(note); err != nil {
		t.Fatal(err)
	}
	return found
}

// TestAPointerToAnotherPageNeverGivesAWrongAnswer lets each pointer point to
// other pages: to itself, to those above and below it, and to pages that were
// given up and still hold what was there before.
func TestAPointerToAnotherPageNeverGivesAWrongAnswer(t *testing.T) {
	image, qs := specimen(t)
	db := openSmall(t, filepath.Join(t.TempDir(), "index.db"))
	os.WriteFile(db.path, image, 0o600)
	want := answers(t, db, qs)
	pages, step, n := uint64(len(image)/4096), stride(1, 50), 0
	for _, p := range pointers(t, image) {
		for to := range pages + 2 {
			b := bytes.Clone(image)
			from := native.Uint64(b[p.at:])
			native.PutUint64(b[p.at:], to)
			if n++; n%step != 0 || from == to {
				continue
			}
			what := fmt.Sprintf("%s: page %d instead of %d", p.what, to, from)
			os.WriteFile(db.path, b, 0o600)
			for i, q := range qs {
				if got, err := q.ask(db); !matches(got, want[i], err) {
					t.Errorf("%s: %s: got %s, %v, want %s", what, q.name, brief(got), err, brief(want[i]))
				}
			}
			if err := db.Check(ctx); !errors.Is(err, ErrCorrupt) {
				t.Errorf("%s: check: got %v, want ErrCorrupt", what, err)
			}
			if t.Failed() {
				return
			}
		}
	}
}

func TestAnUpdateBehindADamagedPointerNeverMakesAWrongAnswer(t *testing.T) {
	image, qs := specimen(t)
	pages, step, n := uint64(len(image)/4096), stride(1, 10), 0
	for name, write := range writes {
		db := openSmall(t, filepath.Join(t.TempDir(), "index.db"))
		os.WriteFile(db.path, image, 0o600)
		before := answers(t, db, qs)
		if err := write(db, ctx); err != nil {
			t.Fatal(err)
		}
		after := answers(t, db, qs)
		for _, p := range pointers(t, image) {
			for to := range pages + 2 {
				if n++; n%step != 0 {
					continue
				}
				b := bytes.Clone(image)
				native.PutUint64(b[p.at:], to)
				os.WriteFile(db.path, b, 0o600)
				err := write(db, ctx)
				wrong := disagrees(db, qs, after, false)
				if err != nil && wrong != "" {
					wrong = disagrees(db, qs, before, false)
				}
				if wrong != "" || err != nil && !errors.Is(err, ErrCorrupt) {
					t.Fatalf("%s: %s: page %d: update: %v; %s", name, p.what, to, err, wrong)
				}
			}
		}
	}
}

// TestAFlippedBitInAKeyNeverGivesAWrongAnswer flips each bit of each key in a
// bucket of several leaves, where it turns keys into others that were not there.
func TestAFlippedBitInAKeyNeverGivesAWrongAnswer(t *testing.T) {
	db := openSmall(t, filepath.Join(t.TempDir(), "index.db"))
	var asked []string
	update(t, db, func(tx *Tx) error {
		for i := range 24 {
			k := fmt.Sprintf("key %03d", 2*i)
			asked = append(asked, k, fmt.Sprintf("key %03d", 2*i+1))
			if err := tx.Put("b", k, make([]byte, 300)); err != nil {
				return err
			}
		}
		return nil
	})
	ask := inView(func(tx *Tx) (any, error) { return gets(tx, "b", append(asked, "key 002!")) })
	want, err := ask(db)
	image, rerr := os.ReadFile(db.path)
	if err := errors.Join(err, rerr); err != nil {
		t.Fatal(err)
	}
	for at := 0; ; at += 7 {
		i := bytes.Index(image[at:], []byte("key 0"))
		if i < 0 {
			break
		}
		at += i
		for bit := 4 * 8; bit < 7*8; bit++ {
			b := bytes.Clone(image)
			b[at+bit/8] ^= 1 << (bit % 8)
			os.WriteFile(db.path, b, 0o600)
			if got, err := ask(db); !matches(got, want, err) {
				t.Fatalf("bit %d of byte %d: got %s, %v, want %s", bit%8, at+bit/8, brief(got), err, brief(want))
			}
		}
	}
}

// TestAUsedPageThatIsListedAsFreeNeverGivesAWrongAnswer lets bbolt overwrite
// pages that are in use.
func TestAUsedPageThatIsListedAsFreeNeverGivesAWrongAnswer(t *testing.T) {
	image, qs := specimen(t)
	db := openSmall(t, filepath.Join(t.TempDir(), "index.db"))
	os.WriteFile(db.path, image, 0o600)
	s, err := openSnapshot(db.path)
	if err != nil {
		t.Fatal(err)
	}
	list := int(s.freelist)*s.pageSize + pageHeader
	n := int(native.Uint16(image[list-6:]))
	s.close()
	again := func() error {
		return db.Update(ctx, func(tx *Tx) error { return tx.Put("new", "k", make([]byte, 30000)) })
	}
	if err := again(); err != nil {
		t.Fatal(err)
	}
	want := answers(t, db, qs)
	before, step := answers(t, atImage(t, image), qs), stride(1, 100)
	for i := 0; i < n*len(image)/4096; i += step {
		b, at := bytes.Clone(image), list+8*(i%n)
		native.PutUint64(b[at:], uint64(i/n))
		os.WriteFile(db.path, b, 0o600)
		for range 3 {
			if err := again(); err != nil && !errors.Is(err, ErrCorrupt) {
				t.Fatal(err)
			}
		}
		for j, q := range qs {
			if got, err := q.ask(db); !matches(got, want[j], err) && !matches(got, before[j], err) {
				t.Fatalf("page %d is listed as free: %s: got %s, %v, want %s", i/n, q.name, brief(got), err, brief(want[j]))
			}
		}
	}
}

// atImage returns a database with the given content.
func atImage(t *testing.T, image []byte) *DB {
	t.Helper()
	db := openSmall(t, filepath.Join(t.TempDir(), "index.db"))
	if err := os.WriteFile(db.path, image, 0o600); err != nil {
		t.Fatal(err)
	}
	return db
}
