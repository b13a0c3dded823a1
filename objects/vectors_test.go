package objects

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/datafs/datafs/fixtures/samples"
	"github.com/datafs/datafs/objects/codec"
)

type nodeVector struct {
	About        string
	Hex          samples.HexBytes
	ID           ID
	Kind, Level  uint8
	Files, Bytes int64
	Items        []string
}

func TestNodesOfTheVectorsAreRead(t *testing.T) {
	for _, v := range samples.Vectors[[]nodeVector](t, "tree/nodes.json") {
		n, err := decodeNode(v.Hex)
		if err != nil {
			t.Errorf("%s: %v", v.About, err)
			continue
		}
		if Hash(v.Hex) != v.ID || n.kind != v.Kind || n.level != v.Level || n.files != v.Files || (n.kind == kindRoot && n.bytes != v.Bytes) {
			t.Errorf("%s: %+v", v.About, n)
		}
		if got := itemsOf(n); !slices.Equal(got, v.Items) {
			t.Errorf("%s: items %q, want %q", v.About, got, v.Items)
		}
	}
}

// itemsOf shows a node's items as the vectors do.
func itemsOf(n *node) (items []string) {
	for _, r := range n.refs {
		items = append(items, fmt.Sprintf("%s %d", r.id, r.len))
	}
	for _, c := range n.children {
		items = append(items, fmt.Sprintf("%s %q", c.id, c.first))
	}
	names := map[Kind]string{KindFile: "file", KindExec: "exec", KindDir: "dir", KindSymlink: "link"}
	for _, e := range n.entries {
		s := fmt.Sprintf("%s %q", names[e.Kind], e.Path)
		switch e.Kind {
		case KindFile, KindExec:
			s += fmt.Sprintf(" %d", e.Size)
		case KindSymlink:
			s += fmt.Sprintf(" %q", e.Link)
		}
		items = append(items, s)
	}
	return items
}

func TestBrokenNodesOfTheVectorsAreRefused(t *testing.T) {
	for _, v := range samples.Vectors[[]nodeVector](t, "tree/broken.json") {
		if n, err := decodeNode(v.Hex); err == nil {
			t.Errorf("%s: read as %+v", v.About, n)
		}
	}
}

func TestListsOfTheVectorsAreCutTheSame(t *testing.T) {
	for _, v := range samples.Vectors[[]struct {
		About        string
		Count, Nodes int
		Content      samples.HexBytes
	}](t, "tree/lists.json") {
		nodes := nodeMap{}
		e, _ := synthetic(t, nodes, v.Count)
		// The content is what follows kind, path, size and hash of an entry.
		got := appendEntry(nil, &e)[2+len(binary.AppendUvarint(nil, uint64(e.Size)))+32:]
		if !bytes.Equal(got, v.Content) || len(nodes) != v.Nodes {
			t.Errorf("%s: %x and %d nodes, want %x and %d", v.About, got, len(nodes), v.Content, v.Nodes)
		}
	}
}

type treeVector struct {
	About         string
	Min, Avg, Max int
	Many          int
	Entries       []struct {
		Path, Kind, Text, Link string
		Stream                 []samples.Part
	}
	ID ID
}

func TestTreesOfTheVectorsHaveTheirIDs(t *testing.T) {
	t.Parallel()
	for _, v := range samples.Vectors[[]treeVector](t, "tree/trees.json") {
		t.Run(v.About, func(t *testing.T) {
			s := newStoreWith(t, codec.Params{Algorithm: "gear-v1", Min: v.Min, Avg: v.Avg, Max: v.Max})
			dir := t.TempDir()
			for i := range v.Many {
				writeFile(t, dir, fmt.Sprintf("%02d/%04d.txt", i/100, i), 0o644, fmt.Appendf(nil, "file %d\n", i))
			}
			for _, e := range v.Entries {
				switch e.Kind {
				case "file":
					writeFile(t, dir, e.Path, 0o644, append(samples.Stream(e.Stream), e.Text...))
				case "exec":
					writeFile(t, dir, e.Path, 0o755, []byte(e.Text))
				case "dir":
					mkdir(t, dir, e.Path)
				case "link":
					symlink(t, dir, e.Path, e.Link)
				}
			}
			name := dir
			if len(v.Entries) == 1 && v.Entries[0].Path == "" {
				name = filepath.Join(dir, "single")
			}
			if got := takePath(t, s, name).Tree; got != v.ID {
				t.Errorf("got tree %s, want %s", got, v.ID)
			}
		})
	}
}

// TestTheFormatPageIsTrue compares the worked example of docs/format.md.
func TestTheFormatPageIsTrue(t *testing.T) {
	page, err := os.ReadFile("../docs/format.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range samples.Vectors[[]treeVector](t, "tree/trees.json") {
		if !strings.HasPrefix(v.About, "the example of") {
			continue
		}
		want := []string{v.ID.String()}
		for _, e := range v.Entries {
			if e.Text != "" {
				want = append(want, Hash([]byte(e.Text)).String())
			}
		}
		for _, id := range want {
			if !bytes.Contains(page, []byte(id)) {
				t.Errorf("the page does not name %s", id)
			}
		}
	}
}
