package objects

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/datafs/datafs/fixtures/samples"
	"github.com/datafs/datafs/index"
)

// storeChunks puts chunks into a pack of their own and returns their ids.
func storeChunks(t testing.TB, s *Store, raws ...[]byte) (ids []ID) {
	t.Helper()
	p, err := s.packs.NewWriter(bufio.NewWriter(nil))
	if err != nil {
		t.Fatal(err)
	}
	for _, raw := range raws {
		ids = append(ids, Hash(raw))
		if err := p.Add(index.Entry{ID: Hash(raw), Raw: uint32(len(raw))}, raw); err != nil {
			t.Fatal(err)
		}
	}
	pack, err := p.Commit()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.index.AddPacks(t.Context(), localSpace, pack); err != nil {
		t.Fatal(err)
	}
	return ids
}

// craft makes nodes that no Writer would make.
type craft struct {
	t testing.TB
	s *Store
}

func (c craft) put(parts ...[]byte) ID {
	c.t.Helper()
	var b []byte
	for _, p := range parts {
		b = append(b, p...)
	}
	return storeChunks(c.t, c.s, b)[0]
}

func rootPrefix(level uint8) []byte {
	return append(nodePrefix(kindRoot, level), 0, 0)
}

func dirEntry(path string) []byte { return appendEntry(nil, &Entry{Path: path, Kind: KindDir}) }
func linkEntry(path, target string) []byte {
	return appendEntry(nil, &Entry{Path: path, Kind: KindSymlink, Link: target})
}

// fileEntry is a file of one chunk, which need not be in the store.
func fileEntry(path, content string) []byte {
	e := Entry{Path: path, Kind: KindFile, Size: int64(len(content)), Hash: Hash([]byte(content))}
	if content != "" {
		e.inline = []ref{{e.Hash, e.Size}}
	}
	return appendEntry(nil, &e)
}

// bigEntry is a file whose content is below a node.
func bigEntry(path string, size int64, root ID, level uint8) []byte {
	return appendEntry(nil, &Entry{Path: path, Kind: KindFile, Size: size, root: root, level: level})
}

func (c craft) content(level uint8, refs ...ref) ID {
	c.t.Helper()
	var items []byte
	for _, r := range refs {
		items = appendRef(items, r)
	}
	return c.put(nodePrefix(kindContent, level), items)
}

func (c craft) listing(entries ...[]byte) ID {
	c.t.Helper()
	return c.put(append([][]byte{nodePrefix(kindListing, 0)}, entries...)...)
}

// checkRefused reads a tree in every way: each must end with ErrCorrupt, and
// the directory next to where it is written to must stay empty.
func checkRefused(t *testing.T, s *Store, id ID) {
	t.Helper()
	base := t.TempDir()
	mkdir(t, base, "in/side")
	tree, err := s.Tree(t.Context(), id)
	if err == nil {
		err = readAll(t, tree)
	}
	if !errors.Is(err, ErrCorrupt) {
		t.Errorf("reading gave %v", err)
	}
	if tree != nil {
		for _, replace := range []bool{false, true} {
			err := tree.Extract(t.Context(), filepath.Join(base, "in/side"), &ExtractOptions{Replace: replace})
			if !errors.Is(err, ErrCorrupt) && !(replace && errors.Is(err, fs.ErrExist)) {
				t.Errorf("Extract gave %v", err)
			}
		}
	}
	for p := range listDir(t, base) {
		if p != "in" && p != "in/side" && !strings.HasPrefix(p, "in/side/") {
			t.Errorf("%q was written outside", p)
		}
	}
}

func readAll(t *testing.T, tree *Tree) error {
	for e, err := range tree.Entries(t.Context()) {
		if err != nil {
			return err
		}
		if !e.Kind.IsFile() {
			continue
		}
		if _, err := tree.s.stream(t.Context(), &e, 0, io.Discard); err != nil {
			return err
		}
		f := tree.s.OpenEntry(t.Context(), e)
		if _, err := f.ReadAt(make([]byte, 1), e.Size/2); e.Size > 0 && err != nil {
			return err
		}
	}
	return nil
}

func TestATreeWithABadEntryIsRefused(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	c := craft{t, s}
	storeChunks(t, s, []byte("one"))
	for _, v := range samples.Vectors[[]nodeVector](t, "tree/broken.json") {
		if len(v.Hex) < nodeHeader || v.Hex[5] != kindListing || v.Hex[6] != 0 || len(v.Hex) == nodeHeader {
			continue
		}
		t.Run(v.About, func(t *testing.T) {
			bad := v.Hex[nodeHeader:]
			checkRefused(t, s, c.put(rootPrefix(0), bad))
			checkRefused(t, s, c.put(rootPrefix(1), appendChild(nil, child{c.listing(bad), "a"})))
		})
	}
}

func TestATreeWhoseNodesDoNotFitIsRefused(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	c := craft{t, s}
	one := storeChunks(t, s, []byte("one"), []byte("two"), []byte("four"))[0]
	at := func(id ID, first string) []byte { return appendChild(nil, child{id, first}) }
	big := int64(1) << 61
	leaf := c.content(0, ref{one, 3}, ref{Hash([]byte("two")), 3})
	cases := map[string]ID{
		"a node is missing":          c.put(rootPrefix(1), at(ID{1}, "a")),
		"a node begins elsewhere":    c.put(rootPrefix(1), at(c.listing(dirEntry("b")), "a")),
		"a node is at another level": c.put(rootPrefix(2), at(c.listing(dirEntry("a")), "a")),
		"a node is content":          c.put(rootPrefix(1), at(leaf, "a")),
		"a node is a root":           c.put(rootPrefix(1), at(c.put(rootPrefix(0), dirEntry("a")), "a")),
		"the root is a listing":      c.listing(dirEntry("a")),
		"the root is no node":        one,
		"the root is missing":        {7},
		"a path of the node before":  c.put(rootPrefix(1), at(c.listing(dirEntry("a"), dirEntry("c")), "a"), at(c.listing(dirEntry("b")), "b")),
		"the last path of the node before": c.put(rootPrefix(1), at(c.listing(dirEntry("a"), dirEntry("c")), "a"),
			at(c.listing(dirEntry("bb"), dirEntry("c")), "bb")),
		"a file below a link of the node before": c.put(rootPrefix(1), at(c.listing(dirEntry("a"), linkEntry("l", "a")), "a"),
			at(c.listing(fileEntry("l/x", "one")), "l/x")),
		"a file below a file of the node before": c.put(rootPrefix(1), at(c.listing(fileEntry("f", "one")), "f"),
			at(c.listing(fileEntry("f/x", "one")), "f/x")),
		"a chunk is missing":          c.put(rootPrefix(0), fileEntry("a", "not there")),
		"a chunk has another length":  c.put(rootPrefix(0), bigEntry("a", 4, c.content(0, ref{one, 4}), 1)),
		"content of another level":    c.put(rootPrefix(0), bigEntry("a", 6, leaf, 2)),
		"content that is longer":      c.put(rootPrefix(0), bigEntry("a", 5, leaf, 1)),
		"content that is shorter":     c.put(rootPrefix(0), bigEntry("a", 7, leaf, 1)),
		"content that is a listing":   c.put(rootPrefix(0), bigEntry("a", 7, c.listing(dirEntry("a")), 1)),
		"content that is missing":     c.put(rootPrefix(0), bigEntry("a", 7, ID{9}, 1)),
		"content that is a chunk":     c.put(rootPrefix(0), bigEntry("a", 3, one, 1)),
		"a file of 2^62 bytes":        c.put(rootPrefix(0), bigEntry("a", 2*big, c.content(0, ref{one, big}, ref{Hash([]byte("two")), big}), 1)),
		"a file of 2^62 bytes, deep":  c.put(rootPrefix(0), bigEntry("a", 2*big, c.content(1, ref{leaf, big}, ref{leaf, big}), 2)),
		"a chunk of 2^61 bytes":       c.put(rootPrefix(0), appendEntry(nil, &Entry{Path: "a", Kind: KindFile, Size: big, inline: []ref{{one, big}}})),
		"a root of level 1, no items": c.put(rootPrefix(1)),
	}
	for name, id := range cases {
		t.Run(name, func(t *testing.T) { checkRefused(t, s, id) })
	}
}

// TestABrokenTreeIsNamed shows that an error says which tree it is about.
func TestABrokenTreeIsNamed(t *testing.T) {
	s := newStore(t)
	c := craft{t, s}
	id := c.put(rootPrefix(1), appendChild(nil, child{ID{1}, "a"}))
	err := readAll(t, openTree(t, s, id))
	if err == nil || !strings.Contains(err.Error(), id.String()) {
		t.Error(err)
	}
	if _, err = s.Tree(t.Context(), ID{2}); err == nil || !strings.Contains(err.Error(), (ID{2}).String()) {
		t.Error(err)
	}
	var done Marks
	if err := s.CheckTree(t.Context(), id, &done); !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), id.String()) {
		t.Errorf("CheckTree: %v", err)
	}
	if _, err := openTree(t, s, id).Entry(t.Context(), "x"); !errors.Is(err, ErrCorrupt) {
		t.Errorf("Entry: %v", err)
	}
}

// TestCheckTreeMissesNothing damages what a good tree needs, one thing at a time.
func TestCheckTreeMissesNothing(t *testing.T) {
	s := newStore(t)
	c := craft{t, s}
	gone := c.put(rootPrefix(0), fileEntry("a", "not there"))
	deep := c.content(0, ref{Hash([]byte("one")), 3}, ref{ID{5}, 3})
	storeChunks(t, s, []byte("one"))
	cases := map[string]ID{
		"a chunk in place":     gone,
		"a chunk below a node": c.put(rootPrefix(0), bigEntry("a", 6, deep, 1)),
		"a node":               c.put(rootPrefix(0), bigEntry("a", 6, ID{6}, 1)),
		"a node of level 1":    c.put(rootPrefix(0), bigEntry("a", 12, c.content(1, ref{deep, 6}, ref{ID{6}, 6}), 2)),
		"a listing":            c.put(rootPrefix(1), appendChild(nil, child{ID{6}, "a"})),
	}
	for name, id := range cases {
		for range 2 { // the second time nothing may count as done
			var done Marks
			if err := s.CheckTree(t.Context(), id, &done); !errors.Is(err, ErrCorrupt) {
				t.Errorf("%s is missing: %v", name, err)
			}
		}
	}
}

// victim makes a directory beside the one to extract to, and checks at the end
// that it is as it was.
func victim(t *testing.T) (dir, outside string) {
	base := t.TempDir()
	mkdir(t, base, "dir")
	writeFile(t, base, "outside/secret", 0o644, []byte("secret"))
	writeFile(t, base, "outside/sub/file", 0o644, []byte("file"))
	before := fmt.Sprint(listDir(t, filepath.Join(base, "outside")))
	t.Cleanup(func() {
		if after := fmt.Sprint(listDir(t, filepath.Join(base, "outside"))); after != before {
			t.Errorf("outside is now %s, was %s", after, before)
		}
	})
	return filepath.Join(base, "dir"), filepath.Join(base, "outside")
}

func TestExtractDoesNotFollowALinkOutOfTheDirectory(t *testing.T) {
	t.Parallel()
	s, src := newStore(t), t.TempDir()
	writeFile(t, src, "d/file", 0o644, []byte("new"))
	writeFile(t, src, "d/sub/file", 0o644, []byte("new"))
	writeFile(t, src, "d/large", 0o644, samples.Random(1, extractLarge))
	mkdir(t, src, "d/empty")
	symlink(t, src, "d/link", "file")
	tree := openTree(t, s, takePath(t, s, src).Tree)
	for _, replace := range []bool{false, true} {
		for _, target := range []string{"outside", "../outside", "up/outside"} {
			dir, outside := victim(t)
			if target == "outside" {
				target = outside
			}
			symlink(t, dir, "up", "..")
			symlink(t, dir, "d", target)
			err := tree.Extract(t.Context(), dir, &ExtractOptions{Replace: replace})
			if err == nil {
				t.Errorf("a link to %s was followed", target)
			}
		}
	}
}

func TestExtractReplacesALinkNotWhatItLeadsTo(t *testing.T) {
	s, src := newStore(t), t.TempDir()
	writeFile(t, src, "secret", 0o644, []byte("new"))
	writeFile(t, src, "large", 0o644, samples.Random(1, extractLarge))
	symlink(t, src, "link", "secret")
	tree := openTree(t, s, takePath(t, s, src).Tree)
	dir, outside := victim(t)
	for _, name := range []string{"secret", "large", "link"} {
		symlink(t, dir, name, filepath.Join(outside, "secret"))
	}
	before := listDir(t, dir)
	if err := tree.Extract(t.Context(), dir, &ExtractOptions{}); !errors.Is(err, fs.ErrExist) {
		t.Errorf("without Replace: %v", err)
	}
	if after := listDir(t, dir); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("without Replace the directory is %v, was %v", after, before)
	}
	if err := tree.Extract(t.Context(), dir, &ExtractOptions{Replace: true}); err != nil {
		t.Fatal(err)
	}
	sameDirs(t, dir, src)
}

func TestExtractReplacesFilesAndLeavesOthers(t *testing.T) {
	t.Parallel()
	s, src, dir := newStore(t), t.TempDir(), t.TempDir()
	long := strings.Repeat("long name ", 20)
	for i := range extractGroup + 200 { // so that several workers write them
		writeFile(t, src, fmt.Sprintf("%s%d", long, i), 0o644, []byte("the same in all"))
	}
	writeFile(t, src, "d/file", 0o755, []byte("new"))
	tree := openTree(t, s, takePath(t, s, src).Tree)
	writeFile(t, dir, "d/file", 0o644, []byte("old"))
	for range 2 {
		if err := tree.Extract(t.Context(), dir, &ExtractOptions{Replace: true}); err != nil {
			t.Fatal(err)
		}
		sameDirs(t, dir, src)
	}
	writeFile(t, dir, "d/mine", 0o644, []byte("mine"))
	if err := tree.Extract(t.Context(), dir, &ExtractOptions{Replace: true}); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(filepath.Join(dir, "d/mine")); err != nil || string(got) != "mine" {
		t.Errorf("got %q, %v", got, err)
	}
}

// TestExtractIsNotHinderedByAKilledOne leaves what a killed Extract leaves.
func TestExtractIsNotHinderedByAKilledOne(t *testing.T) {
	s, src, dir := newStore(t), t.TempDir(), t.TempDir()
	writeFile(t, src, "file", 0o644, []byte("content"))
	tree := openTree(t, s, takePath(t, s, src).Tree)
	var left string
	x := &extraction{t: tree, opts: &ExtractOptions{Replace: true}}
	var err error
	if x.root, err = os.OpenRoot(dir); err != nil {
		t.Fatal(err)
	}
	defer x.root.Close()
	e, err := tree.Entry(t.Context(), "file")
	if err != nil {
		t.Fatal(err)
	}
	x.write(e, func(io.Writer) error {
		made, err := filepath.Glob(filepath.Join(dir, ".datafs-*"))
		if err != nil || len(made) != 1 {
			t.Fatalf("got %q, %v", made, err)
		}
		left = filepath.Base(made[0])
		return errors.New("killed")
	})
	writeFile(t, dir, left, 0o644, []byte("cont"))
	if err := tree.Extract(t.Context(), dir, &ExtractOptions{Replace: true}); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(filepath.Join(dir, "file")); err != nil || string(got) != "content" {
		t.Errorf("got %q, %v", got, err)
	}
}

// TestContentOfManyLevelsIsRead reads a file through the deepest nodes that
// there may be: each has one item.
func TestContentOfManyLevelsIsRead(t *testing.T) {
	s := newStore(t)
	c := craft{t, s}
	chunk := []byte("at the bottom")
	id := storeChunks(t, s, chunk)[0]
	r := ref{id, int64(len(chunk))}
	for level := range uint8(maxNodeLevel + 1) {
		r.id = c.content(level, r)
	}
	e := bigEntry("", r.len, r.id, maxNodeLevel+1)
	root := binary.AppendUvarint(append(nodePrefix(kindRoot, 0), 1), uint64(r.len))
	tree := c.put(root, e)
	got, err := readFile(t.Context(), s, tree)
	if err != nil || string(got) != string(chunk) {
		t.Errorf("got %q, %v", got, err)
	}
	if err := s.CheckTree(t.Context(), tree, &Marks{}); err != nil {
		t.Error(err)
	}
}

// TestADirectoryThatBeginsWithANodeIsFound looks for directories whose first
// entry is the first of a node, one or two levels down.
func TestADirectoryThatBeginsWithANodeIsFound(t *testing.T) {
	s := newStore(t)
	c := craft{t, s}
	at := func(id ID, first string) []byte { return appendChild(nil, child{id, first}) }
	listing := func(first string) []byte { return at(c.listing(dirEntry(first)), first) }
	left := c.put(nodePrefix(kindListing, 1), listing("a/x"), listing("b/x"))
	right := c.put(nodePrefix(kindListing, 1), listing("c/x"), listing("d/x"))
	tree := openTree(t, s, c.put(rootPrefix(2), at(left, "a/x"), at(right, "c/x")))
	for _, path := range []string{"a", "b", "c", "d", "a/x", "b/x", "c/x", "d/x"} {
		if e, err := tree.Entry(t.Context(), path); err != nil || e.Kind != KindDir || e.Path != path {
			t.Errorf("%q: %+v, %v", path, e, err)
		}
	}
	for _, path := range []string{"", "0", "a/y", "bb", "b/y", "c/w", "d/x/y", "e"} {
		if e, err := tree.Entry(t.Context(), path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%q: %+v, %v", path, e, err)
		}
	}
}
