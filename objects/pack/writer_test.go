package pack

import (
	"bufio"
	"errors"
	"github.com/datafs/datafs/fixtures/samples"
	"os"
	"path/filepath"
	"testing"

	"github.com/datafs/datafs/index"
)

// newDir returns the packs of a repository that has none yet.
func newDir(t testing.TB) *Dir {
	t.Helper()
	root := t.TempDir()
	for _, sub := range Dirs() {
		if err := os.Mkdir(filepath.Join(root, sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return NewDir(root)
}

// sealedPack writes a pack of two chunks that has no name yet.
func sealedPack(t *testing.T) *Writer {
	t.Helper()
	p, err := newDir(t).NewWriter(bufio.NewWriter(nil))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Discard)
	for _, text := range []string{"one", "another"} {
		if err := p.Add(index.Entry{ID: index.Hash([]byte(text)), Raw: uint32(len(text))}, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := p.Seal(); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestATableThatReadsBackOtherwiseIsNoticed(t *testing.T) {
	p := sealedPack(t)
	if err := p.ReadBack(); err != nil {
		t.Fatal(err)
	}
	fi, err := p.f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []int64{0, int64(p.offset), fi.Size() - 1} {
		p := sealedPack(t)
		if _, err := p.f.WriteAt([]byte{0xff}, at); err != nil {
			t.Fatal(err)
		}
		if err := p.ReadBack(); !errors.Is(err, index.ErrCorrupt) {
			t.Errorf("byte %d is another one: got %v", at, err)
		}
	}
	if err := p.f.Truncate(fi.Size() - 1); err != nil {
		t.Fatal(err)
	}
	if err := p.ReadBack(); err == nil {
		t.Error("a file that is too short reads back right")
	}
}

func TestANameOfADirectoryIsMadeLastOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "packs", "ab")
	if err := SyncName(dir, false); err == nil {
		t.Error("a directory above that is not there was synced")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := SyncName(dir, false); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.RemoveAll(filepath.Dir(dir)); err != nil {
		t.Fatal(err)
	}
	if err := SyncName(dir, false); err != nil {
		t.Errorf("it was synced again: %v", err)
	}
	if err := SyncName(dir, true); err == nil {
		t.Error("a new directory of that name was not synced")
	}
}

func BenchmarkPackWrite(b *testing.B) {
	d := newDir(b)
	buf := bufio.NewWriterSize(nil, 256<<10)
	raw := samples.Random(1, 64<<10)
	id := index.Hash(raw)
	const benchSize = 16 << 20
	b.SetBytes(benchSize)
	for b.Loop() {
		p, err := d.NewWriter(buf)
		if err != nil {
			b.Fatal(err)
		}
		for i := range benchSize / len(raw) {
			e := index.Entry{ID: id, Raw: uint32(len(raw))}
			e.ID[0], e.ID[1] = byte(i), byte(i>>8)
			if err := p.Add(e, raw); err != nil {
				b.Fatal(err)
			}
		}
		if err := errors.Join(p.w.Flush(), p.f.Sync()); err != nil {
			b.Fatal(err)
		}
		p.Discard()
	}
}
