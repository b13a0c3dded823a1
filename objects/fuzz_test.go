package objects

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/datafs/datafs/fixtures/samples"
	"github.com/datafs/datafs/objects/codec"
)

func FuzzDecodeNode(f *testing.F) {
	for _, name := range []string{"tree/nodes.json", "tree/broken.json"} {
		for _, v := range samples.Vectors[[]nodeVector](f, name) {
			f.Add([]byte(v.Hex))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		n, err := decodeNode(b)
		if err != nil {
			return
		}
		if again := encodeNode(n); !bytes.Equal(again, b) {
			t.Errorf("encoded again it is %x, not %x", again, b)
		}
		for i := range n.entries {
			checkEntry(t, &n.entries[i])
		}
	})
}

// encodeNode is the inverse of decodeNode: a node has one encoding only.
func encodeNode(n *node) []byte {
	b := nodePrefix(n.kind, n.level)
	if n.kind == kindRoot {
		b = binary.AppendUvarint(b, uint64(n.files))
		b = binary.AppendUvarint(b, uint64(n.bytes))
	}
	for _, r := range n.refs {
		b = appendRef(b, r)
	}
	for _, c := range n.children {
		b = appendChild(b, c)
	}
	for i := range n.entries {
		b = appendEntry(b, &n.entries[i])
	}
	return b
}

// checkEntry checks that an entry stays in the directory it is written to.
func checkEntry(t *testing.T, e *Entry) {
	t.Helper()
	if e.Path == "" {
		return
	}
	if !filepath.IsLocal(e.Path) || filepath.Clean(e.Path) != e.Path {
		t.Errorf("took the path %q", e.Path)
	}
	if e.Kind == KindSymlink && (filepath.IsAbs(e.Link) || !filepath.IsLocal(filepath.Join(filepath.Dir(e.Path), e.Link))) {
		t.Errorf("took the link %q -> %q", e.Path, e.Link)
	}
	if e.Size < 0 {
		t.Errorf("took a file of %d bytes", e.Size)
	}
}

func FuzzReadFormat(f *testing.F) {
	for _, s := range []string{
		`{"format":1,"id":"x","chunker":{"algorithm":"gear-v1","min":16384,"avg":65536,"max":262144}}`,
		`{"format":2}`, `{"format":1}`, `[]`, `{"format":1,"chunker":{"algorithm":"gear-v1","min":-1,"avg":1e9,"max":9223372036854775807}}`,
	} {
		f.Add([]byte(s))
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := os.WriteFile(filepath.Join(dir, FormatFile), b, 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := ReadFormat(dir)
		if err != nil {
			return
		}
		if got.Format != formatNumber || got.Chunker.Validate() != nil {
			t.Errorf("took %+v", got)
		}
		codec.NewChunker(got.Chunker).Cut(b)
	})
}

func FuzzCheckLink(f *testing.F) {
	for _, s := range [][2]string{{"a", "b"}, {"a/b", "../c"}, {"a/b", "../../c"}, {"a", "b/../../c"}, {"a", "/b"}, {"a/b/c", ".././/../x"}} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, path, target string) {
		if checkPath(&Entry{Path: path, Kind: KindSymlink}) != nil || CheckLink(path, target) != nil {
			return
		}
		checkEntry(t, &Entry{Path: path, Kind: KindSymlink, Link: target})
	})
}

// FuzzTree reads a whole tree whose root is made of the fuzzer's bytes.
func FuzzTree(f *testing.F) {
	s := newStore(f)
	for _, name := range []string{"tree/nodes.json", "tree/broken.json"} {
		for _, v := range samples.Vectors[[]nodeVector](f, name) {
			f.Add([]byte(v.Hex))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		n, err := decodeNode(b)
		if err != nil || n.kind != kindRoot {
			return
		}
		tree := &Tree{s: s, id: Hash(b), root: n}
		for e, err := range tree.Entries(t.Context()) {
			if err != nil {
				if !errors.Is(err, ErrCorrupt) {
					t.Errorf("entries: %v", err)
				}
				break
			}
			if _, err := s.stream(t.Context(), &e, 0, io.Discard); e.Size > 0 && !errors.Is(err, ErrCorrupt) {
				t.Errorf("%q: %v", e.Path, err)
			}
		}
		for _, path := range []string{"", "a", "b/c", "~"} {
			tree.Entry(t.Context(), path)
		}
	})
}
