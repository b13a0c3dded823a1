package commitlog

import (
	"encoding/binary"

	"github.com/datafs/datafs/refs"
)

// reader takes the contents of a file apart. After the first
// thing that is not there it is bad, and gives zeros.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) number() uint64 {
	n, size := binary.Uvarint(r.b)
	if r.bad || size <= 0 || size > 1 && r.b[size-1] == 0 { // cut off, too large, or not the shortest form
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[size:]
	return n
}

// bytes gives the next n bytes, which cannot be appended to.
func (r *reader) bytes(n uint64) []byte {
	if r.bad || n > uint64(len(r.b)) {
		r.bad, r.b = true, nil
		return nil
	}
	b := r.b[:n:n]
	r.b = r.b[n:]
	return b
}

func (r *reader) text() []byte { return r.bytes(r.number()) }

// changes reads the n changes of f.
func (r *reader) changes(f *file, n uint64) error {
	seen := make(map[string]bool, n)
	rev := f.first
	for range n {
		c, err := r.change(f)
		if err != nil {
			return err
		}
		if c.rev < rev || c.rev > f.last {
			return corrupt("changes out of order")
		}
		if seen[c.key] {
			return corrupt("key %.80q twice", c.key)
		}
		rev, seen[c.key] = c.rev, true
		f.changes = append(f.changes, c)
	}
	return nil
}

func (r *reader) change(f *file) (edit, error) {
	at := r.number()
	c := edit{key: string(r.text())}
	n := r.number()
	if n > 0 {
		c.value = r.bytes(n - 1)
	}
	if r.bad || at > f.last-f.first {
		return c, corrupt("broken change")
	}
	c.rev = f.first + at
	// A key that no record may have is a pull's business: the others are good.
	if c.key == "" || len(c.key) > refs.MaxKey || len(c.value) > refs.MaxValue {
		return c, corrupt("record %.100q of %d bytes", c.key, len(c.value))
	}
	return c, nil
}
