package objects

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/zeebo/blake3"

	"github.com/datafs/datafs/index"
)

// vectors reads a file of fixtures/vectors. They were made from doc.go alone,
// by a program that shares no code with this package.
func vectors[T any](t testing.TB, name string) (v T) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "fixtures", "vectors", filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return v
}

// hexBytes are bytes that stand in a vector as hexadecimal digits.
type hexBytes []byte

func (h *hexBytes) UnmarshalText(b []byte) (err error) {
	*h, err = hex.DecodeString(string(b))
	return err
}

// part is a piece of a stream: the first bytes of the extended output of
// BLAKE3 over a text, or some bytes again and again.
type part struct {
	Xof    string
	Repeat hexBytes
	Length int
}

func stream(parts []part) (out []byte) {
	for _, p := range parts {
		b := make([]byte, p.Length)
		if p.Xof != "" {
			h := blake3.New()
			h.WriteString(p.Xof)
			io.ReadFull(h.Digest(), b)
		} else {
			copy(b, bytes.Repeat(p.Repeat, p.Length/len(p.Repeat)+1))
		}
		out = append(out, b...)
	}
	return out
}

func TestGearTableIsThatOfTheVectors(t *testing.T) {
	v := vectors[struct {
		Words  map[string]string
		Blake3 ID
	}](t, "chunker/gear.json")
	var all []byte
	for i, w := range gearTable() {
		all = binary.LittleEndian.AppendUint64(all, w)
		if want, ok := v.Words[fmt.Sprint(i)]; ok && fmt.Sprintf("%016x", w) != want {
			t.Errorf("word %d is %016x, want %s", i, w, want)
		}
	}
	if got := Hash(all); got != v.Blake3 {
		t.Errorf("the table's hash is %s, want %s", got, v.Blake3)
	}
}

func TestCutPointsAreThoseOfTheVectors(t *testing.T) {
	for _, v := range vectors[[]struct {
		About         string
		Min, Avg, Max int
		Stream        []part
		Cuts          []int
	}](t, "chunker/cuts.json") {
		t.Run(v.About, func(t *testing.T) {
			p := Params{"gear-v1", v.Min, v.Avg, v.Max}
			if err := p.Validate(); err != nil {
				t.Fatal(err)
			}
			got := cutAll(NewChunker(p), stream(v.Stream))
			if !slices.Equal(got, v.Cuts) {
				t.Errorf("got  %v\nwant %v", got, v.Cuts)
			}
		})
	}
}

// cutAll returns the lengths of the chunks of b.
func cutAll(c *Chunker, b []byte) (cuts []int) {
	for len(b) > 0 {
		n := c.Cut(b[:min(len(b), c.Max())])
		cuts = append(cuts, n)
		b = b[n:]
	}
	return cuts
}

func TestShuffleIsThatOfTheVectors(t *testing.T) {
	for _, v := range vectors[[]struct {
		About         string
		Filter        uint8
		Raw, Shuffled hexBytes
	}](t, "codec/shuffle.json") {
		got, back := make([]byte, len(v.Raw)), make([]byte, len(v.Raw))
		applyFilter(got, v.Raw, v.Filter)
		undoFilter(back, bytes.Clone(v.Shuffled), v.Filter)
		if !bytes.Equal(got, v.Shuffled) || !bytes.Equal(back, v.Raw) {
			t.Errorf("%s: shuffled %x, unshuffled %x", v.About, got, back)
		}
	}
}

type storedVector struct {
	About         string
	Codec, Filter uint8
	Stored, Raw   hexBytes
	Length        int // of a broken one
}

func TestStoredChunksOfTheVectorsDecode(t *testing.T) {
	var d decoder
	for _, v := range vectors[[]storedVector](t, "codec/stored.json") {
		got, err := d.decode([]byte("before "), v.Stored, v.Codec, v.Filter, len(v.Raw))
		if want := "before " + string(v.Raw); err != nil || string(got) != want {
			t.Errorf("%s: got %q, %v; want %q", v.About, got, err, want)
		}
	}
}

func TestBrokenStoredChunksOfTheVectorsAreRefused(t *testing.T) {
	var d decoder
	for _, v := range vectors[[]storedVector](t, "codec/broken.json") {
		got, err := d.decode([]byte("before "), v.Stored, v.Codec, v.Filter, v.Length)
		if err == nil || string(got) != "before " {
			t.Errorf("%s: got %d bytes, %v", v.About, len(got), err)
		}
	}
}

func TestDeltasOfTheVectors(t *testing.T) {
	for _, v := range vectors[[]struct {
		About       string
		Bases       []hexBytes
		Stored, Raw hexBytes
		Length      int // of a broken one
	}](t, "codec/delta.json") {
		var d decoder
		var ids []ID
		var base []byte
		for _, b := range v.Bases {
			ids, base = append(ids, Hash(b)), append(base, b...)
		}
		sd, err := parseDelta(v.Stored)
		got := []byte("before ")
		if err == nil {
			got, _, err = d.decodeStored(got, base, sd, nil, max(v.Length, len(v.Raw)))
		}
		if want := "before " + string(v.Raw); string(got) != want || (err == nil) != (v.Raw != nil) {
			t.Errorf("%s: got %q, %v; want %q", v.About, got, err, want)
		}
		if v.Raw != nil && !slices.Equal(sd.bases, ids) {
			t.Errorf("%s: bases %v, want %v", v.About, sd.bases, ids)
		}
	}
}

type packVector struct {
	About  string
	Hex    hexBytes
	ID     ID
	Chunks []struct {
		ID  ID
		Raw hexBytes
	}
}

func TestPacksOfTheVectorsAreRead(t *testing.T) {
	for _, v := range vectors[[]packVector](t, "pack/good.json") {
		id, entries, err := readTable(bytes.NewReader(v.Hex), int64(len(v.Hex)))
		if err != nil || id != v.ID || len(entries) != len(v.Chunks) {
			t.Errorf("%s: pack %s of %d chunks, %v", v.About, id, len(entries), err)
			continue
		}
		var d decoder
		for i, e := range entries {
			stored := v.Hex[e.Offset : e.Offset+uint64(e.Stored)]
			raw, err := d.decode(nil, stored, e.Codec, e.Filter, int(e.Raw))
			if err != nil || e.ID != v.Chunks[i].ID || !bytes.Equal(raw, v.Chunks[i].Raw) || Hash(raw) != e.ID {
				t.Errorf("%s: chunk %d: %x, %v", v.About, i, raw, err)
			}
		}
	}
}

// TestPacksOfTheVectorsAreWritten shows that a pack of raw chunks is written as
// the format says, byte for byte.
func TestPacksOfTheVectorsAreWritten(t *testing.T) {
	v := vectors[[]packVector](t, "pack/good.json")[0]
	s := newStore(t)
	w := newWriter(t, s, &WriterOptions{})
	_, entries, err := readTable(bytes.NewReader(v.Hex), int64(len(v.Hex)))
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(entries, func(a, b index.Entry) int { return int(a.Offset) - int(b.Offset) })
	p, err := newPackWriter(s.dir, w.packer.buf)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if err := p.add(index.Entry{ID: e.ID, Raw: e.Raw}, v.Hex[e.Offset:e.Offset+uint64(e.Stored)]); err != nil {
			t.Fatal(err)
		}
	}
	pack, err := p.commit()
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(packPath(s.dir, v.ID))
	if err != nil || !bytes.Equal(got, v.Hex) {
		t.Errorf("wrote %x, %v\nwant %x", got, err, v.Hex)
	}
	if err := s.index.AddPacks(t.Context(), localSpace, pack); err != nil {
		t.Fatal(err)
	}
}

func TestBrokenPacksOfTheVectorsAreRefused(t *testing.T) {
	for _, v := range vectors[[]packVector](t, "pack/broken.json") {
		if id, entries, err := readTable(bytes.NewReader(v.Hex), int64(len(v.Hex))); err == nil {
			t.Errorf("%s: read as pack %s of %d chunks", v.About, id, len(entries))
		}
	}
}

type nodeVector struct {
	About        string
	Hex          hexBytes
	ID           ID
	Kind, Level  uint8
	Files, Bytes int64
	Items        []string
}

func TestNodesOfTheVectorsAreRead(t *testing.T) {
	for _, v := range vectors[[]nodeVector](t, "tree/nodes.json") {
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
	for _, v := range vectors[[]nodeVector](t, "tree/broken.json") {
		if n, err := decodeNode(v.Hex); err == nil {
			t.Errorf("%s: read as %+v", v.About, n)
		}
	}
}

func TestListsOfTheVectorsAreCutTheSame(t *testing.T) {
	for _, v := range vectors[[]struct {
		About        string
		Count, Nodes int
		Content      hexBytes
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
		Stream                 []part
	}
	ID ID
}

func TestTreesOfTheVectorsHaveTheirIDs(t *testing.T) {
	t.Parallel()
	for _, v := range vectors[[]treeVector](t, "tree/trees.json") {
		t.Run(v.About, func(t *testing.T) {
			s := newStoreWith(t, Params{"gear-v1", v.Min, v.Avg, v.Max})
			dir := t.TempDir()
			for i := range v.Many {
				writeFile(t, dir, fmt.Sprintf("%02d/%04d.txt", i/100, i), 0o644, fmt.Appendf(nil, "file %d\n", i))
			}
			for _, e := range v.Entries {
				switch e.Kind {
				case "file":
					writeFile(t, dir, e.Path, 0o644, append(stream(e.Stream), e.Text...))
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
	for _, v := range vectors[[]treeVector](t, "tree/trees.json") {
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
