package datafs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/refs"
	"github.com/datafs/datafs/refs/solve"
)

// GraphOptions say what a graph begins with.
type GraphOptions struct {
	Archives []string // NAME or NAME==VERSION; without a version the default one, with Reverse all that something depends on
	Depth    int      // how many steps to go; 0: all
	Reverse  bool     // not what they depend on, but what depends on them
}

// Graph is a graph of dependencies as they were recorded. It may have cycles.
type Graph struct {
	Roots   []int       // indexes of Nodes
	Nodes   []GraphNode // in the order of their distance from the roots
	Edges   []GraphEdge // in the order of the nodes that they were found at
	Reverse bool
}

// GraphNode is a version of an archive, or an archive that is not versioned.
type GraphNode struct {
	Archive     string
	Version     string // "" when it is not versioned, and when no version is known
	Unversioned bool
	Missing     bool   // the archive or the version is not here
	Yanked      string // why the version was yanked, or ""
	Cut         bool   // it has edges that GraphOptions.Depth leaves out
}

// GraphEdge says that one version depends on another.
type GraphEdge struct {
	From, To int  // indexes of Nodes
	Unpinned bool // no version was pinned: To is what it stood for, if that is known
}

// Graph finds what archives depend on by the dependencies that were recorded,
// and these by theirs. What is not here is part of the graph, and marked. In
// reverse only the latest versions of archives count as what depends on them,
// and all versions are read once. The same repository gives the same graph.
func (a *API) Graph(ctx context.Context, opts *GraphOptions) (*Graph, error) {
	if opts == nil {
		opts = &GraphOptions{}
	}
	g := &grapher{api: a, opts: *opts, graph: &Graph{Reverse: opts.Reverse}, at: map[graphKey]int{}}
	if opts.Reverse {
		if err := g.findUsers(ctx); err != nil {
			return nil, err
		}
	}
	for _, text := range opts.Archives {
		if err := g.begin(ctx, text); err != nil {
			return nil, err
		}
	}
	for i := 0; i < len(g.graph.Nodes); i++ {
		if err := g.expand(ctx, i); err != nil {
			return nil, err
		}
	}
	for i, e := range g.graph.Edges {
		if g.graph.Nodes[e.To].Unversioned {
			g.graph.Edges[i].Unpinned = false // there is nothing to pin
		}
	}
	return g.graph, nil
}

type graphKey struct{ archive, version string }

// grapher searches breadth first, so each node is looked at once.
type grapher struct {
	api   *API
	opts  GraphOptions
	graph *Graph
	at    map[graphKey]int
	depth []int                 // of the nodes
	users map[string][]graphUse // by what they use; only in reverse
	all   map[string]*overview  // only in reverse
}

// graphUse is one use of an archive.
type graphUse struct {
	user graphKey
	of   madeWith
}

func (g *grapher) findUsers(ctx context.Context) error {
	all, err := g.api.overviews(ctx)
	if err != nil {
		return err
	}
	g.all, g.users = all, map[string][]graphUse{}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		for _, d := range all[name].deps {
			g.users[d.name] = append(g.users[d.name], graphUse{graphKey{name, all[name].label()}, d})
		}
	}
	return nil
}

// begin adds the roots that an argument names.
func (g *grapher) begin(ctx context.Context, text string) error {
	r, err := solve.ParseRequirement(text)
	if err != nil {
		return err
	}
	if len(r.Range) > 0 {
		return leaf.Errorf(fs.ErrInvalid, "graph %s: a range has no dependencies, name one version", text)
	}
	version := ""
	if v := r.VersionText(); v != nil {
		version = *v
	}
	if g.opts.Reverse && version == "" {
		if found := g.versionsInUse(r.Name); len(found) > 0 {
			for _, v := range found {
				g.root(graphKey{r.Name, v})
			}
			return nil
		}
	}
	h, err := g.api.Archive(ctx, solve.Requirement{Authority: r.Authority, Name: r.Name}.String(), nil)
	if err != nil {
		return err
	}
	rec, err := h.resolve(ctx, version)
	if err != nil {
		return err
	}
	key := graphKey{h.name, rec.Label()}
	if !h.versioned {
		key.version = ""
	}
	g.root(key)
	return nil
}

// versionsInUse lists the versions of an archive that something depends on.
func (g *grapher) versionsInUse(name string) []string {
	var list []string
	for _, use := range g.users[name] {
		list = append(list, use.of.version)
	}
	slices.SortFunc(list, compareVersions)
	return slices.Compact(list)
}

// compareVersions orders versions, and what is none before them.
func compareVersions(x, y string) int {
	v, _ := refs.ParseVersion(x)
	w, _ := refs.ParseVersion(y)
	if c := v.Compare(w); c != 0 {
		return c
	}
	return strings.Compare(x, y)
}

func (g *grapher) root(key graphKey) {
	i := g.node(key, 0)
	if !slices.Contains(g.graph.Roots, i) {
		g.graph.Roots = append(g.graph.Roots, i)
	}
}

// node finds a node, or adds it.
func (g *grapher) node(key graphKey, depth int) int {
	i, ok := g.at[key]
	if !ok {
		i = len(g.graph.Nodes)
		g.at[key] = i
		g.graph.Nodes = append(g.graph.Nodes, GraphNode{Archive: key.archive, Version: key.version})
		g.depth = append(g.depth, depth)
	}
	return i
}

// expand looks at a node, and adds those beside it.
func (g *grapher) expand(ctx context.Context, i int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	key, depth := graphKey{g.graph.Nodes[i].Archive, g.graph.Nodes[i].Version}, g.depth[i]
	deps, err := g.look(ctx, &g.graph.Nodes[i])
	if err != nil {
		return fmt.Errorf("graph of %s: %w", key.archive, err)
	}
	uses := g.users[key.archive]
	if g.opts.Depth > 0 && depth == g.opts.Depth {
		g.graph.Nodes[i].Cut = !g.opts.Reverse && len(deps) > 0 || slices.ContainsFunc(uses, key.usedBy)
		return nil
	}
	if !g.opts.Reverse {
		for _, d := range deps {
			to := g.node(graphKey{d.name, d.version}, depth+1)
			g.graph.Edges = append(g.graph.Edges, GraphEdge{i, to, d.unpinned})
		}
	}
	for _, use := range uses {
		if key.usedBy(use) {
			from := g.node(use.user, depth+1)
			g.graph.Edges = append(g.graph.Edges, GraphEdge{from, i, use.of.unpinned})
		}
	}
	return nil
}

// usedBy says whether a use is one of this version.
func (k graphKey) usedBy(u graphUse) bool { return u.of.version == k.version }

// look fills in a node, and gives what it depends on.
func (g *grapher) look(ctx context.Context, n *GraphNode) ([]madeWith, error) {
	if o := g.all[n.Archive]; o != nil && o.label() == n.Version {
		n.Unversioned = o.number > 0
		return o.deps, nil
	}
	arch, err := g.api.refs.Archive(ctx, n.Archive)
	if errors.Is(err, fs.ErrNotExist) {
		n.Missing = true
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	n.Unversioned = !arch.Versioned
	if arch.Versioned && n.Version == "" {
		return nil, nil
	}
	rec, err := g.record(ctx, n)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrInvalid) {
		n.Missing = n.Version != ""
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if y := rec.Yanked(); y != nil {
		n.Yanked = y.Reason
	}
	return recordedDependencies(&rec), nil
}

func (g *grapher) record(ctx context.Context, n *GraphNode) (refs.VersionRecord, error) {
	if n.Unversioned && n.Version == "" {
		return g.api.refs.Latest(ctx, n.Archive)
	}
	v, err := refs.ParseVersion(n.Version)
	if err != nil {
		return refs.VersionRecord{}, err
	}
	return g.api.refs.Version(ctx, n.Archive, v)
}
