package datafs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// importing tells what Import says of each file.
func importing(t *testing.T, api *API, dir string, opts ImportOptions) (string, ImportSummary) {
	t.Helper()
	var lines []string
	opts.Each = func(i ImportItem) {
		rel, _ := filepath.Rel(dir, i.Path)
		what := i.Archive + " " + i.Version
		if i.Status == ImportSkipped {
			what = i.Why
		}
		lines = append(lines, fmt.Sprintf("%s: %s %s", rel, i.Status, what))
	}
	sum := must(api.Import(t.Context(), dir, &opts))(t)
	return strings.Join(lines, "\n"), sum
}

func TestImport(t *testing.T) {
	api := newAPI(t)
	dir := writeTree(t, map[string]string{
		"a.nc": "A", "sub/b.nc": "B", "sub/empty": "", "sub/dir/": "", "link": "->a.nc", "dirlink": "->sub", "sub/same": "A",
	})
	makePipe(t, filepath.Join(dir, "pipe"))
	put(t, newArchive(t, api, "sub/b.nc"), "older")

	got, sum := importing(t, api, dir, ImportOptions{DryRun: true})
	want := `dirlink: skipped not a regular file
link: skipped not a regular file
pipe: skipped not a regular file
a.nc: created a.nc V
sub/b.nc: updated sub/b.nc W
sub/empty: skipped empty
sub/same: created sub/same V`
	equal(t, "dry run", got, strings.NewReplacer(" V", " ", " W", " ").Replace(want))
	equal(t, "names after it", listed(api.Filter(t.Context(), nil)), "sub/b.nc")
	equal(t, "summary", [4]int64{sum.Created, sum.Updated, sum.Unchanged, sum.Skipped}, [4]int64{2, 1, 0, 4})

	got, sum = importing(t, api, dir, ImportOptions{
		Message: new("first"), Tags: []string{"New"}, Metadata: map[string]string{"source": "disk"}, Dependencies: Dependencies{"d": nil},
	})
	want = strings.NewReplacer(" V", " 0.0.1", " W", " 0.0.2").Replace(want)
	equal(t, "import", sortLines(got), sortLines(want))
	equal(t, "summary", [4]int64{sum.Created, sum.Updated, sum.Unchanged, sum.Skipped}, [4]int64{2, 1, 0, 4})
	equal(t, "size", sum.Size, int64(3))
	if sum.New <= 0 || sum.Stored <= 0 {
		t.Errorf("got %+v", sum)
	}
	equal(t, "names", listed(api.Filter(t.Context(), nil)), "a.nc sub/b.nc sub/same")
	equal(t, "tagged", listed(api.Search(t.Context(), "", "new")), "a.nc sub/same")
	h := must(api.Archive(t.Context(), "sub/b.nc", nil))(t)
	equal(t, "contents", text(t, h, ""), "B")
	equal(t, "dependencies", dependenciesOf(t, h, ""), "d")
	equal(t, "metadata of one that was there", len(must(h.Metadata(t.Context()))(t)), 0)
	history := must(must(api.Archive(t.Context(), "a.nc", nil))(t).History(t.Context()))(t)
	equal(t, "message", *history[0].Message, "first")

	_, sum = importing(t, api, dir, ImportOptions{})
	equal(t, "summary of a second run", [4]int64{sum.Created, sum.Updated, sum.Unchanged, sum.Skipped}, [4]int64{0, 0, 3, 4})
}

func sortLines(s string) string {
	m := map[string]bool{}
	for _, line := range strings.Split(s, "\n") {
		m[strings.ReplaceAll(line, " ", "_")] = true
	}
	return sorted(m)
}

func TestImportInManyBatches(t *testing.T) {
	defer func(n int) { importBatch = n }(importBatch)
	importBatch = 300
	const files = 1000
	opts := testOptions(t.TempDir())
	opts.Now = func() time.Time { return time.Now().Add(time.Minute) } // no time stamp is racy
	api := openChecked(t, opts)
	dir := t.TempDir()
	for i := range files {
		sub := filepath.Join(dir, fmt.Sprintf("d%02d", i%50))
		if i < 50 {
			noError(t, os.Mkdir(sub, 0o755))
		}
		noError(t, os.WriteFile(filepath.Join(sub, fmt.Sprintf("f%05d", i)), []byte(fmt.Sprint("contents of ", i)), 0o644))
	}
	begin := time.Now()
	_, sum := importing(t, api, dir, ImportOptions{Prefix: "many"})
	t.Logf("%d files in %v", files, time.Since(begin))
	equal(t, "created", sum.Created, int64(files))
	begin = time.Now()
	_, sum = importing(t, api, dir, ImportOptions{Prefix: "many"})
	t.Logf("again in %v", time.Since(begin))
	equal(t, "unchanged", sum.Unchanged, int64(files))
	equal(t, "new bytes", sum.New, int64(0))
	h := must(api.Archive(t.Context(), fmt.Sprintf("many/d%02d/f%05d", (files-1)%50, files-1), nil))(t)
	equal(t, "contents", text(t, h, ""), fmt.Sprint("contents of ", files-1))
}

func TestImportNames(t *testing.T) {
	for _, c := range []struct {
		name string
		opts ImportOptions
		want string
	}{
		{"as the files", ImportOptions{Authority: "one"}, "<DataArchive one://sub/f>"},
		{"with a prefix", ImportOptions{Authority: "one", Prefix: "/a//b/"}, "<DataArchive one://a/b/sub/f>"},
		{"with a prefix that has an authority", ImportOptions{Prefix: "two://a"}, "<DataArchive two://a/sub/f>"},
		{"ambiguous", ImportOptions{}, "error: Authority ambiguous. Set authority or DefaultAuthorityName."},
		{"unknown", ImportOptions{Prefix: "four://a"}, `error: Authority "four" not found`},
		{"out of the root", ImportOptions{Authority: "one", Prefix: "../a"}, "error: Too many backrefs in '../a'"},
	} {
		t.Run(c.name, func(t *testing.T) {
			api := openChecked(t, configured(t.TempDir(), threeAuthorities))
			got := ""
			_, err := api.Import(t.Context(), writeTree(t, map[string]string{"sub/f": "text"}), &c.opts)
			for name, lerr := range api.Filter(t.Context(), nil) {
				noError(t, lerr)
				got += must(api.Archive(t.Context(), name, nil))(t).String()
			}
			if err != nil {
				got += "error: " + err.Error()
			}
			equal(t, "archives", got, c.want)
		})
	}
}

func TestImportLeavesTheRepositoryOut(t *testing.T) {
	dir := writeTree(t, map[string]string{"f": "text", "sub/.datafs/file": "another repository"})
	for _, name := range []string{".datafs", "repo"} {
		opts := testOptions(dir)
		opts.Repo = filepath.Join(dir, name)
		api := openOnly(t, opts)
		_, sum := importing(t, api, dir, ImportOptions{})
		equal(t, "created", sum.Created, int64(1))
		equal(t, "names", listed(api.Filter(t.Context(), nil)), "f")
		noError(t, os.RemoveAll(opts.Repo))
	}
}

func TestImportRefusals(t *testing.T) {
	api := newAPI(t)
	dir := writeTree(t, map[string]string{"f": "text", "g": "text"})
	for path, kind := range map[string]error{dir + "/none": fs.ErrNotExist, dir + "/f": fs.ErrInvalid} {
		if _, err := api.Import(t.Context(), path, nil); !errors.Is(err, kind) {
			t.Errorf("%s: got %v, want %v", path, err, kind)
		}
	}
	noError(t, api.RequirePatterns(t.Context(), []string{"^f"}, nil))
	_, err := api.Import(t.Context(), dir, nil)
	wantError(t, err, "import "+dir+"/g: archive name does not match pattern '^f'", fs.ErrInvalid)
	equal(t, "names after it", listed(api.Filter(t.Context(), nil)), "f") // it goes on next time

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := api.Import(ctx, dir, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: got %v", err)
	}
}

func TestImportOfUnversionedArchives(t *testing.T) {
	api := newAPI(t)
	dir := writeTree(t, map[string]string{"f": "text"})
	got, _ := importing(t, api, dir, ImportOptions{Unversioned: true})
	equal(t, "import", got, "f: created f ")
	equal(t, "versioned", must(api.Archive(t.Context(), "f", nil))(t).Versioned(), false)
}

func TestImportRecordsChecksums(t *testing.T) {
	api := openChecked(t, configured(t.TempDir(), "checksums: [md5]"))
	dir := writeTree(t, map[string]string{"f": "hello"})
	for range 2 {
		must(api.Import(t.Context(), dir, nil))(t)
		h := must(api.Archive(t.Context(), "f", nil))(t)
		equal(t, "md5", must(h.Meta(t.Context(), "0.0.1", "md5"))(t), "5d41402abc4b2a76b9719d911017c592")
		equal(t, "versions", versions(t, h), "0.0.1")
	}
}
