package datafs

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"
)

// largeAt is read before TestMain takes it away.
var largeAt = os.Getenv("DATAFS_TEST_LARGE")

// TestCheckoutFigures prints how long large checkouts take. DATAFS_TEST_LARGE
// may name the directory for it, such as /dev/shm.
func TestCheckoutFigures(t *testing.T) {
	if largeAt == "" {
		t.Skip("DATAFS_TEST_LARGE is not set")
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	for _, test := range []struct {
		name  string
		files int
		size  int
		tree  bool
		first time.Duration
		again time.Duration
	}{
		{"100,000 small archives", 100_000, 100, false, 30 * time.Second, 0},
		{"a tree of 100,000 files", 100_000, 100, true, 30 * time.Second, 0},
		{"1,000 archives with 1 GiB", 1000, 1 << 20, false, 0, 500 * time.Millisecond},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := largeDir(t)
			api := openOnly(t, largeOptions(dir))
			fillLarge(t, api, filepath.Join(dir, "source"), test.files, test.size, test.tree)
			for _, want := range []time.Duration{test.first, test.again} {
				took, peak := measured(func() {
					rep := must(api.Checkout(t.Context(), filepath.Join(dir, "out"), &CheckoutOptions{Link: "copy", Requirements: filepath.Join(dir, "requirements_data.txt")}))(t)
					t.Logf("%d written, %d unchanged", rep.Written, rep.Unchanged)
				})
				t.Logf("%s, peak of the heap %d MiB", took.Round(time.Millisecond), peak>>20)
				if want > 0 && took > want {
					t.Errorf("took %s, want at most %s", took, want)
				}
				if peak > 256<<20 {
					t.Errorf("peak memory %d MiB, want at most 256", peak>>20)
				}
			}
		})
	}
}

func largeDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp(largeAt, "checkout-*")
	if err != nil {
		dir, err = os.MkdirTemp("", "checkout-*")
	}
	noError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func largeOptions(dir string) *Options {
	opts := testOptions(dir)
	opts.Now = time.Now
	return opts
}

func fillLarge(t *testing.T, api *API, source string, files, size int, tree bool) {
	t.Helper()
	var lines strings.Builder
	for i := range files {
		name := fmt.Sprintf("d%03d/f%06d", i/100, i)
		noError(t, os.MkdirAll(filepath.Join(source, filepath.Dir(name)), 0o755))
		data := []byte(strings.Repeat(fmt.Sprintf("%08d\n", i*7919), size/9+1))[:size]
		noError(t, os.WriteFile(filepath.Join(source, name), data, 0o644))
		fmt.Fprintf(&lines, "%s==0.0.1\n", name)
	}
	if tree {
		must(newArchive(t, api, "tree").Update(t.Context(), source, nil))(t)
		lines.Reset()
		lines.WriteString("tree\n")
	} else {
		must(api.Import(t.Context(), source, nil))(t)
	}
	noError(t, os.WriteFile(filepath.Join(filepath.Dir(source), "requirements_data.txt"), []byte(lines.String()), 0o644))
}

// measured runs something, and samples the heap meanwhile.
func measured(f func()) (time.Duration, uint64) {
	debug.FreeOSMemory()
	stop, peak := make(chan bool), make(chan uint64)
	go func() {
		most := uint64(0)
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapSys-m.HeapReleased+m.StackSys)
			select {
			case <-stop:
				peak <- most
				return
			case <-time.After(10 * time.Millisecond):
			}
		}
	}()
	begin := time.Now()
	f()
	took := time.Since(begin)
	stop <- true
	return took, <-peak
}
