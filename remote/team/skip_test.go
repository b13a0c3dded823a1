package team

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/datafs/datafs/refs"
	"github.com/datafs/datafs/remote"
	"github.com/datafs/datafs/remote/catalog"
)

// foreignNames are names that no archive may have.
var foreignNames = []string{
	"../up", "/abs", "a//b", ".", "x/../../up", `..\win`, `a\b`, ".git/hooks/post-commit", "a/.Datafs./config.yml", "GIT~1", ".git::$INDEX_ALLOCATION",
}

// putHostile registers an archive with a version as a changed program would.
func putHostile(t *testing.T, team refs.Manager, name string) {
	t.Helper()
	for key, value := range map[string]string{
		"archive/" + name:            fmt.Sprintf(`{"format":1,"name":%q}`, name),
		"version/" + name + `\0.0.1`: "anything",
	} {
		if _, err := team.Put(context.Background(), key, []byte(value), refs.Absent); err != nil {
			t.Fatal(err)
		}
	}
}

// warned returns where the warnings of a repository go.
func warned(r *syncRepo) *[]string {
	var list []string
	r.opts.Warn = func(text string) { list = append(list, text) }
	return &list
}

func TestAPullSkipsAndNamesArchivesThatNobodyMayHave(t *testing.T) {
	a, b, team := twoRepos(t)
	a.create("before")
	a.add("before", 1, nil)
	a.push()
	for _, name := range foreignNames {
		putHostile(t, team, name)
	}
	a.create("behind")
	a.push()
	warnings := warned(b)
	b.pull()
	for _, name := range foreignNames {
		if !slices.ContainsFunc(*warnings, func(w string) bool { return strings.Contains(w, `"`+name+`"`) }) {
			t.Errorf("%q is not named in %q", name, *warnings)
		}
	}
	if len(*warnings) != len(foreignNames) {
		t.Errorf("%d warnings: %q", len(*warnings), *warnings)
	}
	if got := names(t, b); !slices.Equal(got, []string{"before", "behind"}) {
		t.Errorf("archives: %q", got)
	}
	*warnings = nil
	if b.pull(); len(*warnings) > 0 {
		t.Errorf("the next pull names them again: %q", *warnings)
	}
}

func names(t *testing.T, r *syncRepo) (list []string) {
	t.Helper()
	for name, err := range r.db.Names(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, name)
	}
	return list
}

func TestAPullSkipsNamesWithControlCharactersInACatalogue(t *testing.T) {
	place := &remote.Mem{}
	team, err := catalog.Open(place, nil)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open("testdata/control-characters.commit") // of four archives: "good" and three bad names
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := place.Put(t.Context(), "catalog/datafs/log/000000000/000000000001", f); err != nil {
		t.Fatal(err)
	}
	b := newSyncRepo(t, team, &syncClock{})
	warnings := warned(b)
	if b.pull(); !slices.Equal(names(t, b), []string{"good"}) {
		t.Errorf("archives: %q", names(t, b))
	}
	if got := strings.Join(*warnings, "\n"); len(*warnings) != 3 || strings.Contains(got, "\x1b") || !strings.Contains(got, `esc\x1b[31m`) {
		t.Errorf("warnings: %q", *warnings)
	}
}

func TestAnArchiveThatWasTakenInBeforeGoesOn(t *testing.T) {
	_, b, team := twoRepos(t)
	const key, value = "archive/.git/x", `{"format":1,"name":".git/x","tags":["%s"]}`
	rev, err := team.Put(context.Background(), key, fmt.Appendf(nil, value, "old"), refs.Absent)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.bolt.Put(t.Context(), key, fmt.Appendf(nil, value, "old"), refs.Absent); err != nil {
		t.Fatal(err)
	}
	warnings := warned(b)
	b.pull()
	if rev, err = team.Put(context.Background(), key, fmt.Appendf(nil, value, "new"), rev); err != nil {
		t.Fatal(err)
	}
	b.pull()
	if a, err := b.db.Archive(t.Context(), ".git/x"); err != nil || !slices.Equal(a.Tags, []string{"new"}) {
		t.Errorf("got %v, %v", a.Tags, err)
	}
	if err := team.Delete(context.Background(), key, rev); err != nil {
		t.Fatal(err)
	}
	if b.pull(); len(names(t, b)) > 0 || len(*warnings) > 0 {
		t.Errorf("archives %q, warnings %q", names(t, b), *warnings)
	}
}
