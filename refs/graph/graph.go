// Package graph says what archives depend on by the dependencies that were recorded: as
// a graph, as what is stale among them, and as uses of versions that should not be used.
//
// It reads records, and neither chooses versions nor asks the team.
//
// The invariant: the same records give the same answer, in the same order.
package graph

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/datafs/datafs/refs"
)

// Graph is a graph of dependencies as they were recorded. It may have cycles.
type Graph struct {
	Roots   []int  // indexes of Nodes
	Nodes   []Node // in the order of their distance from the roots
	Edges   []Edge // in the order of the nodes that they were found at
	Reverse bool
}

// Node is a version of an archive, or an archive that is not versioned.
type Node struct {
	Archive     string
	Version     string // "" when it is not versioned, and when no version is known
	Unversioned bool
	Missing     bool   // the archive or the version is not here
	Yanked      string // why the version was yanked, or ""
	Cut         bool   // it has edges that Options.Depth leaves out
}

// Edge says that one version depends on another.
type Edge struct {
	From, To int  // indexes of Nodes
	Unpinned bool // no version was pinned: To is what it stood for, if that is known
}

// Options say what edges a graph has.
type Options struct {
	Depth   int  // how many steps to go; 0: all
	Reverse bool // not what the roots depend on, but what depends on them
}

// New begins a graph of the records in db: Root for each, then Graph. In reverse only
// the latest versions of archives count as what depends on others, and New reads all
// versions once.
func New(ctx context.Context, db *refs.DB, opts Options) (*Builder, error) {
	g := &Builder{db: db, opts: opts, graph: &Graph{Reverse: opts.Reverse}, at: map[key]int{}}
	if !opts.Reverse {
		return g, nil
	}
	return g, g.findUsers(ctx)
}

// Graph finds what the roots depend on by the dependencies that were recorded, and these
// by theirs. What is not here is part of the graph, and marked. The same records give the
// same graph.
func (g *Builder) Graph(ctx context.Context) (*Graph, error) {
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

type key struct{ archive, version string }

// Builder makes a Graph. It searches breadth first, so each node is looked at once.
type Builder struct {
	db    *refs.DB
	opts  Options
	graph *Graph
	at    map[key]int
	depth []int                // of the nodes
	users map[string][]use     // by what they use; only in reverse
	all   map[string]*overview // only in reverse
}

// use is one use of an archive.
type use struct {
	user key
	of   madeWith
}

func (g *Builder) findUsers(ctx context.Context) error {
	all, err := overviews(ctx, g.db)
	if err != nil {
		return err
	}
	g.all, g.users = all, map[string][]use{}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		for _, d := range all[name].deps {
			g.users[d.name] = append(g.users[d.name], use{key{name, all[name].label()}, d})
		}
	}
	return nil
}

// InUse returns the versions of an archive that something depends on; in reverse only.
func (g *Builder) InUse(name string) []string {
	var list []string
	for _, u := range g.users[name] {
		list = append(list, u.of.version)
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

// Root adds a root; version is "" of an archive that is not versioned.
func (g *Builder) Root(archive, version string) {
	i := g.node(key{archive, version}, 0)
	if !slices.Contains(g.graph.Roots, i) {
		g.graph.Roots = append(g.graph.Roots, i)
	}
}

// node finds a node, or adds it.
func (g *Builder) node(k key, depth int) int {
	i, ok := g.at[k]
	if !ok {
		i = len(g.graph.Nodes)
		g.at[k] = i
		g.graph.Nodes = append(g.graph.Nodes, Node{Archive: k.archive, Version: k.version})
		g.depth = append(g.depth, depth)
	}
	return i
}

// expand looks at a node, and adds those beside it.
func (g *Builder) expand(ctx context.Context, i int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	k, depth := key{g.graph.Nodes[i].Archive, g.graph.Nodes[i].Version}, g.depth[i]
	deps, err := g.look(ctx, &g.graph.Nodes[i])
	if err != nil {
		return fmt.Errorf("graph of %s: %w", k.archive, err)
	}
	uses := g.users[k.archive]
	if g.opts.Depth > 0 && depth == g.opts.Depth {
		g.graph.Nodes[i].Cut = !g.opts.Reverse && len(deps) > 0 || slices.ContainsFunc(uses, k.usedBy)
		return nil
	}
	if !g.opts.Reverse {
		for _, d := range deps {
			to := g.node(key{d.name, d.version}, depth+1)
			g.graph.Edges = append(g.graph.Edges, Edge{i, to, d.unpinned})
		}
	}
	for _, u := range uses {
		if k.usedBy(u) {
			from := g.node(u.user, depth+1)
			g.graph.Edges = append(g.graph.Edges, Edge{from, i, u.of.unpinned})
		}
	}
	return nil
}

// usedBy says whether a use is one of this version.
func (k key) usedBy(u use) bool { return u.of.version == k.version }

// look fills in a node, and gives what it depends on.
func (g *Builder) look(ctx context.Context, n *Node) ([]madeWith, error) {
	if o := g.all[n.Archive]; o != nil && o.label() == n.Version {
		n.Unversioned = o.number > 0
		return o.deps, nil
	}
	arch, err := g.db.Archive(ctx, n.Archive)
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

func (g *Builder) record(ctx context.Context, n *Node) (refs.VersionRecord, error) {
	if n.Unversioned && n.Version == "" {
		return g.db.Latest(ctx, n.Archive)
	}
	v, err := refs.ParseVersion(n.Version)
	if err != nil {
		return refs.VersionRecord{}, err
	}
	return g.db.Version(ctx, n.Archive, v)
}
