package bolt

import (
	"errors"
	"fmt"
	"io"

	"github.com/datafs/datafs/index"
)

// position is a place between two transactions of a journal.
type position struct {
	offset int64
	sum    checksum // of the frame before
}

// journalReader reads one journal file.
type journalReader struct {
	r    io.ReaderAt
	path string // for messages
	size int64
	head journalHeader
}

func readJournal(r io.ReaderAt, size int64, path string) (*journalReader, error) {
	j := &journalReader{r: r, path: path, size: size}
	b := make([]byte, min(headerSize, max(size, 0)))
	if err := readFull(r, b, 0); err != nil {
		return nil, fmt.Errorf("reading journal %s: %w", path, err)
	}
	var err error
	if j.head, err = decodeHeader(b); err != nil {
		return nil, fmt.Errorf("journal %s: %w", path, err)
	}
	if j.head.snapshotEnd > size {
		return nil, j.corrupt(size, "file is cut short within its snapshot")
	}
	return j, nil
}

func (j *journalReader) start() position {
	return position{headerSize, j.head.firstSum()}
}

func (j *journalReader) corrupt(offset int64, what string) error {
	return fmt.Errorf("journal %s at offset %d: %s: %w", j.path, offset, what, index.ErrCorrupt)
}

var (
	errIncomplete = errors.New("frame is cut short") // the file ends within the frame
	errBroken     = errors.New("broken frame")
)

// frame reads the frame at p and gives the position behind it. buf is used for
// the payload where it is large enough.
func (j *journalReader) frame(p position, buf []byte) (f frameHeader, payload []byte, next position, err error) {
	if j.size-p.offset < frameSize {
		return f, buf, p, errIncomplete
	}
	var head [frameSize]byte
	if err := readFull(j.r, head[:], p.offset); err != nil {
		return f, buf, p, fmt.Errorf("reading journal %s: %w", j.path, err)
	}
	f, ok := decodeFrame(head[:], p.offset)
	if !ok {
		return f, buf, p, errBroken
	}
	if j.size-p.offset-frameSize < int64(f.length) {
		return f, buf, p, errIncomplete
	}
	if cap(buf) < int(f.length) {
		buf = make([]byte, f.length)
	}
	payload = buf[:f.length]
	if err := readFull(j.r, payload, p.offset+frameSize); err != nil {
		return f, payload, p, fmt.Errorf("reading journal %s: %w", j.path, err)
	}
	if !f.verify(head[:], payload, p.sum) {
		return f, payload, p, errBroken
	}
	return f, payload, position{p.offset + frameSize + int64(f.length), f.sum}, nil
}

// unknown is for scan: nobody knows how far the journal is acknowledged.
const unknown = -1

// scan gives the end of the last whole transaction at or after from, and
// whether what lies behind it is torn and may be cut off. It changes nothing.
// All before the offset known is acknowledged for certain.
//
// A tail is torn when a crash can have left it: the file ends within a
// transaction. When it is known how far the journal is acknowledged, frames
// behind that which are not what was written are torn as well, since blocks
// reach a disk in any order; unless a later transaction begins behind them, for
// it was begun only when they were safe. Anything else is damage, and an error.
func (j *journalReader) scan(from position, known int64) (end position, torn bool, err error) {
	end = from
	within := false
	var buf []byte
	for p := from; p.offset < j.size; {
		var f frameHeader
		var next position
		f, buf, next, err = j.frame(p, buf)
		if errors.Is(err, errIncomplete) || errors.Is(err, errBroken) {
			return end, true, j.judge(p.offset, end.offset, err, known)
		}
		if err != nil {
			return end, false, err
		}
		if within == (f.flags&flagBegin != 0) {
			return end, false, j.corrupt(p.offset, "frame is in the wrong place")
		}
		p, within = next, f.flags&flagEnd == 0
		if !within {
			end = next
		}
	}
	if end.offset < max(known, j.head.snapshotEnd) {
		return end, false, j.corrupt(end.offset, "transaction is incomplete")
	}
	return end, within, nil
}

// judge tells a torn tail from damage, which is an error: the frame at offset is
// cut short or broken, end is the end of the last whole transaction.
func (j *journalReader) judge(offset, end int64, what error, known int64) error {
	damaged := end < max(known, j.head.snapshotEnd) || errors.Is(what, errBroken) && known == unknown
	if !damaged {
		var err error
		if damaged, err = j.beginsAfter(offset); err != nil {
			return err
		}
	}
	if damaged {
		return j.corrupt(offset, what.Error())
	}
	return nil
}

// beginsAfter reports whether a transaction begins somewhere behind offset.
func (j *journalReader) beginsAfter(offset int64) (bool, error) {
	const window = 1 << 16
	buf := make([]byte, window+frameSize)
	for base := offset + 1; base+frameSize <= j.size; base += window {
		b := buf[:min(int64(len(buf)), j.size-base)]
		if err := readFull(j.r, b, base); err != nil {
			return false, fmt.Errorf("reading journal %s: %w", j.path, err)
		}
		for i := 0; i+frameSize <= len(b); i++ {
			if f, ok := decodeFrame(b[i:i+frameSize], base+int64(i)); ok && f.flags&flagBegin != 0 {
				return true, nil
			}
		}
	}
	return false, nil
}

// replay calls apply with every change between two positions that scan found
// whole, and seq with the last sequence number after each frame.
func (j *journalReader) replay(from, to position, apply func(op) error, seq func(uint64) error) error {
	var buf []byte
	for p := from; p.offset < to.offset; {
		_, payload, next, err := j.frame(p, buf)
		if errors.Is(err, errIncomplete) || errors.Is(err, errBroken) {
			return j.corrupt(p.offset, err.Error())
		}
		if err != nil {
			return err
		}
		if err := j.replayFrame(p.offset, payload, apply, seq); err != nil {
			return err
		}
		p, buf = next, payload
	}
	return nil
}

func (j *journalReader) replayFrame(offset int64, payload []byte, apply func(op) error, seq func(uint64) error) error {
	r := payloadReader{rest: payload}
	last := r.uvarint()
	for o, ok := r.next(); ok; o, ok = r.next() {
		if err := apply(o); err != nil {
			return err
		}
	}
	if r.err != nil {
		return fmt.Errorf("journal %s at offset %d: %w", j.path, offset, r.err)
	}
	return seq(last)
}
