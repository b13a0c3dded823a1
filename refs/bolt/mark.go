package bolt

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"github.com/datafs/datafs/index"
)

// mark is how far the index has applied the journal.
type mark struct {
	Generation uint64 `json:"generation"` // 0: there is no journal yet
	Offset     int64  `json:"offset"`
	Sum        []byte `json:"sum"`             // of the frame that ends at Offset
	Seq        uint64 `json:"seq"`             // last sequence number
	Live       int64  `json:"live"`            // bytes that the records and deletions would take in a snapshot
	Terms      int    `json:"terms,omitempty"` // form of the lists of terms that are kept up; a program that keeps none leaves it out
	Kept       int    `json:"kept,omitempty"`  // form of the kept buckets that the journal has all of; likewise
}

const (
	metaBucket   = "refs"
	tablesBucket = "refs/tables"
	recPrefix    = "refs/record/"
	logPrefix    = "refs/change/"
	markKey      = "journal"
)

func loadMark(tx *index.Tx) (m mark, err error) {
	value, err := tx.Get(metaBucket, markKey)
	if errors.Is(err, fs.ErrNotExist) {
		return mark{}, nil
	}
	if err != nil {
		return mark{}, err
	}
	return decodeMark(value)
}

func decodeMark(value []byte) (m mark, err error) {
	if err := json.Unmarshal(value, &m); err != nil || len(m.Sum) != sumSize || m.Offset < 0 || m.Live < 0 {
		return mark{}, fmt.Errorf("index of the journal: %w", index.ErrCorrupt)
	}
	return m, nil
}

func (m mark) store(tx *index.Tx) error {
	value, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return tx.Put(metaBucket, markKey, value)
}

// before reports whether m is an earlier place in the journals than n.
func (m mark) before(n mark) bool {
	return m.Generation < n.Generation || m.Generation == n.Generation && m.Offset < n.Offset
}

func (m mark) position() position { return position{m.Offset, checksum(m.Sum)} }

// check refuses a journal that has less than the index has seen of it.
func (m mark) check(dir string, generation uint64, size int64) error {
	switch {
	case m.Generation > generation:
		return fmt.Errorf("journal %s is missing: %w", journalPath(dir, m.Generation), index.ErrCorrupt)
	case m.Generation == generation && m.Offset > size:
		return fmt.Errorf("journal %s at offset %d: file is cut short, the index knows of %d bytes: %w",
			journalPath(dir, generation), size, m.Offset, index.ErrCorrupt)
	}
	return nil
}

// seqKey is the key of a change: big-endian, so that byte order is their order.
func seqKey(seq uint64) string {
	return string(binary.BigEndian.AppendUint64(nil, seq))
}
