package objects

import (
	"encoding/json"
	"testing"

	"github.com/datafs/datafs/objects/codec"
)

// FuzzParseFormat reads any bytes as datafs.json, of a repository or an
// authority: what is taken can be written and read again, and its chunker cuts.
func FuzzParseFormat(f *testing.F) {
	for _, s := range []string{
		`{"format":1,"id":"x","chunker":{"algorithm":"gear-v1","min":16384,"avg":65536,"max":262144}}`,
		`{"format":1,"id":"","chunker":{"algorithm":"gear-v1","min":64,"avg":64,"max":64}}`,
		`{"format":1}`, `{"format":2}`, `[]`, `{"format":1,"format":1,"chunker":null}`,
	} {
		f.Add([]byte(s))
	}
	cut := make([]byte, 1<<10)
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := ParseFormat("datafs.json", b)
		if err != nil {
			return
		}
		if n := codec.NewChunker(got.Chunker).Cut(cut); n < 1 || n > len(cut) {
			t.Errorf("%+v cuts %d of %d bytes", got.Chunker, n, len(cut))
		}
		once, err := json.Marshal(got)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := ParseFormat("datafs.json", once); err != nil || again != got {
			t.Errorf("%s came back as %+v, %v", once, again, err)
		}
	})
}
