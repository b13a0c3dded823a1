package index

import (
	"errors"
	"hash/crc32"
	"os"
	"path/filepath"
	"testing"
)

func TestARecordsChecksumCoversBucketKeyAndValue(t *testing.T) {
	want := crc32.Checksum([]byte("\x01b\x03keyvalue"), crc32.MakeTable(crc32.Castagnoli))
	if got := newSummer("b").sum([]byte("key"), []byte("value")); got != want {
		t.Errorf("got %#x, want %#x", got, want)
	}
	stored := newSummer("b").seal([]byte("key"), []byte("value"))
	if got, err := newSummer("b").open([]byte("key"), stored); err != nil || string(got) != "value" {
		t.Errorf("got %q, %v", got, err)
	}
	for _, c := range [][3]string{{"c", "key", ""}, {"b", "keyv", ""}, {"b", "kez", ""}, {"b", "key", "x"}} {
		if _, err := newSummer(c[0]).open([]byte(c[1]), append(stored, c[2]...)); err == nil {
			t.Errorf("%q passes", c)
		}
	}
	if _, err := newSummer("b").open([]byte("key"), stored[:3]); err == nil {
		t.Error("three bytes pass")
	}
}

func TestABucketOfAnotherVersionIsRefused(t *testing.T) {
	s := newSummer("b")
	seal := s.sealBucket([]byte("first"), []byte("last"))
	if err := s.openName(seal); err != nil {
		t.Error(err)
	}
	for _, sequence := range []uint64{0, seal + 1<<56, seal ^ 1, uint64(s.prefix)} {
		if err := s.openName(sequence); err == nil {
			t.Errorf("%#x passes", sequence)
		}
	}
}

// longList writes a list of n free pages, every second one, and returns a
// snapshot that has nothing else.
func longList(t *testing.T, n int) *snapshot {
	t.Helper()
	s := &snapshot{path: filepath.Join(t.TempDir(), "list"), pageSize: 1024, freelist: 3, pages: 10 + 2*uint64(n)}
	b := make([]byte, 3*1024+pageHeader)
	native.PutUint64(b[3*1024:], s.freelist)
	native.PutUint16(b[3*1024+8:], freelistFlag)
	native.PutUint16(b[3*1024+10:], uint16(min(n, 0xFFFF)))
	size := pageHeader + 8*n
	if n >= 0xFFFF {
		b = native.AppendUint64(b, uint64(n))
		size += 8
	}
	native.PutUint32(b[3*1024+12:], uint32(size/1024))
	for i := range n {
		b = native.AppendUint64(b, uint64(9+size/1024+2*i))
	}
	s.pages += uint64(size / 1024)
	if err := os.WriteFile(s.path, append(b, make([]byte, 1024)...), 0o600); err != nil {
		t.Fatal(err)
	}
	var err error
	if s.f, err = os.Open(s.path); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	return s
}

func TestListsOfFreePagesOfAllLengthsAreRead(t *testing.T) {
	for _, n := range []int{0, 1, 125, 126, 127, 1000, 0xFFFE, 0xFFFF, 0x10000, 80000} {
		s := longList(t, n)
		fl, err := s.freePages()
		if err != nil {
			t.Fatalf("%d pages: %v", n, err)
		}
		if err := fl.verify(); err != nil {
			t.Errorf("%d pages: %v", n, err)
		}
		start := uint64(9 + fl.overflow)
		for i, step := 0, max(1, n/50); i < n; i += step {
			free, err := fl.has(start + 2*uint64(i))
			if err != nil || !free {
				t.Errorf("%d pages: page %d is not free, %v", n, i, err)
			}
			if free, _ := fl.has(start + 2*uint64(i) + 1); free {
				t.Errorf("%d pages: the page behind page %d is free", n, i)
			}
		}
	}
}

func TestAListOfFreePagesThatIsWrongIsCorrupt(t *testing.T) {
	for name, change := range map[string]func(b []byte){
		"out of order":     func(b []byte) { native.PutUint64(b[16+80:], 5000) },
		"twice the same":   func(b []byte) { copy(b[16+80:], b[16+88:16+96]) },
		"outside the file": func(b []byte) { native.PutUint64(b[16+8*999:], 1<<40) },
		"within itself":    func(b []byte) { native.PutUint64(b[16:], 4) },
		"a meta page":      func(b []byte) { native.PutUint64(b[16:], 1) },
		"too long":         func(b []byte) { b[10]++; b[11] = 0xFF },
		"another page":     func(b []byte) { b[0]++ },
		"another kind":     func(b []byte) { b[8] = leafFlag },
		"too far":          func(b []byte) { b[14] = 1 },
		"too wide":         func(b []byte) { b[12] += 30 },
	} {
		s := longList(t, 1000)
		b, _ := os.ReadFile(s.path)
		change(b[3*1024:])
		os.WriteFile(s.path, b, 0o600)
		fl, err := s.freePages()
		if err == nil {
			err = fl.verify()
		}
		if !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: got %v, want ErrCorrupt", name, err)
		}
	}
	if fl, err := longList(t, 1000).freePages(); err != nil || fl.verify() != nil {
		t.Error("the list that they change is not sound itself")
	}
}

func TestWhatBoltPanicsAboutIsCorrupt(t *testing.T) {
	image, _ := specimen(t)
	path := atImage(t, image).path
	s, err := openSnapshot(path)
	if err != nil {
		t.Fatal(err)
	}
	s.close()
	tx := newTx(nil, true)
	b, _ := tx.bucket("big")
	b.put([]byte("key 0123"), nil)
	// The first cut leaves the list of free pages outside of bbolt's mapping,
	// the second inside, where reading it is a fault.
	for _, n := range []int{3 * 4096, int(s.freelist) * s.pageSize} {
		// Our own checks are left out: the file has lost its end behind them.
		os.WriteFile(path, image[:n], 0o600)
		if err := writeBolt(path, []*bucket{b}); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%d bytes: got %v, want ErrCorrupt", n, err)
		}
	}
}

func FuzzParsePage(f *testing.F) {
	f.Add([]byte{}, uint64(0), uint16(0))
	f.Add([]byte("\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x10\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00kv"), uint64(0), uint16(0))
	f.Add([]byte("\x05\x00\x00\x00\x00\x00\x00\x00\x01\x00\x01\x00\x00\x00\x00\x00\x10\x00\x00\x00\x01\x00\x00\x00\x09\x00\x00\x00\x00\x00\x00\x00k"), uint64(5), uint16(4096))
	f.Fuzz(func(t *testing.T, b []byte, id uint64, size uint16) {
		p, err := parsePage(b, id, int(size))
		if err != nil {
			return
		}
		p.search([]byte("k"))
		for i := range p.n {
			if j, exact := p.search(p.key(i)); j != i || !exact {
				t.Errorf("element %d is found at %d, %v", i, j, exact)
			}
			p.value(i)
		}
	})
}

// FuzzDamage writes anything anywhere into a database and reads all of it.
func FuzzDamage(f *testing.F) {
	var image []byte
	var qs []question
	f.Add(uint32(4096), []byte{0})
	f.Add(uint32(3*4096), []byte("\x03\x00\x00\x00\x00\x00\x00\x00\x01"))
	f.Fuzz(func(t *testing.T, at uint32, patch []byte) {
		if image == nil {
			image, qs = specimen(t)
		}
		b := append([]byte{}, image...)
		copy(b[int(at)%len(b):], patch)
		db := openDB(t, filepath.Join(t.TempDir(), "index.db"), nil)
		os.WriteFile(db.path, b, 0o600)
		for _, q := range qs {
			if _, err := q.ask(db); err != nil && !errors.Is(err, ErrCorrupt) {
				t.Errorf("%s: %v", q.name, err)
			}
		}
		if err := db.Check(ctx); err != nil && !errors.Is(err, ErrCorrupt) {
			t.Errorf("check: %v", err)
		}
	})
}
