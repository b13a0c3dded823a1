package bolt

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/refs"
)

// The test binary runs itself as the other processes: the environment says what
// it is to do, and the first argument where.
const (
	workEnv = "DATAFS_REFS_TEST_WORK"
	workers = 16
	updates = 20
)

func TestMain(m *testing.M) {
	if work := os.Getenv(workEnv); work != "" {
		if err := doWork(work, os.Args[1], os.Args[2]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func doWork(work, dir, who string) error {
	db, err := index.Open(filepath.Join(dir, "index.db"), &index.Options{LockTimeout: 5 * time.Minute})
	if err != nil {
		return err
	}
	b, err := Open(db, filepath.Join(dir, "journal"), nil)
	if err != nil {
		return err
	}
	switch work {
	case "update":
		return workUpdate(refs.New(b, nil), who)
	case "update by compare and swap":
		return workUpdate(refs.New(struct{ refs.Manager }{b}, nil), who)
	case "churn":
		b.compactAt = 8 << 10
		return workChurn(b, who)
	case "acknowledge":
		b.compactAt = 8 << 10
		return workAcknowledge(b, who)
	}
	return errors.New("no such work")
}

// workUpdate adds versions to the archive a, and a key of metadata with each.
func workUpdate(d *refs.DB, who string) error {
	ctx := context.Background()
	for i := range updates {
		nv := refs.NewVersion{Archive: "a", Size: 1, Bump: "patch", Message: &who}
		copy(nv.Hash[:], fmt.Sprint(who, "-", i))
		rec, prev, created, err := d.AddVersion(ctx, nv)
		if err != nil {
			return err
		}
		if !created || prev != nil && prev.Version.Compare(rec.Version) >= 0 {
			return fmt.Errorf("version %s after %v, created %v", rec.Label(), prev, created)
		}
		fmt.Println(rec.Label())
	}
	return d.UpdateMetadata(ctx, "a", map[string]*string{who: &who})
}

// workChurn changes its own records often, so that the journal is compacted.
func workChurn(b *Manager, who string) error {
	ctx := context.Background()
	var rev refs.Rev
	for i := range 60 {
		value := fmt.Sprintf(`{"n":%d,"pad":"%s"}`, i, strings.Repeat("x", 300))
		var err error
		if rev, err = b.Put(ctx, "archive/"+who, []byte(value), rev); err != nil {
			return err
		}
		if i%10 == 5 {
			if err := b.Delete(ctx, "archive/"+who, rev); err != nil {
				return err
			}
			rev = refs.Absent
		}
		if i%20 == 19 {
			if err := b.Compact(ctx); err != nil {
				return err
			}
		}
		fmt.Println(i)
	}
	return nil
}

// workAcknowledge counts, and says each number after it is written, until it is
// killed.
func workAcknowledge(b *Manager, who string) error {
	ctx := context.Background()
	r, err := b.Get(ctx, "archive/"+who)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	n, _ := strconv.Atoi(strings.Trim(string(r.Value), `{"n:}`))
	for rev := r.Rev; ; {
		n++
		if rev, err = b.Put(ctx, "archive/"+who, fmt.Appendf(nil, `{"n":%d}`, n), rev); err != nil {
			return err
		}
		fmt.Println(n)
	}
}

func command(work, dir, who string) *exec.Cmd {
	c := exec.Command(os.Args[0], dir, who)
	c.Env = append(os.Environ(), workEnv+"="+work)
	c.Stderr = os.Stderr
	return c
}

// runAll runs n processes at once and gives the lines that they printed.
func runAll(t *testing.T, work, dir string, n int) []string {
	t.Helper()
	var mu sync.Mutex
	var wg sync.WaitGroup
	var lines []string
	for i := range n {
		wg.Go(func() {
			out, err := command(work, dir, fmt.Sprint("p", i)).Output()
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Errorf("process %d: %v", i, err)
			}
			lines = append(lines, strings.Fields(string(out))...)
		})
	}
	wg.Wait()
	return lines
}

// TestUpdatesOfManyProcesses: 16 processes with 20 updates of one archive each
// make 320 different versions, with and without transactions.
func TestUpdatesOfManyProcesses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		work string
		n    int
	}{{"update", workers}, {"update by compare and swap", 4}} {
		t.Run(c.work, func(t *testing.T) {
			dir := t.TempDir()
			b := openAt(t, dir)
			d := refs.New(b, nil)
			_, err := d.Create(t.Context(), refs.Archive{Name: "a", Versioned: true}, nil)
			must(t, err)
			made := runAll(t, c.work, dir, c.n)
			list, err := d.Versions(t.Context(), "a")
			must(t, err, b.Check(t.Context()))
			var want []string
			for i := range c.n * updates {
				want = append(want, fmt.Sprint("0.0.", i+1))
			}
			var got []string
			who := map[string]int{}
			for _, v := range list {
				got = append(got, v.Label())
				who[*v.Last().Message]++
			}
			if !slices.Equal(got, want) {
				t.Errorf("versions are %v", got)
			}
			for p, n := range who {
				if n != updates {
					t.Errorf("process %s has %d versions, want %d", p, n, updates)
				}
			}
			if slices.Sort(made); len(slices.Compact(made)) != c.n*updates {
				t.Errorf("the processes made %d different versions, want %d", len(slices.Compact(made)), c.n*updates)
			}
			if a, err := d.Archive(t.Context(), "a"); err != nil || len(a.Metadata) != c.n {
				t.Errorf("of %d keys there are %v, %v", c.n, a.Metadata, err)
			}
		})
	}
}

// TestCompactionUnderManyWriters: several processes write and compact at once,
// and one follows the changes.
func TestCompactionUnderManyWriters(t *testing.T) {
	t.Parallel()
	const n = 6
	dir := t.TempDir()
	b := openAt(t, dir)
	done := make(chan struct{})
	go func() { defer close(done); runAll(t, "churn", dir, n) }()
	seen := map[string]string{}
	cursor := refs.Cursor("")
	for end := false; !end; {
		select {
		case <-done:
			end = true
		default:
		}
		for r, err := range b.Changes(t.Context(), cursor) {
			must(t, err)
			cursor = r.Cursor
			if seen[r.Key] = string(r.Value); r.Deleted {
				delete(seen, r.Key)
			}
		}
	}
	must(t, b.Check(t.Context()))
	for i := range n {
		key := fmt.Sprint("archive/p", i)
		r, err := b.Get(t.Context(), key)
		if err != nil || !strings.HasPrefix(string(r.Value), `{"n":59,`) || seen[key] != string(r.Value) {
			t.Errorf("%s is %.20s, %v, and was seen as %.20s", key, r.Value, err, seen[key])
		}
	}
	generation, size, others, err := newestJournal(b.dir)
	if err != nil || generation < 4 || len(others) > 1 {
		t.Errorf("generation is %d with %d bytes and %v beside it, %v", generation, size, others, err)
	}
	want := dump(t, b)
	must(t, b.Rebuild(t.Context()))
	if got := dump(t, b); got != want {
		t.Errorf("rebuilt: got\n%swant\n%s", got, want)
	}
}

// TestKilledProcesses: whatever a process said that it had written is there
// after it was killed, and at most one more; with the index and without.
func TestKilledProcesses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b := openAt(t, dir)
	for round, after := range []int{1, 2, 5, 17, 40, 60} {
		c := command("acknowledge", dir, "p")
		out, err := c.StdoutPipe()
		must(t, err, c.Start())
		said, last := 0, 0
		for lines := bufio.NewScanner(out); lines.Scan(); {
			last, err = strconv.Atoi(lines.Text())
			must(t, err)
			if said++; said == after {
				must(t, c.Process.Kill())
			}
		}
		c.Wait()
		if round%2 == 1 {
			must(t, os.Remove(filepath.Join(dir, "index.db")), b.Rebuild(t.Context()))
		}
		r, err := b.Get(t.Context(), "archive/p")
		must(t, err, b.Check(t.Context()))
		if got := string(r.Value); got != fmt.Sprintf(`{"n":%d}`, last) && got != fmt.Sprintf(`{"n":%d}`, last+1) {
			t.Errorf("after %d was acknowledged there is %s", last, got)
		}
	}
}
