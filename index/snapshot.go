package index

import (
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"io/fs"
	"os"
)

const (
	metaMagic   = 0xED0CDAED
	metaVersion = 2
	metaSize    = 64 // with its checksum

	// noFreelist stands where the list of free pages was not written.
	noFreelist = ^uint64(0)

	// minPageSize and maxPageSize bound what a meta page may say, in bytes.
	minPageSize = 1 << 10
	maxPageSize = 1 << 24

	// maxLeaves bounds the leaf pages that a snapshot remembers, in bytes.
	// Branch pages are all remembered: there is one for every fifty leaves or so.
	maxLeaves = 8 << 20
)

// snapshot reads the database file as its last transaction left it. The lock
// keeps it from changing meanwhile. Not safe for concurrent use.
type snapshot struct {
	path     string
	f        *os.File
	pageSize int
	root     uint64
	pages    uint64 // all page numbers are below
	freelist uint64
	free     *freelist // read on first use
	branches map[uint64]*page
	leaves   map[uint64]*page
	held     int // bytes of leaves
}

// openSnapshot returns nil when the file does not exist: an empty database.
func openSnapshot(path string) (*snapshot, error) {
	f, err := OpenRead(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("open index: %w", err)
	}
	s := &snapshot{path: path, f: f, branches: map[uint64]*page{}, leaves: map[uint64]*page{}}
	if err := s.readMeta(); err != nil {
		f.Close()
		return nil, err
	}
	return s, nil
}

func (s *snapshot) close() {
	if s != nil {
		s.f.Close() // opened for reading: nothing can be lost
	}
}

// corrupt makes the error for damage to the file.
func (s *snapshot) corrupt(format string, args ...any) error {
	return corrupt(s.path, fmt.Sprintf(format, args...))
}

func corrupt(path, what string) error {
	return fmt.Errorf("read index %s: %w: %s", path, ErrCorrupt, what)
}

// readAt fills b from the file; a file that is too short is corrupt.
func (s *snapshot) readAt(b []byte, off int64) error {
	_, err := s.f.ReadAt(b, off)
	if errors.Is(err, io.EOF) {
		return s.corrupt("the file ends before byte %d", off+int64(len(b)))
	}
	if err != nil {
		return fmt.Errorf("read index: %w", err)
	}
	return nil
}

// meta is what a meta page says.
type meta struct {
	pageSize                    int
	root, freelist, pages, txid uint64
}

// readMeta reads both meta pages and takes the newer one. Both must be sound
// and of consecutive transactions: bbolt would quietly fall back to the older
// one, and so to a state that has since been replaced. A meta page fits into
// one disk sector, so a crash does not leave half of one.
func (s *snapshot) readMeta() error {
	var buf [8192]byte
	n, err := s.f.ReadAt(buf[:], 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read index: %w", err)
	}
	m, err := s.parseMeta(buf[:n], 0)
	if err != nil {
		return err
	}
	var second [pageHeader + metaSize]byte
	if err := s.readAt(second[:], int64(m.pageSize)); err != nil {
		return err
	}
	other, err := s.parseMeta(second[:], 1)
	if err != nil {
		return err
	}
	if other.txid > m.txid {
		m, other = other, m
	}
	if m.txid != other.txid+1 || m.pageSize != other.pageSize {
		return s.corrupt("its meta pages are of transactions %d and %d", m.txid, other.txid)
	}
	s.pageSize, s.root, s.freelist, s.pages = m.pageSize, m.root, m.freelist, m.pages
	return s.checkSize()
}

func (s *snapshot) parseMeta(b []byte, slot uint64) (meta, error) {
	if len(b) < pageHeader+metaSize {
		return meta{}, s.corrupt("the file ends after %d bytes", len(b))
	}
	h, b := b[:pageHeader], b[pageHeader:pageHeader+metaSize]
	sum := fnv.New64a()
	sum.Write(b[:metaSize-8])
	m := meta{
		pageSize: int(native.Uint32(b[8:])),
		root:     native.Uint64(b[16:]),
		freelist: native.Uint64(b[32:]),
		pages:    native.Uint64(b[40:]),
		txid:     native.Uint64(b[48:]),
	}
	sound := native.Uint64(h) == slot && native.Uint16(h[8:]) == metaFlag &&
		native.Uint32(b) == metaMagic && native.Uint32(b[4:]) == metaVersion &&
		native.Uint64(b[metaSize-8:]) == sum.Sum64() &&
		m.pageSize >= minPageSize && m.pageSize <= maxPageSize && m.txid%2 == slot
	if !sound {
		return meta{}, s.corrupt("meta page %d is damaged", slot)
	}
	return m, nil
}

func (s *snapshot) checkSize() error {
	fi, err := s.f.Stat()
	if err != nil {
		return fmt.Errorf("read index: %w", err)
	}
	if have := fi.Size() / int64(s.pageSize); uint64(have) < s.pages {
		return s.corrupt("it has %d of %d pages", have, s.pages)
	}
	return nil
}

// page returns a page that some other page points to.
func (s *snapshot) page(id uint64) (*page, error) {
	if p := s.branches[id]; p != nil {
		return p, nil
	}
	if p := s.leaves[id]; p != nil {
		return p, nil
	}
	p, err := s.read(id)
	if err != nil {
		return nil, err
	}
	if !p.leaf {
		s.branches[id] = p
		return p, nil
	}
	if s.held += len(p.buf); s.held > maxLeaves {
		clear(s.leaves)
		s.held = len(p.buf)
	}
	s.leaves[id] = p
	return p, nil
}

func (s *snapshot) read(id uint64) (*page, error) {
	if err := s.inUse(id); err != nil {
		return nil, err
	}
	buf, err := s.extent(id)
	if err != nil {
		return nil, err
	}
	p, err := parsePage(buf, id, s.pageSize)
	if err != nil {
		return nil, s.corrupt("%v", err)
	}
	return p, nil
}

// inUse refuses a pointer to a page that was given up: such a page is often
// intact, and its records would pass every other check, but they are old.
func (s *snapshot) inUse(id uint64) error {
	if id < 2 || id >= s.pages {
		return s.corrupt("there is no page %d", id)
	}
	fl, err := s.freePages()
	if err != nil {
		return err
	}
	free, err := fl.has(id)
	if err != nil {
		return err
	}
	if free {
		return s.corrupt("page %d is in use and free", id)
	}
	return nil
}

// extent reads a page with the pages that continue it.
func (s *snapshot) extent(id uint64) ([]byte, error) {
	buf := make([]byte, s.pageSize)
	off := int64(id) * int64(s.pageSize)
	if err := s.readAt(buf, off); err != nil {
		return nil, err
	}
	more := uint64(native.Uint32(buf[12:]))
	if more == 0 {
		return buf, nil
	}
	if more >= s.pages-id {
		return nil, s.corrupt("page %d claims %d more pages", id, more)
	}
	all := append(make([]byte, 0, (int(more)+1)*s.pageSize), buf...)
	all = all[:cap(all)]
	return all, s.readAt(all[s.pageSize:], off+int64(s.pageSize))
}
