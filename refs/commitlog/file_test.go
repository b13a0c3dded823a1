package commitlog

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/datafs/datafs/refs"
)

func sampleCommit() *file {
	return &file{kind: commitKind, table: "datafs", first: 7, last: 7, id: writeID{1}, prev: writeID{2}, changes: []edit{
		{"archive/a", []byte(`{"n":1}`), 7}, {"archive/b", nil, 7}, {"archive/c", []byte{}, 7},
	}}
}

func sampleRun() *file {
	return &file{kind: runKind, table: "t", first: 1, last: 32, id: writeID{3}, changes: []edit{
		{"b", []byte("{}"), 1}, {"a", []byte("{}"), 32}, {"c", nil, 32},
	}}
}

func TestFileComesBack(t *testing.T) {
	for _, want := range []*file{sampleCommit(), sampleRun()} {
		b := encodeFile(want)
		got, err := decodeFile(b, want.kind)
		if err != nil {
			t.Fatal(err)
		}
		got.size = 0
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, want %+v", got, want)
		}
		if !bytes.Equal(encodeFile(got), b) {
			t.Error("equal files are not equal bytes")
		}
		if _, err := decodeFile(b, 3-want.kind); !errors.Is(err, refs.ErrCorrupt) {
			t.Errorf("as another kind: %v", err)
		}
		for i := range b {
			b[i] ^= 0x55
			if _, err := decodeFile(b, want.kind); err == nil || i != 6 && !errors.Is(err, refs.ErrCorrupt) {
				t.Errorf("with byte %d changed: %v", i, err)
			}
			b[i] ^= 0x55
			if _, err := decodeFile(b[:i], want.kind); !errors.Is(err, refs.ErrCorrupt) {
				t.Errorf("cut off after %d bytes: %v", i, err)
			}
		}
	}
}

// TestFileWithBrokenContents: the checksum is right, but whoever can write
// to an authority can compute checksums.
func TestFileWithBrokenContents(t *testing.T) {
	changed := func(edit func(*file)) []byte {
		f := sampleCommit()
		edit(f)
		return encodeFile(f)
	}
	contents := func(edit func([]byte) []byte) []byte {
		b, id, err := open(encodeFile(sampleCommit()), commitKind)
		if err != nil {
			t.Fatal(err)
		}
		return seal(commitKind, id, edit(b))
	}
	const firstAt, countAt = 7, 7 + 2 + 16
	cases := map[string][]byte{
		"nothing":         contents(func([]byte) []byte { return nil }),
		"a key twice":     changed(func(f *file) { f.changes[1].key = "archive/a" }),
		"no key":          changed(func(f *file) { f.changes[1].key = "" }),
		"a long key":      changed(func(f *file) { f.changes[1].key = string(make([]byte, refs.MaxKey+1)) }),
		"a large value":   changed(func(f *file) { f.changes[0].value = make([]byte, refs.MaxValue+1) }),
		"a later commit":  changed(func(f *file) { f.changes[0].rev++ }),
		"commit zero":     changed(func(f *file) { f.first, f.last = 0, 0 }),
		"several commits": changed(func(f *file) { f.last++ }),
		"a byte too many": contents(func(b []byte) []byte { return append(b, 0) }),
		"a byte too few":  contents(func(b []byte) []byte { return b[:len(b)-1] }),
		"a long number": contents(func(b []byte) []byte {
			return append(b[:firstAt:firstAt], append([]byte{0x87, 0}, b[firstAt+1:]...)...)
		}),
		"many changes": contents(func(b []byte) []byte { return binary.AppendUvarint(b[:countAt:countAt], 1<<40) }),
		"too many changes": changed(func(f *file) {
			f.changes = nil
			for i := range maxCommitChanges + 1 {
				f.changes = append(f.changes, edit{fmt.Sprint(i), nil, 7})
			}
		}),
		"a bomb":                               seal(commitKind, writeID{}, make([]byte, maxContents+1)),
		"second frame":                         append(encodeFile(sampleCommit()), encoder().EncodeAll(make([]byte, 100), nil)...),
		"a bomb that does not announce itself": quietFrame(t, maxContents+1),
	}
	for name, b := range cases {
		if f, err := decodeFile(b, commitKind); !errors.Is(err, refs.ErrCorrupt) {
			t.Errorf("%s: %v, %v", name, f, err)
		}
	}
	run := sampleRun()
	run.changes[0].rev = 32
	run.changes[1].rev = 31
	if _, err := decodeFile(encodeFile(run), runKind); !errors.Is(err, refs.ErrCorrupt) {
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
	return append(seal(commitKind, writeID{}, nil)[:headerSize], b.Bytes()...)
}

func FuzzFile(f *testing.F) {
	for _, file := range []*file{sampleCommit(), sampleRun()} {
		b, _, err := open(encodeFile(file), file.kind)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, file.kind == runKind, true)
		f.Add(encodeFile(file), file.kind == runKind, false)
	}
	f.Fuzz(func(t *testing.T, b []byte, run, sealed bool) {
		kind := byte(commitKind)
		if run {
			kind = runKind
		}
		if sealed { // or no fuzzer would ever guess the checksum
			b = seal(kind, writeID{9}, b)
		}
		file, err := decodeFile(b, kind)
		if err != nil {
			return
		}
		again, err := decodeFile(encodeFile(file), kind)
		if err != nil || !reflect.DeepEqual(file, again) {
			t.Errorf("%+v came back as %+v, %v", file, again, err)
		}
		if sealed && !bytes.Equal(encodeFile(file), b) {
			t.Error("other bytes stand for the same")
		}
	})
}

func TestCacheForgetsWhatWasUsedLongAgo(t *testing.T) {
	var c cache
	for i := range uint64(5) {
		c.add(&file{first: i, size: cacheBytes / 4})
		c.get(0)
	}
	if c.get(0) == nil || c.get(1) != nil || c.get(4) == nil || c.bytes > cacheBytes {
		t.Errorf("%d bytes of %d commits are kept", c.bytes, len(c.files))
	}
	c.add(&file{first: 9, size: cacheBytes + 1})
	if c.get(9) != nil || c.get(4) == nil {
		t.Error("a large commit is kept")
	}
}
