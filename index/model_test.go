package index

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// model is what a database should hold.
type model map[string]map[string]string

func (m model) clone() model {
	c := model{}
	for b, kv := range m {
		c[b] = maps.Clone(kv)
	}
	return c
}

// TestRandomTransactionsAgreeWithAModel also shows that bbolt lays its pages
// out as our reader demands, whatever the mix of sizes, inserts and deletes.
func TestRandomTransactionsAgreeWithAModel(t *testing.T) {
	rounds := 60
	if testing.Short() {
		rounds = 20
	}
	for seed := range uint64(6) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			db, rnd, m := newDB(t), rand.New(rand.NewPCG(seed, 1)), model{}
			for round := range rounds {
				next := m.clone()
				stop := errors.New("stop")
				err := db.Update(ctx, func(tx *Tx) error {
					for range 1 + rnd.IntN(200) {
						randomStep(t, tx, rnd, next, seed)
					}
					if round%5 == 4 {
						return stop
					}
					return nil
				})
				if err == nil {
					m = next
				} else if err != stop {
					t.Fatal(err)
				}
				view(t, db, func(tx *Tx) error { compare(t, tx, rnd, m); return nil })
				if err := db.Check(ctx); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func randomKey(rnd *rand.Rand, seed uint64) string {
	k := fmt.Sprintf("%04d", rnd.IntN(3000))
	if seed%3 == 1 {
		k = strings.Repeat(k, 1+rnd.IntN(60))
	}
	return k
}

func randomValue(rnd *rand.Rand, seed uint64) string {
	n := rnd.IntN(60)
	if seed%2 == 1 && rnd.IntN(10) == 0 {
		n = rnd.IntN(20000)
	}
	return strings.Repeat(string(rune('a'+rnd.IntN(26))), n)
}

func randomStep(t *testing.T, tx *Tx, rnd *rand.Rand, m model, seed uint64) {
	b, k := fmt.Sprint("bucket ", rnd.IntN(4)), randomKey(rnd, seed)
	var err error
	switch p := rnd.IntN(1000); {
	case p < 450:
		v := randomValue(rnd, seed)
		if m[b] == nil {
			m[b] = map[string]string{}
		}
		m[b][k] = v
		err = tx.Put(b, k, []byte(v))
	case p < 550:
		err = tx.Delete(b, k)
		delete(m[b], k)
	case p < 560:
		err = deleteFrom(tx, b, k, 300, m)
	case p < 562:
		err = tx.Drop(b)
		delete(m, b)
	case p < 570:
		compare(t, tx, rnd, m)
	default:
		compareOne(t, tx, b, k, m[b])
	}
	if err != nil {
		t.Fatal(err)
	}
}

// deleteFrom deletes n records while it scans them.
func deleteFrom(tx *Tx, b, k string, n int, m model) error {
	for r, err := range tx.Scan(b, "", k) {
		if err != nil {
			return err
		}
		if err := tx.Delete(b, r.Key); err != nil {
			return err
		}
		delete(m[b], r.Key)
		if n--; n == 0 {
			break
		}
	}
	return nil
}

func compareOne(t *testing.T, tx *Tx, b, k string, want map[string]string) {
	t.Helper()
	got, err := tx.Get(b, k)
	v, found := want[k]
	if found && (err != nil || string(got) != v) || !found && !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("get %q %q: got %.9q, %v, want %.9q", b, k, got, err, v)
	}
	r, err := tx.Last(b, k[:2])
	greatest := ""
	for key := range want {
		if strings.HasPrefix(key, k[:2]) {
			greatest = max(greatest, key)
		}
	}
	if greatest != "" && (err != nil || r.Key != greatest) || greatest == "" && !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("last %q %q: got %q, %v, want %q", b, k[:2], r.Key, err, greatest)
	}
}

func compare(t *testing.T, tx *Tx, rnd *rand.Rand, m model) {
	t.Helper()
	if got, err := tx.Buckets(""); err != nil || !slices.Equal(got, slices.Sorted(maps.Keys(m))) {
		t.Fatalf("buckets: got %q, %v, want %q", got, err, slices.Sorted(maps.Keys(m)))
	}
	for b, want := range m {
		prefix := [...]string{"", "1", "12", "123"}[rnd.IntN(4)]
		after := [...]string{"", randomKey(rnd, 0)}[rnd.IntN(2)]
		n := 0
		for _, k := range slices.Sorted(maps.Keys(want)) {
			if strings.HasPrefix(k, prefix) && k > after {
				n++
			}
		}
		prev := after
		for r, err := range tx.Scan(b, prefix, after) {
			if err != nil || r.Key <= prev || !bytes.Equal(r.Value, []byte(want[r.Key])) {
				t.Fatalf("scan %q: got %q after %q, %v", b, r.Key, prev, err)
			}
			prev = r.Key
			n--
		}
		if n != 0 {
			t.Fatalf("scan %q %q after %q: %d records missing", b, prefix, after, n)
		}
	}
}
