package transfer

import (
	"bytes"
	"errors"
	"testing"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/objects"
)

func FuzzTables(f *testing.F) {
	p := index.Pack{ID: objects.Hash([]byte("pack")), Size: 5000, Entries: []index.Entry{
		{ID: objects.Hash([]byte("a")), Offset: 8, Stored: 100, Raw: 200, Codec: 1, Filter: 4},
		{ID: objects.Hash([]byte("b")), Offset: 108, Stored: 50, Raw: 50},
	}}
	f.Add(encodeTables([]index.Pack{p, p}))
	f.Add(encodeTables(nil))
	f.Add([]byte(tableMagic + "nonsense"))
	f.Fuzz(func(t *testing.T, b []byte) {
		packs, err := decodeTables(b)
		if err != nil {
			if !errors.Is(err, objects.ErrCorrupt) {
				t.Errorf("%v", err)
			}
			return
		}
		if !bytes.Equal(encodeTables(packs), b) {
			t.Error("what was read is written otherwise")
		}
	})
}

func FuzzPlace(f *testing.F) {
	tree := objects.Hash([]byte("tree"))
	l := index.Loc{Entry: index.Entry{ID: tree, Offset: 8, Stored: 100, Raw: 90, Codec: 4}, Pack: objects.Hash([]byte("pack")), Found: true}
	f.Add(EncodePlace(l))
	f.Add("")
	f.Add("00:1:2:3:4")
	f.Fuzz(func(t *testing.T, s string) {
		l, ok := DecodePlace(tree, s)
		if !ok {
			return
		}
		again, ok := DecodePlace(tree, EncodePlace(l))
		if !ok || again != l {
			t.Errorf("%q is %+v, and then %+v", s, l, again)
		}
	})
}
