package objects

import (
	"errors"
	"slices"
	"testing"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/objects/codec"
)

func locatedNode() (node []byte, e index.Entry, children []codec.Child, places []index.Loc) {
	node = nodePrefix(kindContent, 1)
	for i := range 5 {
		r := ref{Hash([]byte{byte(i)}), int64(1000 + i)}
		node = appendRef(node, r)
		children = append(children, codec.Child{ID: r.id, Node: true})
		l := index.Loc{Entry: index.Entry{ID: r.id, Offset: uint64(100 * (5 - i)), Stored: 90, Raw: 95, Codec: 4}, Found: true}
		if i%2 == 1 {
			l.Pack = Hash([]byte("elsewhere"))
		}
		places = append(places, l)
	}
	return node, index.Entry{ID: Hash(node), Stored: uint32(len(node)), Raw: uint32(len(node))}, children, places
}

func TestALocatedNodeIsTheSameNode(t *testing.T) {
	node, e, children, places := locatedNode()
	at, stored := codec.EncodeLocated(e, node, children, places)
	var v Verifier
	raw, err := v.Raw(at, stored)
	if err != nil || !slices.Equal(raw, node) {
		t.Fatal("the node does not come back", err)
	}
	plain, inner, err := codec.Unlocate(at, stored)
	if err != nil || plain != e || !slices.Equal(inner, node) {
		t.Errorf("%+v, %v; want %+v", plain, err, e)
	}
	listed, err := Children(raw)
	if err != nil || !slices.Equal(listed, children) {
		t.Errorf("children %v, %v", listed, err)
	}
	self := Hash([]byte("self"))
	got, err := codec.DecodePlaces(stored, self, children)
	if err != nil {
		t.Fatal(err)
	}
	for i := range places {
		want := places[i]
		if want.Pack.IsZero() {
			want.Pack = self
		}
		if got[i] != want {
			t.Errorf("place %d: %+v, want %+v", i, got[i], want)
		}
	}
}

func FuzzPlaces(f *testing.F) {
	node, e, children, places := locatedNode()
	_, stored := codec.EncodeLocated(e, node, children, places)
	f.Add(stored)
	f.Add(stored[:len(stored)-3])
	f.Add([]byte{4, 0, 0, 0, 0, 0, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := codec.DecodePlaces(b, ID{1}, children)
		if err != nil && !errors.Is(err, ErrCorrupt) {
			t.Errorf("%v", err)
		}
		if err == nil && len(got) != len(children) {
			t.Errorf("%d places of %d children", len(got), len(children))
		}
		var v Verifier
		v.Raw(index.Entry{ID: e.ID, Stored: uint32(len(b)), Raw: e.Raw, Codec: codec.Located}, b)
	})
}
