package codec

import (
	"bytes"
	"io"
	"os"
)

const (
	holeBlock = 4 << 10  // bytes that are looked at together
	minHole   = 32 << 10 // bytes of zeros from which on a hole is worth a system call
)

// WriteSparse fills a file that is new and empty with what fill writes. Runs of
// zeros of 32 KiB and more, by whole blocks of 4 KiB of one write, are not written
// but left out, which makes holes where the filesystem has them; the bytes that are
// read are the same everywhere. When fill fails the file's length is undefined.
func WriteSparse(f *os.File, fill func(io.Writer) error) error {
	w := &sparseWriter{f: f}
	if err := fill(w); err != nil || !w.hole {
		return err
	}
	return f.Truncate(w.off)
}

// sparseWriter leaves holes. Its error is the file's.
type sparseWriter struct {
	f    *os.File
	off  int64 // of the next byte
	hole bool  // the file ends before off
}

func (w *sparseWriter) Write(b []byte) (n int, err error) {
	for n < len(b) {
		data, zeros := nextHole(b[n:], w.hole)
		if data > 0 {
			m, err := w.f.WriteAt(b[n:n+data], w.off)
			w.off, w.hole = w.off+int64(m), false
			if n += m; err != nil {
				return n, err
			}
		}
		if zeros > 0 {
			n, w.off, w.hole = n+zeros, w.off+int64(zeros), true
		}
	}
	return n, nil
}

// nextHole returns how many bytes at the beginning of b are data, and how many
// zeros behind them make a hole; in a hole that began before any number will do.
func nextHole(b []byte, in bool) (data, zeros int) {
	for at := 0; at < len(b); {
		n := zeroBlocks(b[at:])
		if n >= minHole || n > 0 && at == 0 && in {
			return at, n
		}
		at += max(n, min(holeBlock, len(b)-at))
	}
	return len(b), 0
}

// zeroBlocks returns the length of the blocks at the beginning of b that are all
// zeros; the last one may be short.
func zeroBlocks(b []byte) (n int) {
	for n < len(b) {
		block := b[n:min(n+holeBlock, len(b))]
		if !bytes.Equal(block, zeroBlock[:len(block)]) {
			break
		}
		n += len(block)
	}
	return n
}

var zeroBlock [holeBlock]byte
