//go:build unix

package objects

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/datafs/datafs/fixtures"
	"github.com/datafs/datafs/objects/codec"
)

// largeDir returns a directory for some gigabytes, or skips the test.
func largeDir(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("DATAFS_TEST_LARGE")
	if dir == "" {
		t.Skip("DATAFS_TEST_LARGE names no directory for large files")
	}
	return dir
}

const largeSize = 1 << 30

var largeKinds = []struct {
	name  string
	first func(io.Writer) error
}{
	{"random", func(w io.Writer) error { return fixtures.Random(w, largeSize, 1) }},
	{"grid", func(w io.Writer) error { return fixtures.Grid(w, largeSize, 1) }},
	{"csv", func(w io.Writer) error { return fixtures.CSV(w, largeSize, 1) }},
}

// cost is what something took.
type cost struct {
	wall, cpu time.Duration
}

// costOf measures run, and whatever else the process does meanwhile.
func costOf(run func()) cost {
	runtime.GC()
	start, used := time.Now(), cpuTime()
	run()
	return cost{time.Since(start), cpuTime() - used}
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// sizeRow is what one average size of chunks comes to with one kind of data.
type sizeRow struct {
	chunks, index              int64 // of the first version; bytes of the index
	stored, newRaw, newStored  int64
	first, second, cat, random []cost
}

// TestChunkSizes prints what the sizes of chunks cost and save, for the choice
// of DefaultParams: medians of three rounds in which the sizes take turns.
func TestChunkSizes(t *testing.T) {
	dir := largeDir(t)
	averages := []int{16 << 10, 32 << 10, 64 << 10, 128 << 10, 256 << 10, 512 << 10, 1 << 20}
	for _, kind := range largeKinds {
		v1, v2 := filepath.Join(dir, kind.name), filepath.Join(dir, kind.name+"2")
		makeFile(t, v1, kind.first)
		makeFile(t, v2, func(w io.Writer) error { return fixtures.Second(w, largeSize, 2, nil, kind.first) })
		rows := make([]sizeRow, len(averages))
		for round := range 3 {
			for i, avg := range averages {
				t.Run(fmt.Sprintf("%s/%d/%d", kind.name, avg>>10, round), func(t *testing.T) { rows[i].measure(t, dir, avg, v1, v2) })
			}
		}
		fmt.Printf("\n%s\n\n| average KiB | chunks | meta MB | index MB | stored MB | new raw MB | new stored MB | first s / CPU | second s / CPU | cat s / CPU | 1 MiB reads ms |\n", kind.name)
		fmt.Println("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
		for i, avg := range averages {
			rows[i].print(avg >> 10)
		}
		os.Remove(v1)
		os.Remove(v2)
	}
}

func makeFile(t *testing.T, name string, fill func(io.Writer) error) {
	t.Helper()
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := bufio.NewWriterSize(f, 1<<20)
	if err := fill(w); err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
}

func (r *sizeRow) measure(t *testing.T, dir string, avg int, v1, v2 string) {
	repo := filepath.Join(dir, "store")
	t.Cleanup(func() { os.RemoveAll(repo) })
	s := openStore(t, repo, codec.Params{Algorithm: codec.DefaultParams.Algorithm, Min: avg / 4, Avg: avg, Max: 4 * avg})
	var tree ID
	add := func(name string) (took cost, raw, stored int64) {
		w := newWriter(t, s, &WriterOptions{})
		took = costOf(func() {
			result, err := w.Path(name, nil)
			if err == nil {
				err = w.Finish()
			}
			if err != nil {
				t.Fatal(err)
			}
			tree = result.Tree
		})
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		raw, stored = w.Added()
		return took, raw, stored
	}
	took, _, stored := add(v1)
	r.first, r.stored = append(r.first, took), stored
	r.chunks = 0
	e := openFile(t, s, tree).Entry()
	for _, err := range s.refs(t.Context(), &e, 0) {
		if err != nil {
			t.Fatal(err)
		}
		r.chunks++
	}
	if fi, err := os.Stat(filepath.Join(repo, "index.db")); err == nil {
		r.index = fi.Size()
	}
	took, r.newRaw, r.newStored = add(v2)
	r.second = append(r.second, took)
	r.read(t, openFile(t, s, tree))
}

// read measures a read of the whole, and 200 reads of 1 MiB at random places.
func (r *sizeRow) read(t *testing.T, f *File) {
	r.cat = append(r.cat, costOf(func() {
		if _, err := f.WriteTo(io.Discard); err != nil {
			t.Fatal(err)
		}
	}))
	rnd, p := rand.New(rand.NewPCG(1, 2)), make([]byte, 1<<20)
	r.random = append(r.random, costOf(func() {
		for range 200 {
			if _, err := f.ReadAt(p, rnd.Int64N(largeSize-int64(len(p)))); err != nil {
				t.Fatal(err)
			}
		}
	}))
}

// print writes a line of the table. What describes the chunks is 50 bytes each
// in a pack's table and 35 in a node.
func (r *sizeRow) print(kib int) {
	mb := func(n int64) string { return fmt.Sprintf("%.1f", float64(n)/1e6) }
	both := func(list []cost) string {
		c := medianCost(list)
		return fmt.Sprintf("%.2f / %.2f", c.wall.Seconds(), c.cpu.Seconds())
	}
	fmt.Printf("| %d | %d | %s | %s | %s | %s | %s | %s | %s | %s | %.2f |\n", kib, r.chunks, mb(85*r.chunks), mb(r.index), mb(r.stored),
		mb(r.newRaw), mb(r.newStored), both(r.first), both(r.second), both(r.cat), medianCost(r.random).wall.Seconds()*1000/200)
}

// medianCost takes the medians of both, each on its own.
func medianCost(list []cost) (m cost) {
	var wall, cpu []time.Duration
	for _, c := range list {
		wall, cpu = append(wall, c.wall), append(cpu, c.cpu)
	}
	slices.Sort(wall)
	slices.Sort(cpu)
	return cost{wall[len(wall)/2], cpu[len(cpu)/2]}
}
