package objects

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/datafs/datafs/fixtures/samples"
)

func TestContentsOfManyFiles(t *testing.T) {
	s, src := newStore(t), t.TempDir()
	want := map[string][]byte{}
	for i := range 40 {
		name := fmt.Sprintf("d%d/f%02d", i%3, i)
		want[name] = samples.Random(uint64(i), i*i*40)
	}
	want["large"], want["empty"] = samples.Random(7, extractLarge+5), nil
	for name, data := range want {
		writeFile(t, src, name, 0o644, data)
	}
	tree := openTree(t, s, takePath(t, s, src).Tree)
	var files []Entry
	for e, err := range tree.Entries(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Kind.IsFile() {
			files = append(files, e)
		}
	}
	seen := 0
	err := s.Contents().Each(t.Context(), files, func(i int, content func(io.Writer) error) error {
		var got bytes.Buffer
		if err := content(&got); err != nil {
			return err
		}
		if seen++; !bytes.Equal(got.Bytes(), want[files[i].Path]) {
			t.Errorf("%s has other bytes", files[i].Path)
		}
		return nil
	})
	if err != nil || seen != len(want) {
		t.Errorf("%d files, want %d: %v", seen, len(want), err)
	}
	stop := errors.New("stop")
	if err := s.Contents().Each(t.Context(), files, func(int, func(io.Writer) error) error { return stop }); err != stop {
		t.Errorf("got %v, want %v", err, stop)
	}
}

func TestTreesAtOnce(t *testing.T) {
	s := newStore(t)
	var ids []ID
	for i := range 5 {
		src := t.TempDir()
		writeFile(t, src, "f", 0o644, samples.Random(uint64(i), 100+i))
		ids = append(ids, takePath(t, s, src).Tree)
	}
	trees, err := s.Trees(t.Context(), ids)
	if err != nil {
		t.Fatal(err)
	}
	for i, tree := range trees {
		if tree.ID() != ids[i] || tree.Size() != int64(100+i) {
			t.Errorf("tree %d has the id %s and %d bytes", i, tree.ID(), tree.Size())
		}
	}
	if _, err := s.Trees(t.Context(), append(ids, Hash(nil))); !errors.Is(err, ErrCorrupt) {
		t.Errorf("an unknown tree: got %v", err)
	}
	e, err := trees[0].Entry(t.Context(), "f")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Trees(t.Context(), []ID{e.inline[0].id}); !errors.Is(err, ErrCorrupt) {
		t.Errorf("no tree: got %v", err)
	}
}
