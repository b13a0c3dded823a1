package objects

import (
	"math/rand/v2"
	"testing"

	"github.com/zeebo/blake3"
	other "lukechampine.com/blake3"
)

// lengths are those at which a tree hash can go wrong: around blocks (64),
// chunks (1024), and the widths that the assembly works in, and beyond.
func lengths() []int {
	list := []int{0, 1, 2, 3, 31, 32, 33}
	for n := 64; n <= 1<<20; n *= 2 {
		list = append(list, n-1, n, n+1, n+63, n+64, n+65)
	}
	for n := 1024; n <= 20*1024; n += 1024 {
		list = append(list, n-1, n, n+1)
	}
	return list
}

// TestHashIsThatOfASecondImplementation compares the hash that names everything
// with one by another author.
func TestHashIsThatOfASecondImplementation(t *testing.T) {
	data := make([]byte, 2<<20)
	rand.NewChaCha8([32]byte{3}).Read(data)
	for _, n := range lengths() {
		for _, from := range []int{0, 1, 7} { // addresses that are not aligned
			compareHashes(t, data[from:from+n], uint64(n))
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		n := r.IntN(300_000)
		compareHashes(t, data[r.IntN(1000):][:n], r.Uint64())
	}
}

// compareHashes hashes in one go, and in pieces as files are.
func compareHashes(t *testing.T, b []byte, seed uint64) {
	t.Helper()
	want := ID(other.Sum256(b))
	if got := Hash(b); got != want {
		t.Errorf("%d bytes: got %s, want %s", len(b), got, want)
	}
	r := rand.New(rand.NewPCG(seed, 5))
	h := blake3.New()
	for rest := b; len(rest) > 0; {
		n := min(1+r.IntN(1+len(rest)), len(rest))
		h.Write(rest[:n])
		rest = rest[n:]
	}
	if got := ID(h.Sum(nil)); got != want {
		t.Errorf("%d bytes in pieces: got %s, want %s", len(b), got, want)
	}
}

// FuzzHash compares them for any bytes, repeated so that long inputs come by.
func FuzzHash(f *testing.F) {
	f.Add([]byte{}, uint16(1), uint64(1))
	f.Add([]byte("some bytes"), uint16(500), uint64(2))
	f.Fuzz(func(t *testing.T, b []byte, times uint16, seed uint64) {
		var long []byte
		for range times % 600 {
			long = append(long, b...)
		}
		compareHashes(t, append(long, b...), seed)
	})
}
