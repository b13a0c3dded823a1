package datafs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

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
	must(api.GC(t.Context(), noGrace(false)))(t)
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
			if _, err := api.GC(t.Context(), noGrace(false)); err != nil {
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
	_, err := api.GC(t.Context(), noGrace(false))
	if !errors.Is(err, ErrBusy) {
		t.Errorf("gc beside a writer: got %v, want %v", err, ErrBusy)
	}
	put(t, newArchive(t, api, "x"), "writers do not wait for each other")
	p.finish(t)
	must(api.GC(t.Context(), noGrace(false)))(t)
}

func TestALockTimeoutBelowZeroWaits(t *testing.T) {
	opts := testOptions(t.TempDir())
	opts.LockTimeout = -1
	api := openChecked(t, opts)
	put(t, newArchive(t, api, "x"), "text")
	must(api.GC(t.Context(), noGrace(false)))(t)
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
