package bolt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/refs"
)

// openAt opens the default table of a repository's manager.
func openAt(t testing.TB, dir string) *Manager {
	t.Helper()
	db, err := index.Open(filepath.Join(dir, "index.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := Open(db, filepath.Join(dir, "journal"), &Options{Now: func() time.Time { return time.Unix(1_800_000_000, 0) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return b
}

// dump gives all that a manager keeps, as text.
func dump(t testing.TB, b *Manager) string {
	t.Helper()
	s, err := tryDump(b)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func tryDump(b *Manager) (string, error) {
	ctx := context.Background()
	tables, err := b.Tables(ctx)
	if err != nil {
		return "", err
	}
	var s strings.Builder
	for _, table := range tables {
		of := *b
		of.table = table
		fmt.Fprintf(&s, "table %s\n", table)
		for r, err := range of.List(ctx, "") {
			if err != nil {
				return "", err
			}
			fmt.Fprintf(&s, " %s %.40q %s\n", r.Key, r.Value, r.Rev)
		}
		for r, err := range of.Changes(ctx, "") {
			if err != nil {
				return "", err
			}
			fmt.Fprintf(&s, " %s %s %v\n", r.Cursor, r.Key, r.Deleted)
		}
	}
	for g, err := range b.Graves(ctx) {
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&s, "grave %s: %s %s %.40q %s, %d\n", g.Key, g.Table, g.Record.Key, g.Record.Value, g.Record.Rev, g.Time.Unix())
	}
	return s.String(), nil
}

// put writes a record whatever its revision.
func put(b *Manager, key, value string) error {
	ctx := context.Background()
	r, _ := b.Get(ctx, key)
	_, err := b.Put(ctx, key, []byte(value), r.Rev)
	return err
}

func remove(b *Manager, key string) error {
	r, err := b.Get(context.Background(), key)
	if err != nil {
		return err
	}
	return b.Delete(context.Background(), key, r.Rev)
}

// script is a bit of everything that a journal keeps.
var script = []func(*Manager) error{
	func(b *Manager) error { return put(b, "archive/a", `{"n":1}`) },
	func(b *Manager) error { return put(b, `version/a\0.0.1`, `{"n":2}`) },
	func(b *Manager) error { return put(b, "archive/a", `{"n":3}`) },
	func(b *Manager) error { return remove(b, `version/a\0.0.1`) },
	func(b *Manager) error { return b.CreateTable(context.Background(), "other") },
	func(b *Manager) error {
		return b.Atomic(context.Background(), func(m refs.Manager) error {
			_, err1 := m.Put(context.Background(), "archive/b", []byte(`{"n":4}`), refs.Absent)
			_, err2 := m.Put(context.Background(), `version/b\0.0.1`, []byte(`{"n":5}`), refs.Absent)
			return errors.Join(err1, err2)
		})
	},
	func(b *Manager) error {
		other := *b
		other.table = "other"
		return put(&other, "archive/a", `{"n":6}`)
	},
	func(b *Manager) error { return put(b, `version/a\0.0.1`, `{"n":7}`) },
	func(b *Manager) error { return b.DeleteTable(context.Background(), "other") },
	func(b *Manager) error {
		for g, err := range b.Graves(context.Background()) {
			return errors.Join(err, b.ForgetGraves(context.Background(), []string{g.Key}))
		}
		return nil
	},
}

// moment is a repository after some steps of the script.
type moment struct {
	index, journal []byte
	state          string
}

// play runs the script and gives the repository before and after each step.
func play(t *testing.T) []moment {
	t.Helper()
	dir := t.TempDir()
	b := openAt(t, dir)
	moments := []moment{{state: dump(t, b)}}
	for i, step := range script {
		if err := step(b); err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
		m := moment{state: dump(t, b)}
		var err1, err2 error
		m.index, err1 = os.ReadFile(filepath.Join(dir, "index.db"))
		m.journal, err2 = os.ReadFile(journalPath(filepath.Join(dir, "journal"), 1))
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
		moments = append(moments, m)
	}
	return moments
}

// lay writes a repository: the files that are not nil.
func lay(t testing.TB, dir string, idx, journal []byte) *Manager {
	t.Helper()
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "journal"), 0o777); err != nil {
		t.Fatal(err)
	}
	if idx != nil {
		if err := os.WriteFile(filepath.Join(dir, "index.db"), idx, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if journal != nil {
		if err := os.WriteFile(journalPath(filepath.Join(dir, "journal"), 1), journal, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return openAt(t, dir)
}

// TestKilledAtEveryWrite gives the index after each step with every part of the
// journal that a crash in the next step can leave.
func TestKilledAtEveryWrite(t *testing.T) {
	t.Parallel()
	moments := play(t)
	dir := filepath.Join(t.TempDir(), "repo")
	for i, m := range moments[:len(moments)-1] {
		next := moments[i+1]
		from := max(len(m.journal), headerSize) // the header is there before the file has its name
		for n := from; n <= len(next.journal); n++ {
			b := lay(t, dir, m.index, next.journal[:n])
			want := m.state
			if n == len(next.journal) {
				want = next.state
			}
			if got := dump(t, b); got != want {
				t.Fatalf("step %d, %d of %d bytes: got\n%swant\n%s", i, n, len(next.journal), got, want)
			}
			if n%16 != 0 {
				continue
			}
			if err := errors.Join(put(b, "archive/z", `{}`), b.Check(t.Context())); err != nil {
				t.Fatalf("step %d, going on after %d of %d bytes: %v", i, n, len(next.journal), err)
			}
		}
	}
}

// TestCutWithoutIndex gives every beginning of the journal and no index: what
// was whole is there, and nothing else.
func TestCutWithoutIndex(t *testing.T) {
	t.Parallel()
	moments := play(t)
	last := moments[len(moments)-1]
	dir := filepath.Join(t.TempDir(), "repo")
	for n := range len(last.journal) + 1 {
		want := moments[0]
		for _, m := range moments[1:] {
			if len(m.journal) <= n {
				want = m
			}
		}
		j, err := reader(last.journal[:n])
		if n < headerSize {
			if !errors.Is(err, index.ErrCorrupt) {
				t.Errorf("%d bytes: error is %v", n, err)
			}
			continue
		}
		end, torn, err := j.scan(j.start(), unknown)
		if whole := max(headerSize, len(want.journal)); err != nil || end.offset != int64(whole) || torn != (n > whole) {
			t.Fatalf("%d bytes: end is %d, torn %v, %v, want %d", n, end.offset, torn, err, whole)
		}
		if n%11 != 0 && n != len(want.journal) {
			continue
		}
		if got := dump(t, lay(t, dir, nil, last.journal[:n])); got != want.state {
			t.Fatalf("%d bytes: got\n%swant\n%s", n, got, want.state)
		}
	}
}

// TestCutBelowWhatIsAcknowledged: an acknowledged end that is gone is damage.
func TestCutBelowWhatIsAcknowledged(t *testing.T) {
	t.Parallel()
	moments := play(t)
	last := moments[len(moments)-1]
	dir := filepath.Join(t.TempDir(), "repo")
	for n := range len(last.journal) {
		b := lay(t, dir, last.index, last.journal[:n])
		if _, err := tryDump(b); !errors.Is(err, index.ErrCorrupt) {
			t.Fatalf("%d of %d bytes: reading gave %v", n, len(last.journal), err)
		}
		if err := put(b, "archive/a", `{}`); !errors.Is(err, index.ErrCorrupt) {
			t.Fatalf("%d of %d bytes: writing gave %v", n, len(last.journal), err)
		}
	}
	b := lay(t, dir, last.index, nil)
	if _, err := tryDump(b); !errors.Is(err, index.ErrCorrupt) || !strings.Contains(err.Error(), "00000001.journal is missing") {
		t.Errorf("without a journal reading gave %v", err)
	}
	if err := b.Rebuild(t.Context()); !errors.Is(err, index.ErrCorrupt) {
		t.Errorf("without a journal rebuilding gave %v", err)
	}
	if err := errors.Join(b.Repair(t.Context()), b.Check(t.Context())); err != nil {
		t.Errorf("repairing: %v", err)
	}
	if got := dump(t, b); got != last.state {
		t.Errorf("repaired: got\n%swant\n%s", got, last.state)
	}
}

// flips calls fn with the journal with each of its bits changed.
func flips(journal []byte, fn func(bit int, broken []byte)) {
	broken := bytes.Clone(journal)
	for bit := range len(journal) * 8 {
		broken[bit/8] ^= 1 << (bit % 8)
		fn(bit, broken)
		broken[bit/8] ^= 1 << (bit % 8)
	}
}

func reader(journal []byte) (*journalReader, error) {
	return readJournal(bytes.NewReader(journal), int64(len(journal)), "x.journal")
}

// TestFlippedBits: a bit that is not what it was is damage wherever it is in
// what is acknowledged, also in the last frame, whether the index is there or
// not; in a tail that is not, the tail is cut.
func TestFlippedBits(t *testing.T) {
	t.Parallel()
	moments := play(t)
	last, before := moments[len(moments)-1], moments[len(moments)-2]
	flips(last.journal, func(bit int, broken []byte) {
		j, err := reader(broken)
		if bit/8 < headerSize {
			if err == nil {
				t.Errorf("bit %d of the header: no error", bit)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, known := range []int64{unknown, int64(len(last.journal))} {
			if _, _, err := j.scan(j.start(), known); !errors.Is(err, index.ErrCorrupt) || !strings.Contains(err.Error(), "x.journal at offset") {
				t.Errorf("bit %d, known %d: error is %v", bit, known, err)
			}
		}
		end, torn, err := j.scan(j.start(), int64(len(before.journal)))
		if bit/8 < len(before.journal) {
			if !errors.Is(err, index.ErrCorrupt) {
				t.Errorf("bit %d before the mark: error is %v", bit, err)
			}
		} else if err != nil || !torn || end.offset != int64(len(before.journal)) {
			t.Errorf("bit %d behind the mark: end %d, torn %v, %v", bit, end.offset, torn, err)
		}
	})
}

// TestFlippedBitsInARepository: nothing is lost while the index is there, and
// nothing is taken from a damaged journal.
func TestFlippedBitsInARepository(t *testing.T) {
	t.Parallel()
	moments := play(t)
	last := moments[len(moments)-1]
	dir := filepath.Join(t.TempDir(), "repo")
	flips(last.journal, func(bit int, broken []byte) {
		if bit%67 != 0 { // every bit is tried above; here a spread of them
			return
		}
		b := lay(t, dir, last.index, broken)
		for what, err := range map[string]error{"check": b.Check(t.Context()), "rebuild": b.Rebuild(t.Context())} {
			if err == nil {
				t.Errorf("bit %d: %s found nothing", bit, what)
			}
		}
		if got := dump(t, b); got != last.state {
			t.Fatalf("bit %d: got\n%swant\n%s", bit, got, last.state)
		}
		if err := errors.Join(b.Repair(t.Context()), b.Check(t.Context()), b.Rebuild(t.Context())); err != nil {
			t.Errorf("bit %d, repaired: %v", bit, err)
		}
		if got := dump(t, b); got != last.state {
			t.Fatalf("bit %d, repaired: got\n%swant\n%s", bit, got, last.state)
		}
		if _, err := tryDump(lay(t, dir, nil, broken)); err == nil {
			t.Errorf("bit %d: without an index nothing was found", bit)
		}
	})
}

// TestRebuild: the index is lost, and everything comes back, also the revisions
// and cursors that others remember.
func TestRebuild(t *testing.T) {
	t.Parallel()
	moments := play(t)
	last := moments[len(moments)-1]
	dir := filepath.Join(t.TempDir(), "repo")
	b := lay(t, dir, nil, last.journal)
	if err := b.Rebuild(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := dump(t, b); got != last.state {
		t.Errorf("got\n%swant\n%s", got, last.state)
	}
	for range 2 { // and again, with the index there
		if err := errors.Join(b.Check(t.Context()), b.Rebuild(t.Context())); err != nil {
			t.Fatal(err)
		}
	}
	if got := dump(t, b); got != last.state {
		t.Errorf("again: got\n%swant\n%s", got, last.state)
	}
	if err := errors.Join(put(b, "archive/new", `{}`), b.Check(t.Context())); err != nil {
		t.Errorf("going on: %v", err)
	}
	empty := openAt(t, t.TempDir())
	if err := empty.Rebuild(t.Context()); err != nil {
		t.Errorf("rebuilding nothing: %v", err)
	}
	if err := empty.Repair(t.Context()); err == nil {
		t.Error("nothing was repaired")
	}
}

// TestOlderIndex: an index that was put back from a backup catches up.
func TestOlderIndex(t *testing.T) {
	t.Parallel()
	moments := play(t)
	last := moments[len(moments)-1]
	dir := filepath.Join(t.TempDir(), "repo")
	for i, m := range moments[1:] {
		b := lay(t, dir, m.index, last.journal)
		if got := dump(t, b); got != last.state {
			t.Errorf("index after step %d: got\n%swant\n%s", i, got, last.state)
		}
		if err := b.Check(t.Context()); err != nil {
			t.Errorf("index after step %d: %v", i, err)
		}
		if len(m.journal) == len(last.journal) {
			continue
		}
		broken := bytes.Clone(last.journal) // the next transaction, with more behind it
		broken[len(m.journal)+frameSize] ^= 1
		if len(moments[i+2].journal) == len(last.journal) {
			continue
		}
		if _, err := tryDump(lay(t, dir, m.index, broken)); !errors.Is(err, index.ErrCorrupt) {
			t.Errorf("index after step %d, damage behind it: %v", i, err)
		}
		broken[len(m.journal)] ^= 1 // and its head too
		if _, err := tryDump(lay(t, dir, m.index, broken)); !errors.Is(err, index.ErrCorrupt) {
			t.Errorf("index after step %d, damage to the head behind it: %v", i, err)
		}
	}
}

// bigTransaction writes more than one frame in one transaction.
func bigTransaction(b *Manager) error {
	return b.Atomic(context.Background(), func(m refs.Manager) error {
		for i := range 3 {
			value := []byte(`"` + strings.Repeat("x", fullPayload/2+fullPayload/4) + `"`)
			if _, err := m.Put(context.Background(), fmt.Sprintf("big/%d", i), value, refs.Absent); err != nil {
				return err
			}
		}
		return nil
	})
}

// TestTransactionOfSeveralFrames: it is there wholly or not at all.
func TestTransactionOfSeveralFrames(t *testing.T) {
	t.Parallel()
	src := t.TempDir()
	b := openAt(t, src)
	if err := put(b, "archive/a", `{}`); err != nil {
		t.Fatal(err)
	}
	idx, err1 := os.ReadFile(filepath.Join(src, "index.db"))
	small, err2 := os.ReadFile(journalPath(b.dir, 1))
	before := dump(t, b)
	err3 := bigTransaction(b)
	big, err4 := os.ReadFile(journalPath(b.dir, 1))
	if err := errors.Join(err1, err2, err3, err4, b.Check(t.Context())); err != nil {
		t.Fatal(err)
	}
	after := dump(t, b)
	j, err := reader(big)
	if err != nil {
		t.Fatal(err)
	}
	var starts []int64
	for p := (position{int64(len(small)), checksum{}}); p.offset < j.size; {
		head, ok := decodeFrame(big[p.offset:], p.offset)
		if !ok {
			t.Fatal("no frame")
		}
		starts = append(starts, p.offset)
		p.offset += frameSize + int64(head.length)
	}
	if len(starts) < 2 {
		t.Fatalf("the transaction has %d frames, want several", len(starts))
	}
	dir := filepath.Join(t.TempDir(), "repo")
	for _, withIndex := range []bool{true, false} {
		use := idx
		if !withIndex {
			use = nil
		}
		for _, cut := range append(slices.Clone(starts), starts[1]-1, starts[1]+1, j.size-1) {
			if got := dump(t, lay(t, dir, use, big[:cut])); got != before {
				t.Errorf("index %v, cut at %d: got\n%swant\n%s", withIndex, cut, got, before)
			}
		}
		if got := dump(t, lay(t, dir, use, big)); got != after {
			t.Errorf("index %v: got\n%swant\n%s", withIndex, got, after)
		}
		for _, start := range starts {
			broken := bytes.Clone(big)
			broken[start+frameSize+20] ^= 1
			got, err := tryDump(lay(t, dir, use, broken))
			if withIndex && (err != nil || got != before) {
				t.Errorf("frame at %d not written right: got %v\n%swant\n%s", start, err, got, before)
			}
			if !withIndex && !errors.Is(err, index.ErrCorrupt) {
				t.Errorf("frame at %d damaged: error is %v", start, err)
			}
		}
	}
}

func TestUnknownVersionsAreRefused(t *testing.T) {
	t.Parallel()
	moments := play(t)
	journal := bytes.Clone(moments[1].journal)
	journal[8] = 2
	sum := sumOf(journal[:32])
	copy(journal[32:], sum[:])
	dir := filepath.Join(t.TempDir(), "repo")
	b := lay(t, dir, nil, journal)
	_, err := tryDump(b)
	if err == nil || errors.Is(err, index.ErrCorrupt) || !strings.Contains(err.Error(), "format 2, this program knows 1") {
		t.Errorf("a journal of format 2: error is %v", err)
	}
	if got, err := os.ReadFile(journalPath(b.dir, 1)); err != nil || !bytes.Equal(got, journal) {
		t.Errorf("and it was changed, %v", err)
	}
	start := journalHeader{generation: 1, snapshotEnd: headerSize}
	frame, _ := encodeFrame([]byte{1, 9, 0}, flagBegin|flagEnd, headerSize, start.firstSum())
	_, err = tryDump(lay(t, dir, nil, append(start.encode(), frame...)))
	if err == nil || errors.Is(err, index.ErrCorrupt) || !strings.Contains(err.Error(), "unknown kind 9") {
		t.Errorf("a change of kind 9: error is %v", err)
	}
}

// TestPayloadEndsWhereItEnds: what lies behind it in memory is not read.
func TestPayloadEndsWhereItEnds(t *testing.T) {
	t.Parallel()
	whole := op{opPut, "t", "key", 1, []byte("value")}.append(nil)
	for n := 1; n < len(whole); n++ {
		r := payloadReader{rest: whole[:n]}
		if o, ok := r.next(); ok || !errors.Is(r.err, index.ErrCorrupt) {
			t.Errorf("%d of %d bytes give %+v, %v", n, len(whole), o, r.err)
		}
	}
}

func FuzzJournal(f *testing.F) {
	for _, name := range vectorNames(f) {
		data, err := os.ReadFile(filepath.Join(vectorDir, name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		j, err := reader(data)
		if err != nil {
			return
		}
		for _, known := range []int64{unknown, headerSize, int64(len(data))} {
			end, _, err := j.scan(j.start(), known)
			if err != nil {
				continue
			}
			if end.offset < headerSize || end.offset > j.size {
				t.Fatalf("end is %d of %d", end.offset, j.size)
			}
			j.replay(j.start(), end, func(op) error { return nil }, func(uint64) error { return nil })
		}
	})
}

func FuzzPayload(f *testing.F) {
	f.Add([]byte{1})
	f.Add(op{opPut, "t", "k", 7, []byte("v")}.append([]byte{7}))
	f.Add(op{kind: opKeep, table: "b", key: "k", value: []byte("v")}.append(op{kind: opForget, table: "b", key: "k"}.append([]byte{1})))
	f.Add(op{kind: opCreateTable, table: "t"}.append(op{kind: opDelete, table: "t", key: "k", seq: 300}.append([]byte{1})))
	f.Fuzz(func(t *testing.T, data []byte) {
		r := payloadReader{rest: data}
		r.uvarint()
		for o, ok := r.next(); ok; o, ok = r.next() {
			b := o.append(nil)
			again, ok := (&payloadReader{rest: b}).next()
			if !ok || again.table != o.table || again.key != o.key || again.seq != o.seq || !bytes.Equal(again.value, o.value) {
				t.Fatalf("%+v encoded and decoded is %+v", o, again)
			}
			if o.hasKey() && int64(len(b)) != o.size() {
				t.Fatalf("%+v takes %d bytes, and says %d", o, len(b), o.size())
			}
		}
	})
}
