package datafs

import (
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/datafs/datafs/refs"
)

// made makes a version of an archive with dependencies that need not be here.
func made(t *testing.T, api *API, name string, deps ...string) {
	t.Helper()
	h := must(api.Create(t.Context(), name, &CreateOptions{ExistOK: true}))(t)
	n := len(must(h.Versions(t.Context()))(t))
	opts := &UpdateOptions{Dependencies: must(ParseDependencies(deps))(t)}
	must(h.UpdateFrom(t.Context(), strings.NewReader(fmt.Sprint(name, n)), opts))(t)
}

func graphText(t *testing.T, api *API, depth int, reverse bool, archives ...string) string {
	t.Helper()
	g := must(api.Graph(t.Context(), &GraphOptions{Archives: archives, Depth: depth, Reverse: reverse}))(t)
	var b strings.Builder
	noError(t, g.WriteText(&b, depth))
	return "\n" + b.String()
}

func TestGraphAsText(t *testing.T) {
	api := newAPI(t)
	made(t, api, "z")
	made(t, api, "y", "z==0.0.1", "gone==1.0", "nowhere")
	made(t, api, "x", "y", "z==0.0.1", "y2==7.0", "plain")
	plain := must(api.Create(t.Context(), "plain", &CreateOptions{Unversioned: true}))(t)
	must(plain.UpdateFrom(t.Context(), strings.NewReader("text"), &UpdateOptions{Dependencies: Dependencies{"x": new("0.0.1")}}))(t)
	made(t, api, "y")
	made(t, api, "x", "x==0.0.1", "y==0.0.2", "y3")
	yank(t, api, "z", "0.0.1")

	for _, c := range []struct {
		name    string
		depth   int
		reverse bool
		roots   string
		want    string
	}{
		{"a tree, a cycle, what is repeated, and what is missing", 0, false, "x==0.0.1", `
x 0.0.1
├── plain
│   └── x 0.0.1 (cycle)
├── y 0.0.1 (unpinned)
│   ├── gone 1.0 (not here)
│   ├── nowhere (not here) (unpinned)
│   └── z 0.0.1 (yanked)
├── y2 7.0 (not here)
└── z 0.0.1 (yanked)
`},
		{"what is repeated is drawn once, also under another root", 0, false, "x y==0.0.1 x==0.0.1", `
x 0.0.2
├── x 0.0.1
│   ├── plain
│   │   └── x 0.0.1 (cycle)
│   ├── y 0.0.1 (unpinned)
│   │   ├── gone 1.0 (not here)
│   │   ├── nowhere (not here) (unpinned)
│   │   └── z 0.0.1 (yanked)
│   ├── y2 7.0 (not here)
│   └── z 0.0.1 (yanked)
├── y 0.0.2
└── y3 (not here) (unpinned)
y 0.0.1 (see above)
x 0.0.1 (see above)
`},
		{"one step", 1, false, "x==0.0.1", `
x 0.0.1
├── plain (more below)
├── y 0.0.1 (unpinned) (more below)
├── y2 7.0 (not here)
└── z 0.0.1 (yanked)
`},
		{"what depends on it, latest versions only", 0, true, "y==0.0.2", `
y 0.0.2
└── x 0.0.2
`},
		{"all that depends on something, whatever the version", 0, true, "x", `
x 0.0.1
├── plain
└── x 0.0.2
`},
		{"what depends on something that is not here", 0, true, "y3", `
y3 (not here)
└── x 0.0.2 (unpinned)
`},
		{"nothing depends on it", 0, true, "z", `
z 0.0.1 (yanked)
`},
	} {
		t.Run(c.name, func(t *testing.T) {
			roots := strings.Fields(c.roots)
			if c.roots == "z" {
				roots = []string{"z==0.0.1"}
			}
			equal(t, "tree", graphText(t, api, c.depth, c.reverse, roots...), c.want)
		})
	}
	_, err := api.Graph(t.Context(), &GraphOptions{Archives: []string{"x==9.0"}})
	wantError(t, err, `Version "9.0" not found in archive history`, fs.ErrNotExist)
	_, err = api.Graph(t.Context(), &GraphOptions{Archives: []string{"nowhere.at/all"}, Reverse: true})
	wantError(t, err, `Archive "nowhere.at/all" not found`, fs.ErrNotExist)
	_, err = api.Graph(t.Context(), &GraphOptions{Archives: []string{"x>=1.0"}})
	wantError(t, err, `graph x>=1.0: a range has no dependencies, name one version`, fs.ErrInvalid)
}

// record writes a version without contents, which a graph does not read.
func record(t *testing.T, api *API, name string, deps Dependencies) {
	t.Helper()
	must(api.refs.Create(t.Context(), refs.Archive{Name: name, Authority: localAuthority, Versioned: true}, &refs.CreateOptions{ExistOK: true}))(t)
	_, _, _, err := api.refs.AddVersion(t.Context(), refs.NewVersion{Archive: name, Size: 1, Bump: "major", Dependencies: deps})
	noError(t, err)
}

func TestALadderOfDiamondsIsDrawnInLines(t *testing.T) {
	api := openOnly(t, testOptions(t.TempDir()))
	const n = 40 // 2^40 ways from top to bottom
	record(t, api, "s0", Dependencies{"s40": new("1.0")})
	for i := 1; i <= n; i++ {
		below := Dependencies{fmt.Sprint("s", i-1): new("1.0")}
		record(t, api, fmt.Sprint("l", i), below)
		record(t, api, fmt.Sprint("r", i), below)
		record(t, api, fmt.Sprint("s", i), Dependencies{fmt.Sprint("l", i): new("1.0"), fmt.Sprint("r", i): new("1.0")})
	}
	for _, reverse := range []bool{false, true} {
		for _, depth := range []int{0, 2*n + 1} {
			text := graphText(t, api, depth, reverse, "s40==1.0")
			if got := strings.Count(text, "\n"); got > 5*n || !strings.Contains(text, "(cycle)") {
				t.Errorf("got %d lines in reverse %t to depth %d", got, reverse, depth)
			}
		}
	}
}
