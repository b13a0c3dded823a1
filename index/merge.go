package index

import (
	"encoding/binary"
	"errors"
	"sort"
)

// merge merges chunks, in order, into a tier. Where both have a chunk the new
// one counts.
func (sp *space) merge(tier int, chunks []byte) error {
	refs, err := sp.runs(tier)
	if err != nil {
		return err
	}
	w := &runWriter{sp: sp, tier: tier, size: sp.tx.limits.run, bottom: true}
	for _, n := range sp.tiers[tier+1:] {
		w.bottom = w.bottom && n == 0
	}
	for i, ref := range refs {
		n := len(chunks)
		if i+1 < len(refs) {
			n = entrySize * sort.Search(n/entrySize, func(j int) bool {
				return compareIDs(chunks[j*entrySize:], refs[i+1].first[:]) >= 0
			})
		}
		if n == 0 && (w.held() == 0 || w.held() >= w.size/2) {
			if err := w.flush(); err != nil {
				return err
			}
			continue
		}
		old, err := sp.take(tier, ref, w.old[:0])
		if err != nil {
			return err
		}
		w.old = old
		if err := w.mergeRuns(old, chunks[:n]); err != nil {
			return err
		}
		chunks = chunks[n:]
	}
	if err := w.mergeRuns(nil, chunks); err != nil {
		return err
	}
	return w.flush()
}

// runWriter cuts chunks into runs of a tier.
type runWriter struct {
	sp     *space
	tier   int
	size   int  // of a run, in chunks
	bottom bool // nothing lies below that a removed chunk must cover
	buf    []byte
	old    []byte
}

// held returns how many chunks wait to become a run.
func (w *runWriter) held() int { return len(w.buf) / entrySize }

func (w *runWriter) mergeRuns(a, b []byte) error {
	for len(a) > 0 || len(b) > 0 {
		order := 1
		if len(b) == 0 {
			order = -1
		} else if len(a) > 0 {
			order = compareIDs(a, b)
		}
		var err error
		if order < 0 {
			err = w.add(a[:entrySize])
		} else {
			err = w.add(b[:entrySize])
			b = b[entrySize:]
		}
		if err != nil {
			return err
		}
		if order <= 0 {
			a = a[entrySize:]
		}
	}
	return nil
}

func (w *runWriter) add(chunk []byte) error {
	if w.bottom && binary.LittleEndian.Uint32(chunk[len(ID{}):]) == noPack {
		return nil
	}
	w.buf = append(w.buf, chunk...)
	if w.held() < w.size+w.size/2 {
		return nil
	}
	return w.emit(w.size)
}

// flush writes what is held: as two runs of one size when it is too much for one.
func (w *runWriter) flush() error {
	if n := w.held(); n > w.size {
		if err := w.emit(n / 2); err != nil {
			return err
		}
	}
	if w.held() == 0 {
		return nil
	}
	return w.emit(w.held())
}

// emit makes a run of the first n chunks that are held.
func (w *runWriter) emit(n int) error {
	sp, chunks := w.sp, w.buf[:n*entrySize]
	if sp.serial == noPack {
		return errors.New("all numbers of runs are used up")
	}
	serial := sp.serial
	sp.serial++
	name := runName(sp.name, serial)
	b, err := sp.tx.bucket(name)
	if err != nil {
		return err
	}
	if b.had {
		return sp.tx.s.corrupt("%s is there already", name)
	}
	b.putOwn(number(serial), encodeRun(name, serial, chunks))
	ref := binary.LittleEndian.AppendUint32(nil, serial)
	sp.dir.put(refKey(w.tier, chunks[:len(ID{})]), binary.LittleEndian.AppendUint32(ref, uint32(n)))
	sp.tiers[w.tier] += uint64(n)
	w.buf = append(w.buf[:0], w.buf[n*entrySize:]...)
	return nil
}
