package datafs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// picture is all that can be seen of a repository.
func picture(t *testing.T, api *API) string {
	t.Helper()
	var b strings.Builder
	fmt.Fprintln(&b, must(api.Tables(t.Context()))(t), fmt.Sprint(must(api.Spec(t.Context()))(t)))
	for name, err := range api.Filter(t.Context(), nil) {
		noError(t, err)
		h := must(api.Archive(t.Context(), name, nil))(t)
		fmt.Fprintln(&b, h, h.Versioned(), must(h.Tags(t.Context()))(t), must(h.Metadata(t.Context()))(t), versions(t, h))
		noError(t, h.Log(t.Context(), &b))
		for _, e := range must(h.History(t.Context()))(t) {
			fmt.Fprintln(&b, e.Label(), e.Hash, depends(e.Dependencies))
			if h.Versioned() {
				fmt.Fprintln(&b, treeText(t, h, e.Label()))
			}
		}
	}
	return b.String()
}

func treeText(t *testing.T, h *Archive, version string) string {
	t.Helper()
	var b strings.Builder
	for _, e := range collect(t, h.Entries(t.Context(), version)) {
		fmt.Fprintln(&b, e.Path, e.Kind, e.Size)
		if e.Kind.IsFile() {
			noError(t, h.Cat(t.Context(), &b, &OpenOptions{Version: version, Path: e.Path}))
		}
	}
	return b.String()
}

// furnish fills a repository with some of everything.
func furnish(t *testing.T, api *API) {
	t.Helper()
	h := must(api.Create(t.Context(), "dir/x", &CreateOptions{Tags: []string{"t", "u"}, Metadata: map[string]string{"a": "1"}}))(t)
	put(t, h, randomText(t, 1, 300_000))
	must(h.UpdateFrom(t.Context(), strings.NewReader("two"), &UpdateOptions{
		Bump: "minor", Prerelease: "beta", Message: new("second"), Dependencies: Dependencies{"d": new("1.0"), "e": nil},
	}))(t)
	noError(t, h.SetDependencies(t.Context(), Dependencies{"f": new("2.0")}))
	tree := newArchive(t, api, "tree")
	must(tree.Update(t.Context(), writeTree(t, map[string]string{"a/b": "text", "link": "->a/b", "e/": ""}), nil))(t)
	put(t, newUnversioned(t, api, "unversioned"), "text")
	newArchive(t, api, "empty")
	put(t, newArchive(t, api, "deleted"), "gone")
	noError(t, api.Delete(t.Context(), "deleted"))
	noError(t, api.CreateTable(t.Context(), "other"))
	noError(t, api.RequireMetadata(t.Context(), map[string]*string{"a": new("A")}))
	noError(t, api.RequirePatterns(t.Context(), []string{"."}, nil))
}

func TestRebuildIndexBringsEverythingBack(t *testing.T) {
	for _, c := range []struct {
		name   string
		damage func(path string) error
	}{
		{"nothing was wrong", func(string) error { return nil }},
		{"it was deleted", os.Remove},
		{"it was overwritten with garbage", func(path string) error {
			return os.WriteFile(path, []byte(strings.Repeat("garbage ", 10_000)), 0o600)
		}},
		{"it was emptied", func(path string) error { return os.Truncate(path, 0) }},
		{"it was cut in half", func(path string) error {
			fi, err := os.Stat(path)
			if err != nil {
				return err
			}
			return os.Truncate(path, fi.Size()/2)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			api := openChecked(t, testOptions(dir))
			furnish(t, api)
			want := picture(t, api)
			noError(t, c.damage(api.index.Path()))
			problems := must(api.RebuildIndex(t.Context()))(t)
			equal(t, "problems", len(problems), 0)
			equal(t, "picture", picture(t, api), want)
			again := openOnly(t, testOptions(dir))
			equal(t, "picture for another process", picture(t, again), want)
			left := must(filepath.Glob(filepath.Join(api.Repo(), indexName+"*")))(t)
			equal(t, "files", len(left), 2) // the index and its lock
			h := must(api.Archive(t.Context(), "dir/x", nil))(t)
			equal(t, "the next version", put(t, h, "three").Version, "0.1.1")
		})
	}
}

func TestRebuildIndexOfAnEmptyRepository(t *testing.T) {
	api := newAPI(t)
	equal(t, "problems", len(must(api.RebuildIndex(t.Context()))(t)), 0)
	put(t, newArchive(t, api, "x"), "text")
}

func TestRebuildIndexNamesWhatItCannotRead(t *testing.T) {
	api := openOnly(t, testOptions(t.TempDir()))
	kept := put(t, newArchive(t, api, "kept"), "kept").Archive
	put(t, newArchive(t, api, "lost"), randomText(t, 1, 1<<20))
	for _, name := range must(filepath.Glob(filepath.Join(api.Repo(), "packs/*/*")))(t) {
		if fi := must(os.Stat(name))(t); fi.Size() > 1<<20 {
			noError(t, os.Truncate(name, fi.Size()-1))
		}
	}
	problems := must(api.RebuildIndex(t.Context()))(t)
	equal(t, "problems", len(problems), 1)
	equal(t, "contents", text(t, kept, ""), "kept")
}

// spoilJournal flips a bit in the middle.
func spoilJournal(t *testing.T, api *API) {
	t.Helper()
	journal := must(filepath.Glob(filepath.Join(api.Repo(), "journal/*")))(t)[0]
	data := must(os.ReadFile(journal))(t)
	data[len(data)/2] ^= 1
	noError(t, os.WriteFile(journal, data, 0o600))
}

func TestAJournalThatIsDamagedIsMadeAnewFromTheIndex(t *testing.T) {
	opts := testOptions(t.TempDir())
	var warnings []string
	opts.Warn = func(text string) { warnings = append(warnings, text) }
	api := openChecked(t, opts)
	furnish(t, api)
	warnings = nil // of dependencies that are not here
	want := picture(t, api)
	spoilJournal(t, api)
	equal(t, "problems", len(must(api.RebuildIndex(t.Context()))(t)), 0)
	equal(t, "picture", picture(t, api), want)
	if len(warnings) != 1 || !strings.HasPrefix(warnings[0], "the journal was made anew from the index: ") {
		t.Errorf("got warnings %q", warnings)
	}
}

func TestAJournalThatIsDamagedWithoutAnIndexIsAnError(t *testing.T) {
	api := openOnly(t, testOptions(t.TempDir()))
	put(t, newArchive(t, api, "x"), "text")
	noError(t, os.Remove(api.index.Path()))
	spoilJournal(t, api)
	_, err := api.RebuildIndex(t.Context())
	if !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), "journal") || strings.Contains(err.Error(), "rename") {
		t.Errorf("got %v, want an error about the journal alone", err)
	}
}
