package commitlog

import (
	"fmt"
	"slices"
	"testing"
)

// FuzzRun folds files with any changes into a run: it has the last change
// of each key and nothing else, and comes back as it was written.
func FuzzRun(f *testing.F) {
	f.Add([]byte("ab\x00ac\x01ba\x02"), []byte("ab\x03"))
	f.Add([]byte("aaaaaaaaa"), []byte{})
	f.Fuzz(func(t *testing.T, first, second []byte) {
		run := &file{kind: runKind, table: "t", first: 1, last: runWidth}
		seen, want := map[string]bool{}, map[string]edit{}
		files := []*file{{changes: changesOf(first, 1)}, {changes: changesOf(second, 2)}}
		for _, file := range files {
			for _, c := range file.changes {
				want[c.key] = c
			}
		}
		for _, file := range slices.Backward(files) {
			if !run.take(file, seen) {
				return
			}
		}
		slices.Reverse(run.changes)
		got, err := decodeFile(encodeFile(run), runKind)
		if err != nil {
			t.Fatal(err)
		}
		if len(got.changes) != len(want) {
			t.Fatalf("%d changes of %d keys", len(got.changes), len(want))
		}
		for _, c := range got.changes {
			if fmt.Sprint(c) != fmt.Sprint(want[c.key]) {
				t.Errorf("got %v, want %v", c, want[c.key])
			}
		}
	})
}

// changesOf makes a change of each three bytes: the key's two, and its value.
func changesOf(b []byte, rev uint64) (list []edit) {
	for c := range slices.Chunk(b, 3) {
		change := edit{key: fmt.Sprintf("k%x", c[:min(2, len(c))]), rev: rev}
		if len(c) > 2 && c[2] > 0 {
			change.value = c[2:]
		}
		list = append(list, change)
	}
	return list
}
