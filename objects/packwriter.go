package objects

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

// packWriter writes one pack. It is for one goroutine.
type packWriter struct {
	dir     string // the repository
	f       *os.File
	w       *bufio.Writer
	offset  uint64
	entries []index.Entry
	end     []byte // table and trailer, once they are written
	marked  bool   // until the index has it: see rename
}

func newPackWriter(dir string, buf *bufio.Writer) (*packWriter, error) {
	f, err := os.CreateTemp(filepath.Join(dir, tempDir), "pack-*")
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
	p.end = append(table, t.encode()...)
	p.w.Write(p.end) // a bufio.Writer keeps its first error for Flush
	return pack, p.w.Flush()
}

// readBack compares what seal wrote with what is in the file now: without its
// table all of a pack would be lost.
func (p *packWriter) readBack() error {
	header, end := make([]byte, len(packHeader)), make([]byte, len(p.end))
	_, err := p.f.ReadAt(header, 0)
	if err == nil {
		_, err = p.f.ReadAt(end, int64(p.offset))
	}
	if err != nil {
		return fmt.Errorf("read back: %w", err)
	}
	if string(header) != packHeader || !bytes.Equal(end, p.end) {
		return fmt.Errorf("%w: its table reads back otherwise than it was written: the disk or its driver is at fault", ErrCorrupt)
	}
	return nil
}

func (p *packWriter) finish() (index.Pack, error) {
	pack, err := p.seal()
	if err == nil {
		err = p.f.Sync()
	}
	if err == nil {
		err = p.readBack()
	}
	if err := errors.Join(err, p.f.Close()); err != nil {
		return pack, err
	}
	return pack, p.publish(packPath(p.dir, pack.ID))
}

// publish gives the file its name, and makes that last.
func (p *packWriter) publish(name string) error {
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
	return syncName(sub, made == nil)
}

// rename gives the file its name. A marked one keeps its temporary name as well,
// where the filesystem can do that, until unmark: so that a pack that is not in the
// index yet tells that its writer was killed.
func (p *packWriter) rename(name string) error {
	if p.marked && os.Link(p.f.Name(), name) == nil {
		return nil
	}
	return os.Rename(p.f.Name(), name)
}

// unmark ends what marked began.
func (p *packWriter) unmark() { os.Remove(p.f.Name()) }

// lasting holds the directories whose names this process has made last.
var lasting sync.Map

// syncName makes the name of a directory last. One that was there already may
// have been made by a process that was killed before it came to that, so it is
// synced once.
func syncName(dir string, isNew bool) error {
	if _, done := lasting.Load(dir); done && !isNew {
		return nil
	}
	if err := leaf.SyncDir(filepath.Dir(dir)); err != nil {
		return err
	}
	lasting.Store(dir, true)
	return nil
}

// discard removes what was written.
func (p *packWriter) discard() {
	p.f.Close()
	os.Remove(p.f.Name())
}
