package datafs

import (
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// randomText is incompressible.
func randomText(t *testing.T, seed uint64, size int64) string {
	t.Helper()
	return string(must(io.ReadAll(io.LimitReader(newRandom(seed), size)))(t))
}

func TestStats(t *testing.T) {
	api := newAPI(t)
	equal(t, "of nothing", must(api.Stats(t.Context()))(t), Stats{})
	random := randomText(t, 1, 1<<20)
	h := newArchive(t, api, "x")
	put(t, h, random)
	put(t, h, "short")
	put(t, newArchive(t, api, "y"), random)
	newArchive(t, api, "empty")
	st := must(api.Stats(t.Context()))(t)
	if st.Archives != 3 || st.Versions != 3 || st.Logical != 2<<20+5 || st.Packs != 2 {
		t.Errorf("got %+v", st)
	}
	if st.Unique < 1<<20 || st.Unique > 1<<20+10_000 || st.Stored < 1<<20 || st.Stored > 1<<20+10_000 || st.Chunks < 10 {
		t.Errorf("got %+v", st)
	}
}

func TestCheckOfASoundRepository(t *testing.T) {
	api := newAPI(t)
	put(t, newArchive(t, api, "x"), randomText(t, 1, 1<<20))
	put(t, newUnversioned(t, api, "y"), "text")
	noError(t, api.CreateTable(t.Context(), "other"))
	for _, full := range []bool{false, true} {
		rep := must(api.Check(t.Context(), &CheckOptions{Full: full}))(t)
		if len(rep.Problems) > 0 || rep.Archives != 2 || rep.Versions != 2 || rep.Packs != 2 || rep.Chunks < 10 || rep.Bytes < 1<<20 {
			t.Errorf("full %v: got %+v", full, rep)
		}
	}
}

func TestCheckFindsDamage(t *testing.T) {
	pack := func(t *testing.T, api *API, i int) string {
		return must(filepath.Glob(filepath.Join(api.Repo(), "packs/*/*")))(t)[i]
	}
	for _, c := range []struct {
		name   string
		damage func(t *testing.T, api *API)
		full   bool
		want   string // in the problems
	}{
		{"a pack that is missing", func(t *testing.T, api *API) { noError(t, os.Remove(pack(t, api, 0))) }, false, "is not in the repository"},
		{"a pack that is cut off", func(t *testing.T, api *API) { noError(t, os.Truncate(pack(t, api, 0), 100)) }, false, "pack"},
		{"bytes in a chunk", func(t *testing.T, api *API) { spoil(t, api, 1<<20) }, true, "chunk"},
		{"an index of garbage", func(t *testing.T, api *API) {
			noError(t, os.WriteFile(api.index.Path(), []byte(strings.Repeat("garbage ", 1000)), 0o600))
		}, false, "index"},
		{"an index that is empty", func(t *testing.T, api *API) { noError(t, os.Truncate(api.index.Path(), 0)) }, false, "index"},
		{"a journal that is cut off", func(t *testing.T, api *API) {
			noError(t, os.Truncate(must(filepath.Glob(filepath.Join(api.Repo(), "journal/*")))(t)[0], 100))
		}, false, "journal"},
	} {
		t.Run(c.name, func(t *testing.T) {
			api := openOnly(t, testOptions(t.TempDir()))
			put(t, newArchive(t, api, "x"), randomText(t, 1, 1<<20))
			c.damage(t, api)
			rep, err := api.Check(t.Context(), &CheckOptions{Full: c.full})
			noError(t, err)
			if !strings.Contains(strings.Join(rep.Problems, "\n"), c.want) {
				t.Errorf("got %q, want something about %q", rep.Problems, c.want)
			}
		})
	}
}

func TestGCFreesWhatNobodyNeeds(t *testing.T) {
	dir := t.TempDir()
	api := openChecked(t, testOptions(dir))
	ctx := t.Context()
	noError(t, api.CreateTable(ctx, "other"))
	other := openOnly(t, configured(dir, "manager: {class: EmbeddedManager, kwargs: {table_name: other}}"))
	keep, shared, drop := randomText(t, 1, 1<<20), randomText(t, 2, 1<<20), randomText(t, 3, 1<<20)
	kept := put(t, newArchive(t, api, "kept"), keep).Archive
	put(t, newArchive(t, api, "dropped"), drop+shared)
	elsewhere := put(t, newArchive(t, other, "elsewhere"), shared).Archive
	full := must(api.Stats(ctx))(t)
	noError(t, api.Delete(ctx, "dropped"))

	dry := must(api.GC(ctx, noGrace(true)))(t)
	equal(t, "stored after a dry run", must(api.Stats(ctx))(t).Stored, full.Stored)
	rep := must(api.GC(ctx, noGrace(false)))(t)
	if rep.Freed < 1<<20-1<<17 || dry.Freed != rep.Freed {
		t.Errorf("freed %d bytes (dry run: %d), want about 1 MiB", rep.Freed, dry.Freed)
	}
	st := must(api.Stats(ctx))(t)
	if st.Stored > 2<<20+1<<19 || st.Archives != 2 {
		t.Errorf("got %+v", st)
	}
	equal(t, "kept", text(t, kept, "") == keep, true)
	equal(t, "in the other table", text(t, elsewhere, "") == shared, true)
	equal(t, "a second run", must(api.GC(ctx, noGrace(false)))(t).Freed, int64(0))

	noError(t, api.DeleteTable(ctx, "other"))
	must(api.GC(ctx, noGrace(false)))(t)
	// A pack stays as it is while less than a quarter of it is dead.
	if st := must(api.Stats(ctx))(t); st.Stored > 1<<20*4/3 {
		t.Errorf("without the table: got %+v", st)
	}
	noError(t, api.Delete(ctx, "kept"))
	must(api.GC(ctx, noGrace(false)))(t)
	equal(t, "at last", must(api.Stats(ctx))(t), Stats{})
}

func TestGCFreesReplacedContents(t *testing.T) {
	api := newAPI(t)
	h := newUnversioned(t, api, "x")
	for i := range 4 {
		put(t, h, randomText(t, uint64(i), 1<<20))
	}
	want := text(t, h, "")
	must(api.GC(t.Context(), noGrace(false)))(t)
	if st := must(api.Stats(t.Context()))(t); st.Stored > 1<<20+20_000 {
		t.Errorf("got %+v, want 1 MiB stored", st)
	}
	equal(t, "contents", text(t, h, "") == want, true)
	equal(t, "records", len(must(h.History(t.Context()))(t)), 4)
}

// Two writers at once may store the same chunk in two packs.
func TestGCKeepsAChunkThatLiesInTwoPacks(t *testing.T) {
	const big = 20 << 20 // packs that GC does not gather
	for _, order := range []bool{false, true} {
		api := newAPI(t)
		ctx := t.Context()
		same := randomText(t, 1, big)
		texts := map[string]string{"one": same, "two": same + randomText(t, 2, big/2)}
		if order {
			texts = map[string]string{"one": same + randomText(t, 3, big/2), "two": same}
		}
		for _, name := range []string{"one", "two"} {
			newArchive(t, api, name)
		}
		inside := must(api.writer(ctx, "one"))(t)
		first := must(inside.File(strings.NewReader(texts["one"])))(t)
		put(t, must(api.Archive(ctx, "two", nil))(t), texts["two"])
		noError(t, inside.Finish())
		h := must(api.Archive(ctx, "one", nil))(t)
		nv, last, err := h.prepare(ctx, &UpdateOptions{})
		noError(t, err)
		must(h.register(ctx, nv, last, first, nil))(t)
		noError(t, inside.Close())

		must(api.GC(ctx, noGrace(false)))(t)
		for _, name := range slices.Sorted(maps.Keys(texts)) {
			equal(t, name, text(t, must(api.Archive(ctx, name, nil))(t), "") == texts[name], true)
		}
	}
}
