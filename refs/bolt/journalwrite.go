package bolt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/index/leaf"
)

const journalSuffix = ".journal"

func journalPath(dir string, generation uint64) string {
	return filepath.Join(dir, fmt.Sprintf("%08d%s", generation, journalSuffix))
}

// newestJournal finds the highest generation in dir and the size of its file;
// generation 0 means that there is none. others are the files of lower ones.
func newestJournal(dir string) (generation uint64, size int64, others []string, err error) {
	list, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, 0, nil, fmt.Errorf("looking for the journal: %w", err)
	}
	newest := ""
	for _, e := range list {
		digits, ok := strings.CutSuffix(e.Name(), journalSuffix)
		var g uint64
		if _, err := fmt.Sscanf(digits, "%d", &g); !ok || err != nil || g == 0 || journalPath("", g) != e.Name() {
			continue
		}
		name := filepath.Join(dir, e.Name())
		if g < generation {
			others = append(others, name)
			continue
		}
		if newest != "" {
			others = append(others, newest)
		}
		generation, newest = g, name
	}
	if generation == 0 {
		return 0, 0, nil, nil
	}
	fi, err := os.Lstat(newest)
	if err != nil {
		return 0, 0, nil, fmt.Errorf("looking for the journal: %w", err)
	}
	return generation, fi.Size(), others, nil
}

// journalWriter appends transactions to a journal file. Between begin and
// commit nothing of a transaction counts.
type journalWriter struct {
	file *os.File
	pos  position // where the next frame goes
	buf  []byte   // payload of the frame that is being filled
	seq  uint64   // last sequence number in buf
	open bool     // a frame of this transaction has been written
}

// openJournal opens a file for appending at pos, the end of its last transaction.
func openJournal(path string, pos position) (*journalWriter, error) {
	f, err := index.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("opening journal: %w", err)
	}
	return &journalWriter{file: f, pos: pos}, nil
}

// add puts an op into the transaction; seq is the last sequence number by then.
func (w *journalWriter) add(o op, seq uint64) error {
	if len(w.buf) == 0 {
		// The number is known only when the frame is full: leave room for the
		// longest and keep it in front, with the length that it needs.
		w.buf = append(w.buf, make([]byte, binary.MaxVarintLen64)...)
	}
	w.buf = o.append(w.buf)
	w.seq = seq
	if len(w.buf) >= fullPayload {
		return w.frame(0)
	}
	return nil
}

// frame writes what was added as one frame.
func (w *journalWriter) frame(flags uint32) error {
	if !w.open {
		flags |= flagBegin
	}
	if len(w.buf) == 0 {
		w.buf = make([]byte, binary.MaxVarintLen64)
	}
	number := binary.AppendUvarint(nil, w.seq)
	skip := binary.MaxVarintLen64 - len(number)
	payload := w.buf[skip:]
	copy(payload, number)
	b, sum := encodeFrame(payload, flags, w.pos.offset, w.pos.sum)
	if _, err := w.file.WriteAt(b, w.pos.offset); err != nil {
		return fmt.Errorf("writing journal: %w", err)
	}
	w.pos = position{w.pos.offset + int64(len(b)), sum}
	w.buf, w.open = w.buf[:0], true
	return nil
}

// end ends the transaction; it is safe only after a sync.
func (w *journalWriter) end() error {
	err := w.frame(flagEnd)
	w.open = false
	return err
}

func (w *journalWriter) sync() error {
	if err := w.file.Sync(); err != nil {
		return fmt.Errorf("writing journal: %w", err)
	}
	return nil
}

// createJournal makes the file of a generation, whole or not at all. fill, which
// may be nil, writes the snapshot that it begins with. The end of it is returned.
func createJournal(dir string, generation uint64, fill func(*journalWriter) error) (position, error) {
	path := journalPath(dir, generation)
	pos, err := writeJournal(path+".tmp", generation, fill)
	if err == nil {
		err = os.Rename(path+".tmp", path)
	}
	if err != nil {
		os.Remove(path + ".tmp")
		return position{}, fmt.Errorf("making journal: %w", err)
	}
	if err := leaf.SyncDir(dir); err != nil {
		// Whether the name lasts is not known, so it must not be relied on.
		os.Remove(path)
		return position{}, fmt.Errorf("making journal: %w", err)
	}
	return pos, nil
}

func writeJournal(tmp string, generation uint64, fill func(*journalWriter) error) (pos position, err error) {
	os.Remove(tmp) // that a killed process left
	f, err := index.OpenFile(tmp, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return pos, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	head := journalHeader{generation: generation, snapshotEnd: headerSize}
	w := &journalWriter{file: f, pos: position{headerSize, head.firstSum()}}
	if fill != nil {
		if err := fill(w); err != nil {
			return pos, err
		}
	}
	head.snapshotEnd = w.pos.offset
	if _, err := f.WriteAt(head.encode(), 0); err != nil {
		return pos, err
	}
	return w.pos, f.Sync()
}

// cutJournal cuts a file to size, for good.
func cutJournal(path string, size int64) (err error) {
	f, err := index.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("cutting journal: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := f.Truncate(size); err != nil {
		return fmt.Errorf("cutting journal: %w", err)
	}
	return f.Sync()
}
