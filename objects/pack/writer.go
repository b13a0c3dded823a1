package pack

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/index/leaf"
)

// Writer writes one pack. It is for one goroutine.
type Writer struct {
	dir     *Dir
	f       *os.File
	w       *bufio.Writer
	offset  uint64
	entries []index.Entry
	end     []byte // table and trailer, once they are written

	// Marked packs keep their temporary name as well, where the filesystem can do
	// that, until Unmark: so that a pack that is not in the index yet tells that its
	// writer was killed.
	Marked bool
}

// NewWriter starts a pack, which is written by way of buf.
func (d *Dir) NewWriter(buf *bufio.Writer) (*Writer, error) {
	f, err := d.Temp("pack-*")
	if err != nil {
		return nil, fmt.Errorf("write pack: %w", err)
	}
	buf.Reset(f)
	p := &Writer{dir: d, f: f, w: buf, offset: uint64(len(packHeader))}
	_, err = p.w.WriteString(packHeader)
	return p, err
}

// Add appends a stored chunk, which must not be in the pack yet.
func (p *Writer) Add(e index.Entry, stored []byte) error {
	e.Offset, e.Stored = p.offset, uint32(len(stored))
	if _, err := p.w.Write(stored); err != nil {
		return fmt.Errorf("write pack: %w", err)
	}
	p.offset += uint64(len(stored))
	p.entries = append(p.entries, e)
	return nil
}

// Full reports whether the pack has reached its usual size.
func (p *Writer) Full() bool {
	return p.offset >= TargetSize || len(p.entries) >= MaxEntries
}

// Commit makes the pack durable under its name.
func (p *Writer) Commit() (index.Pack, error) {
	pack, err := p.finish()
	if err != nil {
		p.Discard()
		return pack, fmt.Errorf("write pack: %w", err)
	}
	return pack, nil
}

// Seal writes what follows the chunks.
func (p *Writer) Seal() (index.Pack, error) {
	table := encodeTable(p.entries)
	t := packTrailer{table: p.offset, count: uint32(len(p.entries)), id: index.Hash(table)}
	pack := index.Pack{ID: t.id, Size: int64(p.offset) + int64(len(table)) + packTrailerLen, Entries: p.entries}
	p.end = append(table, t.encode()...)
	p.w.Write(p.end) // a bufio.Writer keeps its first error for Flush
	return pack, p.w.Flush()
}

// ReadBack compares what seal wrote with what is in the file now: without its
// table all of a pack would be lost.
func (p *Writer) ReadBack() error {
	header, end := make([]byte, len(packHeader)), make([]byte, len(p.end))
	_, err := p.f.ReadAt(header, 0)
	if err == nil {
		_, err = p.f.ReadAt(end, int64(p.offset))
	}
	if err != nil {
		return fmt.Errorf("read back: %w", err)
	}
	if string(header) != packHeader || !bytes.Equal(end, p.end) {
		return fmt.Errorf("%w: its table reads back otherwise than it was written: the disk or its driver is at fault", index.ErrCorrupt)
	}
	return nil
}

func (p *Writer) finish() (index.Pack, error) {
	pack, err := p.Seal()
	if err == nil {
		err = p.f.Sync()
	}
	if err == nil {
		err = p.ReadBack()
	}
	if err := errors.Join(err, p.f.Close()); err != nil {
		return pack, err
	}
	return pack, p.publish(p.dir.Path(pack.ID))
}

// publish gives the file its name, and makes that last.
func (p *Writer) publish(name string) error {
	sub := filepath.Dir(name)
	made := os.Mkdir(sub, 0o700)
	if errors.Is(made, fs.ErrNotExist) {
		made = os.MkdirAll(sub, 0o700) // the directory of packs was removed
	}
	if err := p.rename(name); err != nil {
		return err
	}
	if err := leaf.SyncDir(sub); err != nil {
		return err
	}
	return SyncName(sub, made == nil)
}

// rename gives the file its name.
func (p *Writer) rename(name string) error {
	if p.Marked && os.Link(p.f.Name(), name) == nil {
		return nil
	}
	return os.Rename(p.f.Name(), name)
}

// Unmark ends what Marked began.
func (p *Writer) Unmark() { os.Remove(p.f.Name()) }

// lasting holds the directories whose names this process has made last.
var lasting sync.Map

// SyncName makes the name of a directory last. One that was there already may
// have been made by a process that was killed before it came to that, so it is
// synced once.
func SyncName(dir string, isNew bool) error {
	if _, done := lasting.Load(dir); done && !isNew {
		return nil
	}
	if err := leaf.SyncDir(filepath.Dir(dir)); err != nil {
		return err
	}
	lasting.Store(dir, true)
	return nil
}

// Discard removes what was written.
func (p *Writer) Discard() {
	p.f.Close()
	os.Remove(p.f.Name())
}

// Last returns where the chunk lies that was added last.
func (p *Writer) Last() index.Entry { return p.entries[len(p.entries)-1] }

// Size returns the bytes in the pack so far.
func (p *Writer) Size() int64 { return int64(p.offset) }

// File returns the temporary file, to be read from its beginning after Seal.
func (p *Writer) File() *os.File { return p.f }
