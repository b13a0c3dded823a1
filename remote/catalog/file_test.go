package catalog

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/datafs/datafs/refs"
	"github.com/datafs/datafs/remote"
)

func sampleCommit() *catFile {
	return &catFile{kind: catalogCommit, table: "datafs", first: 7, last: 7, id: writeID{1}, prev: writeID{2}, changes: []catChange{
		{"archive/a", []byte(`{"n":1}`), 7}, {"archive/b", nil, 7}, {"archive/c", []byte{}, 7},
	}}
}

func sampleRun() *catFile {
	return &catFile{kind: catalogRun, table: "t", first: 1, last: 32, id: writeID{3}, changes: []catChange{
		{"b", []byte("{}"), 1}, {"a", []byte("{}"), 32}, {"c", nil, 32},
	}}
}

func TestCatalogFileComesBack(t *testing.T) {
	for _, want := range []*catFile{sampleCommit(), sampleRun()} {
		b := encodeCatalogFile(want)
		got, err := decodeCatalogFile(b, want.kind)
		if err != nil {
			t.Fatal(err)
		}
		got.size = 0
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, want %+v", got, want)
		}
		if !bytes.Equal(encodeCatalogFile(got), b) {
			t.Error("equal files are not equal bytes")
		}
		if _, err := decodeCatalogFile(b, 3-want.kind); !errors.Is(err, refs.ErrCorrupt) {
			t.Errorf("as another kind: %v", err)
		}
		for i := range b {
			b[i] ^= 0x55
			if _, err := decodeCatalogFile(b, want.kind); err == nil || i != 6 && !errors.Is(err, refs.ErrCorrupt) {
				t.Errorf("with byte %d changed: %v", i, err)
			}
			b[i] ^= 0x55
			if _, err := decodeCatalogFile(b[:i], want.kind); !errors.Is(err, refs.ErrCorrupt) {
				t.Errorf("cut off after %d bytes: %v", i, err)
			}
		}
	}
}

// TestCatalogFileWithBrokenContents: the checksum is right, but whoever can write
// to an authority can compute checksums.
func TestCatalogFileWithBrokenContents(t *testing.T) {
	edit := func(edit func(*catFile)) []byte {
		f := sampleCommit()
		edit(f)
		return encodeCatalogFile(f)
	}
	contents := func(edit func([]byte) []byte) []byte {
		b, id, err := openCatalog(encodeCatalogFile(sampleCommit()), catalogCommit)
		if err != nil {
			t.Fatal(err)
		}
		return sealCatalog(catalogCommit, id, edit(b))
	}
	const firstAt, countAt = 7, 7 + 2 + 16
	cases := map[string][]byte{
		"nothing":         contents(func([]byte) []byte { return nil }),
		"a key twice":     edit(func(f *catFile) { f.changes[1].key = "archive/a" }),
		"no key":          edit(func(f *catFile) { f.changes[1].key = "" }),
		"a long key":      edit(func(f *catFile) { f.changes[1].key = string(make([]byte, refs.MaxKey+1)) }),
		"a large value":   edit(func(f *catFile) { f.changes[0].value = make([]byte, refs.MaxValue+1) }),
		"a later commit":  edit(func(f *catFile) { f.changes[0].rev++ }),
		"commit zero":     edit(func(f *catFile) { f.first, f.last = 0, 0 }),
		"several commits": edit(func(f *catFile) { f.last++ }),
		"a byte too many": contents(func(b []byte) []byte { return append(b, 0) }),
		"a byte too few":  contents(func(b []byte) []byte { return b[:len(b)-1] }),
		"a long number": contents(func(b []byte) []byte {
			return append(b[:firstAt:firstAt], append([]byte{0x87, 0}, b[firstAt+1:]...)...)
		}),
		"many changes": contents(func(b []byte) []byte { return binary.AppendUvarint(b[:countAt:countAt], 1<<40) }),
		"too many changes": edit(func(f *catFile) {
			f.changes = nil
			for i := range maxCommitChanges + 1 {
				f.changes = append(f.changes, catChange{fmt.Sprint(i), nil, 7})
			}
		}),
		"a bomb":                               sealCatalog(catalogCommit, writeID{}, make([]byte, maxCatalogContents+1)),
		"second frame":                         append(encodeCatalogFile(sampleCommit()), catalogEncoder().EncodeAll(make([]byte, 100), nil)...),
		"a bomb that does not announce itself": quietFrame(t, maxCatalogContents+1),
	}
	for name, b := range cases {
		if f, err := decodeCatalogFile(b, catalogCommit); !errors.Is(err, refs.ErrCorrupt) {
			t.Errorf("%s: %v, %v", name, f, err)
		}
	}
	run := sampleRun()
	run.changes[0].rev = 32
	run.changes[1].rev = 31
	if _, err := decodeCatalogFile(encodeCatalogFile(run), catalogRun); !errors.Is(err, refs.ErrCorrupt) {
		t.Errorf("changes out of order: %v", err)
	}
}

// quietFrame is a file whose frame does not tell the size of its contents.
func quietFrame(t *testing.T, n int) []byte {
	var b bytes.Buffer
	enc, err := zstd.NewWriter(&b)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := enc.Write(make([]byte, n)); err != nil || enc.Close() != nil {
		t.Fatal(err)
	}
	return append(sealCatalog(catalogCommit, writeID{}, nil)[:catalogHeader], b.Bytes()...)
}

func FuzzCatalogFile(f *testing.F) {
	for _, file := range []*catFile{sampleCommit(), sampleRun()} {
		b, _, err := openCatalog(encodeCatalogFile(file), file.kind)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, file.kind == catalogRun, true)
		f.Add(encodeCatalogFile(file), file.kind == catalogRun, false)
	}
	f.Fuzz(func(t *testing.T, b []byte, run, seal bool) {
		kind := byte(catalogCommit)
		if run {
			kind = catalogRun
		}
		if seal { // or no fuzzer would ever guess the checksum
			b = sealCatalog(kind, writeID{9}, b)
		}
		file, err := decodeCatalogFile(b, kind)
		if err != nil {
			return
		}
		again, err := decodeCatalogFile(encodeCatalogFile(file), kind)
		if err != nil || !reflect.DeepEqual(file, again) {
			t.Errorf("%+v came back as %+v, %v", file, again, err)
		}
		if seal && !bytes.Equal(encodeCatalogFile(file), b) {
			t.Error("other bytes stand for the same")
		}
	})
}

func TestRunNames(t *testing.T) {
	c, err := Open(&remote.Mem{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []catRun{{1, 1}, {1, 33}, {2, 1025}, {6, 1}} {
		if got, ok := c.parseRun(c.runName(want)); !ok || got != want {
			t.Errorf("%s is %v", c.runName(want), got)
		}
	}
	for _, name := range []string{"", "1-000000000001-000000000031", "1-000000000002-000000000033", "1-1-32", "0-000000000001-000000000001",
		"7-000000000001-034359738368", "1-000000000001-000000000032x", "+1-000000000001-000000000032", "-1-000000000001-000000000032"} {
		if r, ok := c.parseRun(c.dir + "run/" + name); ok {
			t.Errorf("%q is run %v", name, r)
		}
	}
}

func TestCatalogCacheForgetsWhatWasUsedLongAgo(t *testing.T) {
	var c catCache
	for i := range uint64(5) {
		c.add(&catFile{first: i, size: catCacheBytes / 4})
		c.get(0)
	}
	if c.get(0) == nil || c.get(1) != nil || c.get(4) == nil || c.bytes > catCacheBytes {
		t.Errorf("%d bytes of %d commits are kept", c.bytes, len(c.files))
	}
	c.add(&catFile{first: 9, size: catCacheBytes + 1})
	if c.get(9) != nil || c.get(4) == nil {
		t.Error("a large commit is kept")
	}
}
