package datafs

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/datafs/datafs/objects"
	"github.com/datafs/datafs/refs"
)

func staleText(t *testing.T, api *API, names ...string) string {
	t.Helper()
	var list []string
	for _, s := range must(api.Stale(t.Context(), names...))(t) {
		text := strings.Join([]string{s.Archive, s.Version, s.Dependency, s.Used, s.Newest, s.Change}, " ")
		if s.Unpinned {
			text += " unpinned"
		}
		list = append(list, text)
	}
	return strings.Join(list, "\n")
}

func TestStale(t *testing.T) {
	api := newAPI(t)
	putVersions(t, api, "patched", "major", "patch", "patch")
	putVersions(t, api, "minor", "major", "minor", "patch", "major beta")
	putVersions(t, api, "major", "patch", "major")
	putVersions(t, api, "beta", "major", "patch alpha")
	putVersions(t, api, "done", "major alpha", "minor")
	putVersions(t, api, "wrong", "major", "minor")
	made(t, api, "x", "patched==1.0", "minor==1.0", "major==0.0.1", "beta==1.0", "done==1.0a1", "wrong==1.0", "gone==1.0", "nowhere")
	yank(t, api, "wrong", "1.1")
	made(t, api, "old", "patched==1.0")
	made(t, api, "old", "patched==1.0.2", "minor==latest")
	putVersions(t, api, "free", "major")
	made(t, api, "loose", "free")
	putVersions(t, api, "empty")
	put(t, must(api.Archive(t.Context(), "free", nil))(t), "more")
	plain := must(api.Create(t.Context(), "plain", &CreateOptions{Unversioned: true}))(t)
	must(plain.UpdateFrom(t.Context(), strings.NewReader("text"), &UpdateOptions{Dependencies: Dependencies{"major": new("0.0.1"), "plain": nil}}))(t)

	loose := "loose 0.0.1 free 1.0 1.0.1 patch unpinned"
	x := `x 0.0.1 beta 1.0 1.0.1a1 prerelease
x 0.0.1 done 1.0a1 1.0 prerelease
x 0.0.1 major 0.0.1 1.0 major
x 0.0.1 minor 1.0 1.1.1 minor
x 0.0.1 patched 1.0 1.0.2 patch`
	equal(t, "all", staleText(t, api), loose+"\nplain  major 0.0.1 1.0 major\n"+x)
	equal(t, "those that are named", staleText(t, api, "x", "loose", "/x", "old", "empty"), loose+"\n"+x)
	_, err := api.Stale(t.Context(), "nowhere")
	wantError(t, err, `Archive "nowhere" not found`, fs.ErrNotExist)
}

// TestStaleOfManyArchives prints how long a pass takes.
func TestStaleOfManyArchives(t *testing.T) {
	n := 1000
	if largeFigures {
		n = 100_000
	}
	api := openOnly(t, testOptions(t.TempDir()))
	manyRecords(t, api, n)
	began := time.Now()
	list := must(api.Stale(t.Context()))(t)
	t.Logf("%d archives: %v", n, time.Since(began).Round(time.Millisecond))
	equal(t, "stale", len(list), n)
	began = time.Now()
	g := must(api.Graph(t.Context(), &GraphOptions{Archives: []string{"base"}, Reverse: true}))(t)
	t.Logf("what depends on one: %v", time.Since(began).Round(time.Millisecond))
	equal(t, "nodes", len(g.Nodes), n+1)
	if got := fmt.Sprint(g.Nodes[g.Roots[0]]); got != "{base 1.0 false false  false}" {
		t.Errorf("got the root %s", got)
	}
}

// manyRecords writes n archives that depend on an old version of one.
func manyRecords(t *testing.T, api *API, n int) {
	t.Helper()
	record(t, api, "base", nil)
	list := make([]refs.NewArchive, n)
	for i := range list {
		list[i] = refs.NewArchive{
			Archive: refs.Archive{Name: fmt.Sprintf("many/archive-%06d", i), Authority: localAuthority, Versioned: true},
			Version: refs.NewVersion{Size: 1, Bump: "patch", Dependencies: Dependencies{"base": new("1.0")}},
		}
	}
	errs, err := api.refs.ImportAll(t.Context(), list)
	noError(t, errors.Join(append(errs, err)...))
	_, _, _, err = api.refs.AddVersion(t.Context(), refs.NewVersion{Archive: "base", Size: 2, Hash: objects.ID{1}, Bump: "major"})
	noError(t, err)
}
