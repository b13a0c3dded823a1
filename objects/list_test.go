package objects

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// nodeMap keeps nodes in memory.
type nodeMap map[ID][]byte

func (m nodeMap) put(b []byte) (ID, error) {
	id := Hash(b)
	m[id] = bytes.Clone(b)
	return id, nil
}

// synthetic makes the entry of a file whose chunks exist nowhere: chunk i has
// the id BLAKE3(i as u64) and the length 1 + i mod 1000.
func synthetic(t testing.TB, nodes nodeMap, count int) (Entry, []ref) {
	t.Helper()
	refs := make([]ref, count)
	for i := range refs {
		refs[i] = ref{Hash(binary.LittleEndian.AppendUint64(nil, uint64(i))), int64(1 + i%1000)}
	}
	return listed(t, nodes, refs), refs
}

func listed(t testing.TB, nodes nodeMap, refs []ref) Entry {
	t.Helper()
	c := newContent(nodes.put)
	for _, r := range refs {
		if err := c.add(r); err != nil {
			t.Fatal(err)
		}
	}
	e := Entry{Kind: KindFile}
	if err := c.finish(&e); err != nil {
		t.Fatal(err)
	}
	return e
}

// readBack lists the chunks below an item from the nodes alone, and checks that
// every node is one that the format allows.
func readBack(t testing.TB, nodes nodeMap, r ref, level int) (refs []ref) {
	t.Helper()
	if level == 0 {
		return []ref{r}
	}
	raw := nodes[r.id]
	n, err := decodeNode(raw)
	if err != nil {
		t.Fatalf("node of level %d, %d bytes: %v", level-1, len(raw), err)
	}
	if n.kind != kindContent || int(n.level) != level-1 || n.bytes != r.len {
		t.Fatalf("node of kind %d, level %d, %d bytes; want level %d, %d bytes", n.kind, n.level, n.bytes, level-1, r.len)
	}
	for _, x := range n.refs {
		refs = append(refs, readBack(t, nodes, x, level-1)...)
	}
	return refs
}

func TestAnyListOfChunksReadsBack(t *testing.T) {
	for _, c := range []struct{ count, level int }{
		{0, 0}, {1, 0}, {8, 0}, {9, 1}, {31, 1}, {32, 1}, {33, 1}, {600, 2}, {1000, 2}, {5000, 2}, {300_000, 3},
	} {
		t.Run(fmt.Sprint(c.count, " chunks"), func(t *testing.T) {
			nodes := nodeMap{}
			e, want := synthetic(t, nodes, c.count)
			got := slices.Clone(e.inline)
			if e.level > 0 {
				got = readBack(t, nodes, ref{e.root, e.Size}, int(e.level))
			}
			if !slices.Equal(got, want) || int(e.level) != c.level {
				t.Errorf("%d chunks at level %d; want %d at %d", len(got), e.level, len(want), c.level)
			}
		})
	}
}

// TestNodesWithoutABoundaryEnd lists chunks none of whose ids is a boundary: a
// node ends by its number of items.
func TestNodesWithoutABoundaryEnd(t *testing.T) {
	refs := make([]ref, 3*nodeMaxItems)
	for i := range refs {
		refs[i] = ref{ID{1, 1, byte(i), byte(i >> 8), 9}, 5}
	}
	nodes := nodeMap{}
	e := listed(t, nodes, refs)
	if got := readBack(t, nodes, ref{e.root, e.Size}, int(e.level)); !slices.Equal(got, refs) {
		t.Errorf("%d chunks came back of %d", len(got), len(refs))
	}
	if e.level != 2 || len(nodes) != 4 {
		t.Errorf("level %d, %d nodes; want 2, 4", e.level, len(nodes))
	}
}

// TestNodesWithBoundariesOnlyHaveTheMinimum lists chunks each of which could
// end a node: even then there are 32 items to a node, and levels end.
func TestNodesWithBoundariesOnlyHaveTheMinimum(t *testing.T) {
	refs := make([]ref, 2048)
	for i := range refs {
		refs[i] = ref{ID{0, 0, 0, 0, byte(i), byte(i >> 8)}, 5}
	}
	nodes := nodeMap{}
	e := listed(t, nodes, refs)
	if got := readBack(t, nodes, ref{e.root, e.Size}, int(e.level)); !slices.Equal(got, refs) {
		t.Errorf("%d chunks came back of %d", len(got), len(refs))
	}
	if want := 2048/32 + 1; len(nodes) < want || len(nodes) > want+2 {
		t.Errorf("%d nodes", len(nodes))
	}
}

func TestAChangeInAListMakesFewNewNodes(t *testing.T) {
	t.Parallel()
	nodes := nodeMap{}
	_, refs := synthetic(t, nodes, 50_000)
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 8 {
		at := rnd.IntN(len(refs))
		changes := map[string][]ref{
			"replaced": append(slices.Clone(refs[:at]), append([]ref{{ID{9, byte(at)}, 77}}, refs[at+1:]...)...),
			"removed":  append(slices.Clone(refs[:at]), refs[at+1:]...),
			"inserted": append(slices.Clone(refs[:at]), append([]ref{{ID{9, byte(at)}, 77}}, refs[at:]...)...),
			"appended": append(slices.Clone(refs), ref{ID{9, byte(at)}, 77}),
			"cut off":  refs[:at+1],
		}
		for name, changed := range changes {
			after := nodeMap{}
			listed(t, after, changed)
			fresh := 0
			for id := range after {
				if nodes[id] == nil {
					fresh++
				}
			}
			// Two levels of nodes and a root; a change may merge or split one.
			if fresh > 6 {
				t.Errorf("a chunk %s at %d makes %d new nodes of %d", name, at, fresh, len(after))
			}
		}
	}
}

// TestAnyListingReadsBack makes trees of many entries without files on disk.
func TestAnyListingReadsBack(t *testing.T) {
	for _, count := range []int{0, 1, 31, 32, 33, 700, 20_000} {
		t.Run(fmt.Sprint(count, " entries"), func(t *testing.T) {
			nodes := nodeMap{}
			list := newListing(nodes.put)
			want := make([]string, count)
			for i := range want {
				e := Entry{Path: fmt.Sprintf("dir %03d/%06d", i/100, i), Kind: KindFile, Size: int64(i), Hash: ID{1}}
				if i > 0 {
					e.inline = []ref{{ID{byte(i)}, int64(i)}}
				}
				want[i] = e.Path
				if err := list.add(&e); err != nil {
					t.Fatal(err)
				}
			}
			id, err := list.finish()
			if err != nil {
				t.Fatal(err)
			}
			root, err := decodeNode(nodes[id])
			if err != nil || root.kind != kindRoot || root.files != int64(count) || root.bytes != int64(count)*int64(count-1)/2 {
				t.Fatalf("root %+v, %v", root, err)
			}
			if got := pathsBelow(t, nodes, root); !slices.Equal(got, want) {
				t.Errorf("%d paths came back of %d", len(got), count)
			}
		})
	}
}

func pathsBelow(t testing.TB, nodes nodeMap, n *node) (paths []string) {
	t.Helper()
	for _, e := range n.entries {
		paths = append(paths, e.Path)
	}
	for _, c := range n.children {
		below, err := decodeNode(nodes[c.id])
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, pathsBelow(t, nodes, below)...)
	}
	return paths
}

func TestAListingRefusesWhatATreeMustNotHold(t *testing.T) {
	cases := []struct {
		name    string
		entries []Entry
	}{
		{"a path that leads up", []Entry{{Path: "../x", Kind: KindDir}}},
		{"an absolute path", []Entry{{Path: "/x", Kind: KindDir}}},
		{"a path of more than 64 KiB", []Entry{{Path: string(bytes.Repeat([]byte("abc/"), 20_000)) + "d", Kind: KindDir}}},
		{"paths out of order", []Entry{{Path: "b", Kind: KindDir}, {Path: "a", Kind: KindDir}}},
		{"a path twice", []Entry{{Path: "a", Kind: KindDir}, {Path: "a", Kind: KindDir}}},
		{"an entry below a file", []Entry{{Path: "a", Kind: KindFile}, {Path: "a/b", Kind: KindDir}}},
		{"an entry beside a single file", []Entry{{Kind: KindFile}, {Path: "a", Kind: KindDir}}},
		{"a directory that is the tree", []Entry{{Kind: KindDir}}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			list, err := newListing(nodeMap{}.put), error(nil)
			for i := range c.entries {
				err = list.add(&c.entries[i])
			}
			if err == nil {
				t.Error("it was taken")
			}
		})
	}
}

func TestPathsAreOrderedByTheirComponents(t *testing.T) {
	sorted := []string{"", "a", "a/b", "a/b/c", "a/b\x01", "a/b.c", "a/bc", "a\x01", "a b", "a-/c", "a.b", "a0", "b", "é", "\xff"}
	for i, a := range sorted {
		for j, b := range sorted {
			got, want := ComparePaths(a, b), i-j
			if (got < 0) != (want < 0) || (got > 0) != (want > 0) {
				t.Errorf("ComparePaths(%q, %q) = %d", a, b, got)
			}
		}
	}
}

// TestNodesOfLongItemsStaySmall lists paths of which few fill a node.
func TestNodesOfLongItemsStaySmall(t *testing.T) {
	nodes := nodeMap{}
	list := newListing(nodes.put)
	var want []string
	for i := range 100 {
		e := Entry{Path: fmt.Sprintf("%03d%s", i, bytes.Repeat([]byte("long/"), 12_000)) + "x", Kind: KindDir}
		want = append(want, e.Path)
		if err := list.add(&e); err != nil {
			t.Fatal(err)
		}
	}
	id, err := list.finish()
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range nodes {
		if len(b) > nodeMaxBytes+maxPathLen+100 {
			t.Errorf("a node of %d bytes", len(b))
		}
	}
	root, err := decodeNode(nodes[id])
	if err != nil {
		t.Fatal(err)
	}
	if got := pathsBelow(t, nodes, root); !slices.Equal(got, want) {
		t.Errorf("%d paths came back of %d", len(got), len(want))
	}
}
