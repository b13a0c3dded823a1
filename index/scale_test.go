package index

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Large indexes are made of packs of this many chunks, whose ids follow from
// their numbers, so that nothing needs to remember them.
const (
	perPack   = 1000
	scaleAsks = 1 << 14
	scaleRuns = 7
)

// scaleID returns the id of a numbered chunk (splitmix64: Steele, Lea, Flood,
// "Fast splittable pseudorandom number generators", OOPSLA 2014).
func scaleID(n int) (id ID) {
	for i := range 4 {
		z := uint64(4*n+i+1) * 0x9E3779B97F4A7C15
		z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
		z = (z ^ z>>27) * 0x94D049BB133111EB
		binary.LittleEndian.PutUint64(id[8*i:], z^z>>31)
	}
	return id
}

// scalePacks returns the packs of the chunks from one number up to another.
func scalePacks(from, to int) (packs []Pack) {
	for from < to {
		n := min(perPack-from%perPack, to-from)
		p := Pack{ID: ID{0: 1, 1: byte(n)}, Size: 64 << 20, Entries: make([]Entry, n)}
		binary.BigEndian.PutUint64(p.ID[8:], uint64(from))
		for i := range p.Entries {
			p.Entries[i] = Entry{ID: scaleID(from + i), Offset: uint64(i) << 16, Stored: 40000, Raw: 65536, Codec: 1}
		}
		packs, from = append(packs, p), from+n
	}
	return packs
}

// scaleDB returns an index of n chunks, grown by batches as an import grows it.
// It is kept in the directory for the next time.
func scaleDB(tb testing.TB, dir string, n int) *DB {
	path := filepath.Join(dir, fmt.Sprintf("index-%d.db", n))
	db := openDB(tb, path, nil)
	if _, err := os.Stat(path); err == nil {
		return db
	}
	building := openDB(tb, path+".part", nil)
	for from := 0; from < n; from += addBatch {
		if err := building.AddPacks(ctx, "local", scalePacks(from, min(n, from+addBatch))...); err != nil {
			tb.Fatal(err)
		}
	}
	if err := os.Rename(building.path, path); err != nil {
		tb.Fatal(err)
	}
	return db
}

// TestScaleFigures prints how long lookups and inserts take in large indexes,
// and what memory a process that does just that needs. DATAFS_TEST_LARGE names
// the directory for them, such as /dev/shm; they stay there for the next time.
// DATAFS_TEST_CHUNKS names other numbers of chunks, separated by commas.
func TestScaleFigures(t *testing.T) {
	dir := os.Getenv("DATAFS_TEST_LARGE")
	if dir == "" {
		t.Skip("DATAFS_TEST_LARGE is not set")
	}
	sizes := os.Getenv("DATAFS_TEST_CHUNKS")
	if sizes == "" {
		sizes = "1000000,10000000"
	}
	for _, s := range strings.Split(sizes, ",") {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(s, func(t *testing.T) { scaleFigures(t, scaleDB(t, dir, n), n) })
	}
}

func scaleFigures(t *testing.T, db *DB, n int) {
	fi, err := os.Stat(db.path)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d bytes, %.1f a chunk", fi.Size(), float64(fi.Size())/float64(n))
	for _, what := range []string{"locate", "insert"} {
		cmd := exec.Command(os.Args[0], db.path)
		cmd.Env = append(os.Environ(), childEnv+"=scale "+what)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v: %s", what, err, out)
		}
		t.Logf("%s: %s", what, strings.TrimSpace(string(out)))
	}
}

// scaleChild is the process whose memory is measured.
func scaleChild(db *DB, what string) error {
	n, err := db.CountChunks(ctx, "local")
	if err != nil {
		return err
	}
	var took []time.Duration
	for run := range scaleRuns {
		begin := time.Now()
		switch what {
		case "locate":
			begin, err = scaleLocate(db, n, run)
		case "insert":
			packs := scalePacks(n+run*scaleAsks, n+(run+1)*scaleAsks)
			begin = time.Now()
			err = db.AddPacks(ctx, "local", packs...)
		}
		if err != nil {
			return err
		}
		took = append(took, time.Since(begin))
	}
	fmt.Printf("%v; %s\n", took, peakMemory())
	slices.Sort(took)
	fmt.Printf("median %v", took[len(took)/2])
	return nil
}

// scaleLocate looks up ids of which every other one is there. It returns when
// it began to.
func scaleLocate(db *DB, n, seed int) (time.Time, error) {
	rnd := rand.New(rand.NewPCG(uint64(seed), 1))
	ids := make([]ID, scaleAsks)
	for i := range ids {
		ids[i] = scaleID(rnd.IntN(n) + i%2<<40)
	}
	begin := time.Now()
	locs, err := db.Locate(ctx, "local", ids)
	for i, l := range locs {
		if l.Found != (i%2 == 0) {
			return begin, fmt.Errorf("chunk %d: found %t", i, l.Found)
		}
	}
	return begin, err
}

// peakMemory returns what Linux tells of this process's memory: of a process
// that was started by a large one, only this is its own.
func peakMemory() string {
	b, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(b)) {
		if strings.HasPrefix(line, "VmHWM:") {
			return strings.Join(strings.Fields(line), " ")
		}
	}
	return "memory unknown"
}
