package index

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"sort"
)

// A run is a sorted piece of a space's chunks, never changed once it is written.
// It is the only record of a bucket of its own, .run/<number>/<space>, under the
// number (8 hexadecimal digits in the name, big-endian in the key), which is
// never used again. Numbers in it are little-endian:
//
//	head:  chunks u32, greatest id, the first id of each block; zeros; CRC-32C
//	block: 75 chunks, in the last one what is left: id, value as in .chunks/; zeros; CRC-32C
//
// The checksums are those of a record whose key is the run's number u32 and the
// number of the part u16, big-endian: 0 for the head. Blocks begin where pages
// begin, when these have 4096 bytes. So a lookup costs a page and a block, and
// what a transaction has read of a run stays small.
const (
	runPrefix = ".run/"

	entrySize = len(ID{}) + chunkSize
	blockSize = 4096
	perBlock  = (blockSize - sumSize) / entrySize
	headSize  = blockSize - longAt
	headFixed = 4 + len(ID{})

	// runBlocks and runMax bound a run. At most (headSize-headFixed-sumSize)/32
	// blocks find room in a head.
	runBlocks = 64
	runMax    = runBlocks * perBlock
)

func runName(space string, serial uint32) string {
	return fmt.Sprintf("%s%08x/%s", runPrefix, serial, space)
}

// run is a run that is being read.
type run struct {
	*long
	name   string
	sum    summer
	serial uint32
	count  int
	last   []byte // the greatest id
	firsts []byte
	block  int // that buf holds; -1: none
	buf    []byte
}

// openRun returns a run that should have this number of chunks.
func (tx *Tx) openRun(space string, serial uint32, count int) (*run, error) {
	name := runName(space, serial)
	l, err := tx.long(name, serial)
	if err != nil {
		return nil, err
	}
	return l.run(name, serial, count)
}

// run reads and proves the head of the run that the record is.
func (l *long) run(name string, serial uint32, count int) (*run, error) {
	r := &run{long: l, name: name, sum: newSummer(name), serial: serial, block: -1}
	head := make([]byte, headSize)
	if err := l.read(head, 0); err != nil {
		return nil, err
	}
	if err := r.prove(0, head); err != nil {
		return nil, err
	}
	r.count = int(binary.LittleEndian.Uint32(head))
	n := r.blocks()
	if r.count == 0 || r.count != count || n > runBlocks || l.size != headSize+n*blockSize+sumSize {
		return nil, l.s.corrupt("%s: %d chunks in %d bytes", name, r.count, l.size)
	}
	r.last = head[4:headFixed]
	r.firsts = head[headFixed : headFixed+n*len(ID{})]
	return r, nil
}

// prove checks a part of the run against the checksum at its end.
func (r *run) prove(part int, b []byte) error {
	n := len(b) - sumSize
	if r.sum.sum(partKey(r.serial, part), b[:n]) != binary.LittleEndian.Uint32(b[n:]) {
		return r.s.corrupt("%s: part %d does not match its checksum", r.name, part)
	}
	return nil
}

func partKey(serial uint32, part int) []byte {
	return binary.BigEndian.AppendUint16(number(serial), uint16(part))
}

func (r *run) blocks() int { return (r.count + perBlock - 1) / perBlock }

// chunks returns how many chunks a block holds.
func (r *run) chunks(block int) int { return min(perBlock, r.count-block*perBlock) }

func (r *run) first(block int) []byte { return r.firsts[block*len(ID{}):][:len(ID{})] }

// find returns the value of a chunk, and whether it is here.
func (r *run) find(id ID) ([]byte, bool, error) {
	if bytes.Compare(id[:], r.first(0)) < 0 || bytes.Compare(id[:], r.last) > 0 {
		return nil, false, nil
	}
	block := sort.Search(r.blocks(), func(i int) bool { return bytes.Compare(r.first(i), id[:]) > 0 }) - 1
	if block < 0 {
		return nil, false, r.s.corrupt("%s: its blocks are out of order", r.name)
	}
	if err := r.load(block); err != nil {
		return nil, false, err
	}
	n := r.chunks(block)
	at := func(i int) []byte { return r.buf[i*entrySize:][:entrySize] }
	i := sort.Search(n, func(i int) bool { return bytes.Compare(at(i)[:len(id)], id[:]) >= 0 })
	if i == n || !bytes.Equal(at(i)[:len(id)], id[:]) {
		return nil, false, nil
	}
	return at(i)[len(id):], true, nil
}

// load reads and proves a block.
func (r *run) load(block int) error {
	if r.block == block {
		return nil
	}
	if r.buf == nil {
		r.buf = make([]byte, blockSize)
	}
	r.block = -1
	if err := r.read(r.buf, headSize+block*blockSize); err != nil {
		return err
	}
	if err := r.prove(block+1, r.buf); err != nil {
		return err
	}
	r.block = block
	return nil
}

// appendAll appends all chunks, each with its value, having proved them and
// their order.
func (r *run) appendAll(all []byte) ([]byte, error) {
	whole := make([]byte, r.size-sumSize)
	if err := r.read(whole, 0); err != nil {
		return nil, err
	}
	from := len(all)
	for i := range r.blocks() {
		b := whole[headSize+i*blockSize:][:blockSize]
		if err := r.prove(i+1, b); err != nil {
			return nil, err
		}
		all = append(all, b[:r.chunks(i)*entrySize]...)
	}
	mine := all[from:]
	for i := entrySize; i < len(mine); i += entrySize {
		if compareIDs(mine[i-entrySize:], mine[i:]) >= 0 {
			return nil, r.s.corrupt("%s: chunk %d is out of order", r.name, i/entrySize)
		}
	}
	return all, nil
}

// compareIDs compares the ids that two slices begin with.
func compareIDs(a, b []byte) int {
	if x, y := binary.BigEndian.Uint64(a), binary.BigEndian.Uint64(b); x != y {
		if x < y {
			return -1
		}
		return 1
	}
	return bytes.Compare(a[:len(ID{})], b[:len(ID{})])
}

// encodeRun returns the value of a run with room for the record's checksum.
func encodeRun(name string, serial uint32, chunks []byte) []byte {
	sum, n := newSummer(name), len(chunks)/entrySize
	blocks := (n + perBlock - 1) / perBlock
	v := make([]byte, headSize+blocks*blockSize, headSize+blocks*blockSize+sumSize)
	binary.LittleEndian.PutUint32(v, uint32(n))
	copy(v[4:], chunks[len(chunks)-entrySize:][:len(ID{})])
	for i := range blocks {
		some := chunks[i*perBlock*entrySize : min(len(chunks), (i+1)*perBlock*entrySize)]
		copy(v[headFixed+i*len(ID{}):], some[:len(ID{})])
		b := v[headSize+i*blockSize:][:blockSize]
		copy(b, some)
		sealPart(sum, serial, i+1, b)
	}
	sealPart(sum, serial, 0, v[:headSize])
	return v
}

func sealPart(sum summer, serial uint32, part int, b []byte) {
	n := len(b) - sumSize
	binary.LittleEndian.PutUint32(b[n:], sum.sum(partKey(serial, part), b[:n]))
}
