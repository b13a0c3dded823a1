package checkout

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/zeebo/blake3"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/objects"
)

// A checkout's manifest says what was written to a directory, so that the next
// checkout knows its own files. docs/format.md describes it byte by byte.
const (
	manifestName    = ".datafs-checkout"
	manifestMagic   = "DFSCHECK"
	manifestVersion = 1

	maxManifest       = 1 << 30 // bytes; some ten million files
	maxManifestString = 64 << 10
)

// The flags of a file in a manifest.
const (
	flagStat  = 1 << iota // its state is known
	flagWas               // what was there before may still be
	flagFound             // it was there already, and not written
	flagLeft              // the archive does not have it any more
)

// manifest is what a directory's checkouts wrote.
type manifest struct {
	dirs     []string // that were made, in order
	archives []checkedArchive
}

// checkedArchive is one archive, in order of its name.
type checkedArchive struct {
	name, version string
	tree          objects.ID
	dir           bool
	files         []checkedFile // in the order of a tree
}

// checkedFile is one entry of an archive. Its path begins at the archive.
type checkedFile struct {
	path  string
	found bool // it was there already with the right content, and not written
	left  bool // of an earlier version: the archive does not have it any more
	size  int64
	identity
	stat index.Stat
	at   int64     // when stat was known to be right; 0: the file may not be there yet
	was  *identity // then this may be there instead, which was written before
}

// identity is what makes two entries the same.
type identity struct {
	kind objects.Kind
	hash objects.ID // of a file
	link string     // of a link
}

// cached is what is known of the file on disk.
func (f *checkedFile) cached() index.Cached {
	return index.Cached{Stat: f.stat, Hash: f.hash, At: f.at}
}

// encode returns the manifest's bytes.
func (m *manifest) encode() []byte {
	var b bytes.Buffer
	list := make([]*checkedArchive, len(m.archives))
	for i := range m.archives {
		list[i] = &m.archives[i]
	}
	writeManifest(&b, m.dirs, list) // a buffer takes all
	return b.Bytes()
}

// writeManifest writes a manifest of directories and archives, both in order.
func writeManifest(w io.Writer, dirs []string, archives []*checkedArchive) error {
	h := blake3.New()
	out := bufio.NewWriterSize(io.MultiWriter(h, w), 256<<10)
	b := append([]byte(manifestMagic), manifestVersion)
	b = binary.AppendUvarint(b, uint64(len(dirs)))
	for _, dir := range dirs {
		b = appendText(b, dir)
	}
	b = binary.AppendUvarint(b, uint64(len(archives)))
	for _, a := range archives {
		if _, err := out.Write(a.encode(b)); err != nil {
			return err
		}
		b = b[:0]
	}
	_, err := out.Write(b)
	if err := errors.Join(err, out.Flush()); err != nil {
		return err
	}
	_, err = w.Write(h.Sum(nil))
	return err
}

func (a *checkedArchive) encode(b []byte) []byte {
	b = appendText(b, a.name)
	b = appendText(b, a.version)
	b = append(b, a.tree[:]...)
	kind := byte(0)
	if a.dir {
		kind = 1
	}
	b = append(b, kind)
	b = binary.AppendUvarint(b, uint64(len(a.files)))
	for i := range a.files {
		b = a.files[i].encode(b)
	}
	return b
}

func (f *checkedFile) encode(b []byte) []byte {
	b = appendText(b, f.path)
	b = append(b, f.flags())
	b = f.identity.encode(b)
	if f.kind.IsFile() {
		b = binary.AppendUvarint(b, uint64(f.size))
	}
	if f.at != 0 {
		for _, n := range [...]int64{f.stat.MTime, f.stat.CTime, f.at} {
			b = binary.AppendVarint(b, n)
		}
		b = binary.AppendUvarint(b, f.stat.Dev)
		b = binary.AppendUvarint(b, f.stat.Inode)
	}
	if f.was != nil {
		b = f.was.encode(b)
	}
	return b
}

func (f *checkedFile) flags() (flags byte) {
	if f.at != 0 {
		flags |= flagStat
	}
	if f.was != nil {
		flags |= flagWas
	}
	if f.found {
		flags |= flagFound
	}
	if f.left {
		flags |= flagLeft
	}
	return flags
}

func (id *identity) encode(b []byte) []byte {
	b = append(b, byte(id.kind))
	switch {
	case id.kind.IsFile():
		b = append(b, id.hash[:]...)
	case id.kind == objects.KindSymlink:
		b = appendText(b, id.link)
	}
	return b
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// decodeManifest reads what encode wrote. Damage is index.ErrCorrupt.
func decodeManifest(b []byte) (*manifest, error) {
	body, found := bytes.CutPrefix(b, []byte(manifestMagic))
	if !found || len(body) < 1+len(objects.ID{}) {
		return nil, leaf.Errorf(index.ErrCorrupt, "it is not a manifest of a checkout")
	}
	if body[0] != manifestVersion {
		return nil, fmt.Errorf("version %d of the manifest is not known to this program (it knows %d): use a newer datafs", body[0], manifestVersion)
	}
	end := len(b) - len(objects.ID{})
	if objects.Hash(b[:end]) != objects.ID(b[end:]) {
		return nil, leaf.Errorf(index.ErrCorrupt, "the checksum of the manifest is wrong")
	}
	c := &manifestCursor{b: b[len(manifestMagic)+1 : end]}
	m := &manifest{}
	for range c.count(1) {
		m.dirs = append(m.dirs, c.path(false))
	}
	n := c.count(36)
	m.archives = make([]checkedArchive, 0, min(n, 1<<17))
	for range n {
		m.archives = append(m.archives, c.archive())
	}
	if c.err == nil && len(c.b) > 0 {
		c.fail("bytes behind the last archive")
	}
	if c.err == nil {
		c.err = m.checkOrder()
	}
	if c.err != nil {
		return nil, fmt.Errorf("%w: manifest: %w", index.ErrCorrupt, c.err)
	}
	return m, nil
}

// checkOrder refuses lists that are not in order: all who use them search.
func (m *manifest) checkOrder() error {
	if !slices.IsSortedFunc(m.dirs, objects.ComparePaths) {
		return errors.New("directories are not in order")
	}
	for i := range m.archives {
		a := &m.archives[i]
		if i > 0 && m.archives[i-1].name >= a.name {
			return errors.New("archives are not in order")
		}
		for j := 1; j < len(a.files); j++ {
			if objects.ComparePaths(a.files[j-1].path, a.files[j].path) >= 0 {
				return fmt.Errorf("files of %q are not in order", a.name)
			}
		}
	}
	return nil
}

// manifestCursor reads fields. After the first error all are zero.
type manifestCursor struct {
	b   []byte
	err error
}

func (c *manifestCursor) fail(text string) {
	if c.err == nil {
		c.err, c.b = errors.New(text), nil
	}
}

func (c *manifestCursor) uvarint() uint64 {
	v, n := binary.Uvarint(c.b)
	if n <= 0 {
		c.fail("it ends in the middle of a number")
		return 0
	}
	c.b = c.b[n:]
	return v
}

func (c *manifestCursor) varint() int64 {
	v, n := binary.Varint(c.b)
	if n <= 0 {
		c.fail("it ends in the middle of a number")
		return 0
	}
	c.b = c.b[n:]
	return v
}

// count reads how many items of at least size bytes follow.
func (c *manifestCursor) count(size int) int {
	n := c.uvarint()
	if n > uint64(len(c.b)/size) {
		c.fail("there are fewer items than it says")
		return 0
	}
	return int(n)
}

func (c *manifestCursor) take(n int) []byte {
	if n > len(c.b) {
		c.fail("it ends in the middle of an item")
		return nil
	}
	out := c.b[:n]
	c.b = c.b[n:]
	return out
}

func (c *manifestCursor) byte() byte {
	if b := c.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (c *manifestCursor) id() (id objects.ID) {
	copy(id[:], c.take(len(id)))
	return id
}

func (c *manifestCursor) text() string {
	n := c.uvarint()
	if n > maxManifestString {
		c.fail("a string is too long")
		return ""
	}
	return string(c.take(int(n)))
}

// path reads a path that stays below where it begins; it may be empty where
// that is said.
func (c *manifestCursor) path(empty bool) string {
	s := c.text()
	if c.err == nil && !(s == "" && empty) && !validPath(s) {
		c.fail(fmt.Sprintf("path %.100q is not clean", s))
	}
	return s
}

// validPath says that a path has no empty part, "." or "..", and no NUL byte.
func validPath(s string) bool {
	for part := range strings.SplitSeq(s, "/") {
		if part == "" || part == "." || part == ".." {
			return false
		}
	}
	return !strings.ContainsRune(s, 0)
}

func (c *manifestCursor) archive() checkedArchive {
	a := checkedArchive{name: c.path(false), version: c.text(), tree: c.id(), dir: c.byte() == 1}
	n := c.count(3)
	a.files = make([]checkedFile, 0, min(n, 1<<16))
	for range n {
		a.files = append(a.files, c.file())
		if c.err != nil {
			break
		}
	}
	return a
}

func (c *manifestCursor) file() checkedFile {
	f := checkedFile{path: c.path(true)}
	flags := c.byte()
	f.found, f.left, f.identity = flags&flagFound != 0, flags&flagLeft != 0, c.identity()
	if f.kind.IsFile() {
		size := c.uvarint()
		if size > math.MaxInt64 {
			c.fail("a file is too large")
		}
		f.size = int64(size)
	}
	if flags&flagStat != 0 {
		f.stat = index.Stat{Size: f.size, MTime: c.varint(), CTime: c.varint()}
		f.at = c.varint()
		f.stat.Dev, f.stat.Inode = c.uvarint(), c.uvarint()
	}
	if flags&flagWas != 0 {
		was := c.identity()
		f.was = &was
	}
	return f
}

func (c *manifestCursor) identity() (id identity) {
	id.kind = objects.Kind(c.byte())
	switch {
	case id.kind.IsFile():
		id.hash = c.id()
	case id.kind == objects.KindSymlink:
		id.link = c.text()
	case id.kind != objects.KindDir:
		c.fail("an unknown kind of entry")
	}
	return id
}

// find returns the archive of a name, nil where there is none.
func (m *manifest) find(name string) *checkedArchive {
	i, found := slices.BinarySearchFunc(m.archives, name, func(a checkedArchive, name string) int { return strings.Compare(a.name, name) })
	if !found {
		return nil
	}
	return &m.archives[i]
}

// find returns the file at a path of the archive, nil where there is none.
func (a *checkedArchive) find(path string) *checkedFile {
	if a == nil {
		return nil
	}
	i, found := slices.BinarySearchFunc(a.files, path, func(f checkedFile, path string) int { return objects.ComparePaths(f.path, path) })
	if !found {
		return nil
	}
	return &a.files[i]
}
