package objects

import (
	"bufio"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/datafs/datafs/index"
)

// sealedPack writes a pack of two chunks that has no name yet.
func sealedPack(t *testing.T) *packWriter {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, tempDir), 0o700); err != nil {
		t.Fatal(err)
	}
	p, err := newPackWriter(dir, bufio.NewWriter(nil))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.discard)
	for _, text := range []string{"one", "another"} {
		if err := p.add(index.Entry{ID: Hash([]byte(text)), Raw: uint32(len(text))}, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := p.seal(); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestATableThatReadsBackOtherwiseIsNoticed(t *testing.T) {
	p := sealedPack(t)
	if err := p.readBack(); err != nil {
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
		if err := p.readBack(); !errors.Is(err, ErrCorrupt) {
			t.Errorf("byte %d is another one: got %v", at, err)
		}
	}
	if err := p.f.Truncate(fi.Size() - 1); err != nil {
		t.Fatal(err)
	}
	if err := p.readBack(); err == nil {
		t.Error("a file that is too short reads back right")
	}
}

func TestANameOfADirectoryIsMadeLastOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "packs", "ab")
	if err := syncName(dir, false); err == nil {
		t.Error("a directory above that is not there was synced")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := syncName(dir, false); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.RemoveAll(filepath.Dir(dir)); err != nil {
		t.Fatal(err)
	}
	if err := syncName(dir, false); err != nil {
		t.Errorf("it was synced again: %v", err)
	}
	if err := syncName(dir, true); err == nil {
		t.Error("a new directory of that name was not synced")
	}
}
