package bolt

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/datafs/datafs/index"
)

var update = flag.Bool("update", false, "write the vectors anew")

const vectorDir = "../../fixtures/vectors/journal"

func vectorNames(t testing.TB) []string {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(vectorDir, "*.journal"))
	if err != nil || len(list) == 0 {
		t.Fatalf("no vectors: %v", err)
	}
	for i := range list {
		list[i] = filepath.Base(list[i])
	}
	return list
}

// makeVectors gives journals good and broken, by name.
func makeVectors(t *testing.T) map[string][]byte {
	t.Helper()
	moments := play(t)
	last := moments[len(moments)-1].journal
	b := lay(t, filepath.Join(t.TempDir(), "repo"), nil, moments[len(moments)-2].journal)
	if err := errors.Join(b.Compact(t.Context()), put(b, "archive/a", `{"n":8}`)); err != nil {
		t.Fatal(err)
	}
	compacted, err := os.ReadFile(journalPath(b.dir, 2))
	if err != nil {
		t.Fatal(err)
	}
	flipped := slices.Clone(last)
	flipped[len(moments[2].journal)+frameSize+5] ^= 0x10
	lengthened := slices.Clone(last)
	lengthened[len(moments[len(moments)-2].journal)] ^= 0x40
	future := slices.Clone(moments[1].journal)
	future[8] = 2
	sum := sumOf(future[:32])
	copy(future[32:], sum[:])
	start := journalHeader{generation: 1, snapshotEnd: headerSize}
	frame, _ := encodeFrame([]byte{1, 9, 0}, flagBegin|flagEnd, headerSize, start.firstSum())
	short, _ := encodeFrame(op{opPut, "datafs", "k", 1, []byte("value")}.append([]byte{1})[:12], flagBegin|flagEnd, headerSize, start.firstSum())
	frames := func(flags ...uint32) []byte {
		b, sum := start.encode(), start.firstSum()
		for _, f := range flags {
			var next []byte
			next, sum = encodeFrame([]byte{0}, f, int64(len(b)), sum)
			b = append(b, next...)
		}
		return b
	}
	return map[string][]byte{
		"torn-transaction.journal":   frames(flagBegin|flagEnd, flagBegin, 0),
		"bad-no-begin.journal":       frames(flagBegin|flagEnd, flagEnd),
		"bad-begin-within.journal":   frames(flagBegin, flagBegin|flagEnd),
		"good.journal":               last,
		"good-empty.journal":         last[:headerSize],
		"good-compacted.journal":     compacted,
		"torn.journal":               last[:len(last)-3],
		"bad-magic.journal":          append([]byte("datafsK\n"), last[8:]...),
		"bad-flipped.journal":        flipped,
		"bad-last-length.journal":    lengthened,
		"bad-cut-snapshot.journal":   compacted[:headerSize+40],
		"bad-cut-header.journal":     last[:headerSize-1],
		"bad-swapped.journal":        slices.Concat(last[:headerSize], last[len(moments[1].journal):len(moments[2].journal)], last[headerSize:len(moments[1].journal)]),
		"bad-change.journal":         append(start.encode(), short...),
		"future-version.journal":     future,
		"future-change-kind.journal": append(start.encode(), frame...),
	}
}

// readVector gives what a journal says without an index: the state, or the error.
func readVector(t *testing.T, data []byte) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "repo")
	b := lay(t, dir, nil, nil)
	generation := uint64(1)
	if len(data) >= headerSize {
		generation = max(1, uint64(data[16]))
	}
	if err := os.WriteFile(journalPath(b.dir, generation), data, 0o666); err != nil {
		t.Fatal(err)
	}
	s, err := tryDump(b)
	switch {
	case errors.Is(err, index.ErrCorrupt):
		return "corrupt\n"
	case err != nil:
		return strings.ReplaceAll(err.Error(), b.dir+string(filepath.Separator), "") + "\n"
	}
	return s
}

// TestVectors reads journals as they were once written. The file beside each has
// what it says. With -update they are written anew, which only a new version of
// the format may need.
func TestVectors(t *testing.T) {
	t.Parallel()
	if *update {
		for name, data := range makeVectors(t) {
			want := []byte(readVector(t, data))
			path := filepath.Join(vectorDir, name)
			if err := errors.Join(os.WriteFile(path, data, 0o666), os.WriteFile(path+".want", want, 0o666)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, name := range vectorNames(t) {
		t.Run(name, func(t *testing.T) {
			data, err1 := os.ReadFile(filepath.Join(vectorDir, name))
			want, err2 := os.ReadFile(filepath.Join(vectorDir, name+".want"))
			if err := errors.Join(err1, err2); err != nil {
				t.Fatal(err)
			}
			if got := readVector(t, data); got != string(want) {
				t.Errorf("got\n%swant\n%s", got, want)
			}
		})
	}
}

// TestWritingIsAsInTheVectors: what is written today is what was written then,
// byte for byte, as no clock and nothing random goes into a journal.
func TestWritingIsAsInTheVectors(t *testing.T) {
	t.Parallel()
	for name, got := range makeVectors(t) {
		want, err := os.ReadFile(filepath.Join(vectorDir, name))
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s is not what it was", name)
		}
	}
}
