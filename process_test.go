package datafs

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// childEnv makes the test binary one of several processes: its value says what
// to do, the arguments follow.
const childEnv = "DATAFS_TEST_CHILD"

// TestMain takes the user's own settings away, and does a child's task.
func TestMain(m *testing.M) {
	task := os.Getenv(childEnv)
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); strings.HasPrefix(name, "DATAFS_") {
			os.Unsetenv(name)
		}
	}
	if task == "" {
		os.Exit(m.Run())
	}
	if err := child(context.Background(), task, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// child does a task in the repository of the directory args[0].
func child(ctx context.Context, task string, args []string) error {
	api, err := Open(ctx, testOptions(args[0]))
	if err != nil {
		return err
	}
	defer api.Close()
	fmt.Println("ready")
	switch task {
	case "updates":
		n, err := strconv.Atoi(args[2])
		if err != nil {
			return err
		}
		return manyUpdates(ctx, api, args[1], n)
	case "keep updating":
		return untilInputEnds(func(i int) error { return updateOften(ctx, api, i) })
	case "keep collecting":
		return untilInputEnds(func(int) error { return second(api.GC(ctx, false)) })
	case "hold":
		w, err := api.writer(ctx, "test")
		if err != nil {
			return err
		}
		defer w.Close()
		fmt.Println("held")
		_, err = io.Copy(io.Discard, os.Stdin)
		return err
	}
	return errors.New("unknown task")
}

// untilInputEnds does something again and again.
func untilInputEnds(do func(i int) error) error {
	ended := make(chan struct{})
	go func() {
		io.Copy(io.Discard, os.Stdin)
		close(ended)
	}()
	for i := 0; ; i++ {
		select {
		case <-ended:
			return nil
		default:
		}
		if err := do(i); err != nil {
			return err
		}
	}
}

// manyUpdates makes n versions of the archive "shared", and prints the number
// and the contents of each.
func manyUpdates(ctx context.Context, api *API, who string, n int) error {
	h, err := api.Archive(ctx, "shared", nil)
	if err != nil {
		return err
	}
	for i := range n {
		text := fmt.Sprintf("contents %d of process %s", i, who)
		res, err := h.UpdateFrom(ctx, strings.NewReader(text), nil)
		if err != nil {
			return err
		}
		fmt.Printf("%s\t%s\n", res.Version, text)
	}
	return nil
}

// updateOften writes one of several archives, now and then a large one, and
// sometimes deletes one.
func updateOften(ctx context.Context, api *API, i int) error {
	h, err := api.Create(ctx, fmt.Sprintf("often/%d", i%7), &CreateOptions{ExistOK: true})
	if err != nil {
		return err
	}
	if i%11 == 10 {
		return h.Delete(ctx)
	}
	size := 100
	if i%5 == 4 {
		size = 3 << 20
	}
	_, err = h.UpdateFrom(ctx, io.LimitReader(newRandom(uint64(i)), int64(size)), nil)
	return err
}

func newRandom(seed uint64) io.Reader {
	return rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), byte(seed >> 16)})
}

// process is a running child.
type process struct {
	*exec.Cmd
	out *bufio.Scanner
	in  io.Closer
	err strings.Builder
}

// start runs a child and waits until it is ready.
func start(t *testing.T, task string, args ...string) *process {
	t.Helper()
	p := &process{Cmd: exec.Command(os.Args[0], args...)}
	p.Env = append(os.Environ(), childEnv+"="+task)
	p.Stderr = &p.err
	in, _ := p.StdinPipe()
	out, _ := p.StdoutPipe()
	p.in, p.out = in, bufio.NewScanner(out)
	noError(t, p.Start())
	if !p.out.Scan() || p.out.Text() != "ready" {
		t.Fatalf("child: got %q: %v: %s", p.out.Text(), p.Wait(), &p.err)
	}
	return p
}

// kill ends the child as kill -9 does.
func (p *process) kill() {
	p.Process.Kill()
	p.Wait()
}

// finish waits for the child's own end.
func (p *process) finish(t *testing.T) {
	t.Helper()
	p.in.Close()
	if err := p.Wait(); err != nil {
		t.Errorf("child: %v: %s", err, &p.err)
	}
}

func TestSixteenProcessesMake320Versions(t *testing.T) {
	const processes, each = 16, 20
	dir := t.TempDir()
	api := openChecked(t, testOptions(dir))
	h := newArchive(t, api, "shared")
	var mu sync.Mutex
	made := map[string]string{}
	begin := time.Now()
	var wg sync.WaitGroup
	for i := range processes {
		p := start(t, "updates", dir, fmt.Sprint(i), fmt.Sprint(each))
		wg.Go(func() {
			for p.out.Scan() {
				version, text, _ := strings.Cut(p.out.Text(), "\t")
				mu.Lock()
				made[version] = text
				mu.Unlock()
			}
			p.finish(t)
		})
	}
	wg.Wait()
	t.Logf("%d updates by %d processes took %v", processes*each, processes, time.Since(begin))
	list := must(h.Versions(t.Context()))(t)
	if len(list) != processes*each || len(made) != processes*each {
		t.Fatalf("got %d versions, %d of them reported, want %d", len(list), len(made), processes*each)
	}
	for i, version := range list {
		if want := fmt.Sprintf("0.0.%d", i+1); version != want {
			t.Fatalf("version %d is %s, want %s", i, version, want)
		}
		if got := text(t, h, version); got != made[version] {
			t.Errorf("version %s: got %q, want %q", version, got, made[version])
		}
	}
}

func TestUpdatesAndGCGoTogether(t *testing.T) {
	dir := t.TempDir()
	api := openChecked(t, testOptions(dir))
	kept := put(t, newArchive(t, api, "kept"), "this stays")
	newArchive(t, api, "shared")
	gc := start(t, "keep collecting", dir)
	other := start(t, "keep updating", dir)
	p := start(t, "updates", dir, "0", "40")
	for p.out.Scan() {
		version, want, _ := strings.Cut(p.out.Text(), "\t")
		h := must(api.Archive(t.Context(), "shared", nil))(t)
		if got := text(t, h, version); got != want {
			t.Errorf("version %s: got %q, want %q", version, got, want)
		}
		equal(t, "an old version", text(t, kept.Archive, ""), "this stays")
	}
	for _, p := range []*process{p, gc, other} {
		p.finish(t)
	}
}

func TestNothingIsLostWhenAProcessIsKilled(t *testing.T) {
	dir := t.TempDir()
	api := openChecked(t, testOptions(dir))
	r := rand.New(rand.NewPCG(1, 2))
	h := newArchive(t, api, "mine")
	for round := range 20 {
		p := start(t, "keep updating", dir)
		time.Sleep(time.Duration(r.Int64N(int64(120 * time.Millisecond))))
		p.kill()
		if p.err.Len() > 0 {
			t.Fatalf("child: %s", &p.err)
		}
		checkDeeply(t, api)
		want := fmt.Sprintf("round %d", round)
		put(t, h, want)
		equal(t, "the update after it", text(t, h, ""), want)
	}
	// What killed processes leave in tmp goes with the next gc.
	must(api.GC(t.Context(), false))(t)
}

func TestGoroutinesShareAnAPI(t *testing.T) {
	api := newAPI(t)
	h := newArchive(t, api, "shared")
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for j := range 5 {
				want := fmt.Sprintf("%d of goroutine %d", j, i)
				res, err := h.UpdateFrom(t.Context(), strings.NewReader(want), &UpdateOptions{
					Metadata: map[string]*string{want: new("x")},
				})
				if err != nil {
					t.Error(err)
					return
				}
				var got strings.Builder
				if err := h.Cat(t.Context(), &got, &OpenOptions{Version: res.Version}); err != nil || got.String() != want {
					t.Errorf("version %s: got %q, %v, want %q", res.Version, &got, err, want)
				}
				if err := h.AddTags(t.Context(), want); err != nil {
					t.Error(err)
				}
				if err := api.SetDefaultVersions(map[string]string{"other": "1.0"}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Go(func() {
		for range 5 {
			if _, err := api.GC(t.Context(), false); err != nil {
				t.Error(err)
			}
		}
	})
	wg.Wait()
	equal(t, "versions", len(must(h.Versions(t.Context()))(t)), 20)
	equal(t, "tags", len(must(h.Tags(t.Context()))(t)), 20)
	equal(t, "keys of metadata", len(must(h.Metadata(t.Context()))(t)), 20)
}

func TestFirstUseByManyAtOnce(t *testing.T) {
	for _, network := range []bool{false, true} {
		t.Run(fmt.Sprintf("on a network filesystem: %v", network), func(t *testing.T) {
			pretendNetwork(t, network)
			dir := t.TempDir()
			var wg sync.WaitGroup
			for i := range 8 {
				wg.Go(func() {
					api, err := Open(t.Context(), testOptions(dir))
					if err != nil {
						t.Error(err)
						return
					}
					defer api.Close()
					if _, err := api.Create(t.Context(), fmt.Sprint("archive", i), nil); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			api := openChecked(t, testOptions(dir))
			equal(t, "archives", len(collect(t, api.Filter(t.Context(), nil))), 8)
		})
	}
}

func TestABusyRepositoryIsSaidToBeBusy(t *testing.T) {
	dir := t.TempDir()
	opts := testOptions(dir)
	opts.LockTimeout = 50 * time.Millisecond
	api := openChecked(t, opts)
	p := start(t, "hold", dir)
	p.out.Scan() // "held"
	_, err := api.GC(t.Context(), false)
	if !errors.Is(err, ErrBusy) {
		t.Errorf("gc beside a writer: got %v, want %v", err, ErrBusy)
	}
	put(t, newArchive(t, api, "x"), "writers do not wait for each other")
	p.finish(t)
	must(api.GC(t.Context(), false))(t)
}

func TestALockTimeoutBelowZeroWaits(t *testing.T) {
	opts := testOptions(t.TempDir())
	opts.LockTimeout = -1
	api := openChecked(t, opts)
	put(t, newArchive(t, api, "x"), "text")
	must(api.GC(t.Context(), false))(t)
}

func TestACancelledUpdateLeavesNothing(t *testing.T) {
	api := newAPI(t)
	h := newArchive(t, api, "x")
	ctx, cancel := context.WithCancel(t.Context())
	_, err := h.UpdateFrom(ctx, io.MultiReader(strings.NewReader("a"), readerFunc(func([]byte) (int, error) {
		cancel()
		return 0, nil
	})), nil)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
	equal(t, "versions", versions(t, h), "")
	if _, err := os.Stat(filepath.Join(api.Repo(), "packs")); errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
