package bolt

import (
	"errors"
	"testing"

	"github.com/datafs/datafs/index"
)

// FuzzMark reads how far the index has applied the journal from any bytes.
func FuzzMark(f *testing.F) {
	f.Add([]byte(`{"generation":3,"offset":1535,"sum":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=","seq":9,"live":700,"terms":1}`))
	f.Add([]byte(`{"sum":""}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := decodeMark(b)
		if err != nil {
			if !errors.Is(err, index.ErrCorrupt) {
				t.Errorf("got %v", err)
			}
			return
		}
		_ = m.check("journal", 1, 100)
		if p := m.position(); p.offset != m.Offset || p.offset < 0 {
			t.Errorf("%s gives the position %d", b, p.offset)
		}
	})
}
