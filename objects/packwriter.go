package objects

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/datafs/datafs/index"
)

// packWriter writes one pack. It is for one goroutine.
type packWriter struct {
	dir     string // the repository
	f       *os.File
	w       *bufio.Writer
	offset  uint64
	entries []index.Entry
}

func newPackWriter(dir string, buf *bufio.Writer) (*packWriter, error) {
	f, err := os.CreateTemp(filepath.Join(dir, "tmp"), "pack-*")
	if err != nil {
		return nil, fmt.Errorf("write pack: %w", err)
	}
	buf.Reset(f)
	p := &packWriter{dir: dir, f: f, w: buf, offset: uint64(len(packHeader))}
	_, err = p.w.WriteString(packHeader)
	return p, err
}

func (p *packWriter) add(e index.Entry, stored []byte) error {
	e.Offset, e.Stored = p.offset, uint32(len(stored))
	if _, err := p.w.Write(stored); err != nil {
		return fmt.Errorf("write pack: %w", err)
	}
	p.offset += uint64(len(stored))
	p.entries = append(p.entries, e)
	return nil
}

func (p *packWriter) full() bool {
	return p.offset >= targetPackSize || len(p.entries) >= maxPackEntries
}

// commit makes the pack durable under its name.
func (p *packWriter) commit() (index.Pack, error) {
	pack, err := p.finish()
	if err != nil {
		p.discard()
		return pack, fmt.Errorf("write pack: %w", err)
	}
	return pack, nil
}

// seal writes what follows the chunks.
func (p *packWriter) seal() (index.Pack, error) {
	table := encodeTable(p.entries)
	t := packTrailer{table: p.offset, count: uint32(len(p.entries)), id: Hash(table)}
	pack := index.Pack{ID: t.id, Size: int64(p.offset) + int64(len(table)) + packTrailerLen, Entries: p.entries}
	p.w.Write(table) // a bufio.Writer keeps its first error for Flush
	p.w.Write(t.encode())
	return pack, p.w.Flush()
}

func (p *packWriter) finish() (index.Pack, error) {
	pack, err := p.seal()
	if err := errors.Join(err, p.f.Sync(), p.f.Close()); err != nil {
		return pack, err
	}
	name := packPath(p.dir, pack.ID)
	sub := filepath.Dir(name)
	made := os.Mkdir(sub, 0o700)
	if errors.Is(made, fs.ErrNotExist) {
		made = os.MkdirAll(sub, 0o700) // the directory of packs was removed
	}
	if err := os.Rename(p.f.Name(), name); err != nil {
		return pack, err
	}
	if err := syncDir(sub); err != nil {
		return pack, err
	}
	if made == nil {
		return pack, syncDir(filepath.Dir(sub))
	}
	return pack, nil
}

// discard removes what was written.
func (p *packWriter) discard() {
	p.f.Close()
	os.Remove(p.f.Name())
}
