package cli

import (
	"errors"
	"fmt"
	"io"

	"github.com/urfave/cli/v2"

	"github.com/datafs/datafs"
	"github.com/datafs/datafs/cli/args"
	"github.com/datafs/datafs/objects/names"
	"github.com/datafs/datafs/refs/graph"
)

func graphCommands(s *session) []*cli.Command {
	return []*cli.Command{
		command(catReproduce, "graph", "ARCHIVE[==VERSION] [ARCHIVE[==VERSION]...]", "show what archives depend on", s.graph,
			&cli.StringFlag{Name: "format", Value: "text", Usage: "`FORMAT`: text, dot, mermaid or json (default: text)"},
			&cli.IntFlag{Name: "depth", Usage: "how many `STEPS` to go (default: all)"},
			&cli.BoolFlag{Name: "reverse", Usage: "show what depends on them instead"}),
		command(catReproduce, "stale", "[ARCHIVE...]", "list archives that were made with versions that are no longer the newest", s.stale,
			&cli.BoolFlag{Name: "exit-code", Usage: "end with exit code 1 if there are any"}),
	}
}

type graphJSON struct {
	Reverse bool            `json:"reverse"`
	Roots   []int           `json:"roots"`
	Nodes   []graphNodeJSON `json:"nodes"`
	Edges   []graphEdgeJSON `json:"edges"`
}

type graphNodeJSON struct {
	Archive   string  `json:"archive"`
	Version   *string `json:"version"`
	Versioned bool    `json:"versioned"`
	Here      bool    `json:"here"`
	Yanked    *string `json:"yanked"`
	Cut       bool    `json:"cut"`
}

type graphEdgeJSON struct {
	From     int  `json:"from"`
	To       int  `json:"to"`
	Unpinned bool `json:"unpinned"`
}

func (s *session) graph(c *cli.Context) error {
	format := c.String("format")
	switch format {
	case "text", "dot", "mermaid":
	case "json":
		if err := c.Set("json", "true"); err != nil {
			return err
		}
	default:
		return args.Usagef("", "format %q: want text, dot, mermaid or json", format)
	}
	if c.Int("depth") < 0 || c.IsSet("depth") && c.Int("depth") == 0 {
		return args.Usagef("", "depth %d: want 1 or more", c.Int("depth"))
	}
	api, err := s.open(c)
	if err != nil {
		return err
	}
	g, err := api.Graph(c.Context, &datafs.GraphOptions{Archives: c.Args().Slice(), Depth: c.Int("depth"), Reverse: c.Bool("reverse")})
	if err != nil {
		return err
	}
	v := graphReport(g)
	for i, n := range g.Nodes {
		g.Nodes[i].Archive, g.Nodes[i].Version = names.Visible(n.Archive), names.Visible(n.Version)
	}
	var written error
	err = s.emit(c, v, func(w io.Writer) { written = writeGraph(w, g, format, c.Int("depth")) })
	return errors.Join(err, written)
}

func writeGraph(w io.Writer, g *graph.Graph, format string, depth int) error {
	switch format {
	case "dot":
		return g.WriteDot(w)
	case "mermaid":
		return g.WriteMermaid(w)
	}
	return g.WriteText(w, depth)
}

func graphReport(g *graph.Graph) graphJSON {
	v := graphJSON{Reverse: g.Reverse, Roots: append([]int{}, g.Roots...), Nodes: []graphNodeJSON{}, Edges: []graphEdgeJSON{}}
	for _, n := range g.Nodes {
		node := graphNodeJSON{Archive: n.Archive, Versioned: !n.Unversioned, Here: !n.Missing, Cut: n.Cut}
		if n.Version != "" {
			node.Version = &n.Version
		}
		if n.Yanked != "" {
			node.Yanked = &n.Yanked
		}
		v.Nodes = append(v.Nodes, node)
	}
	for _, e := range g.Edges {
		v.Edges = append(v.Edges, graphEdgeJSON{e.From, e.To, e.Unpinned})
	}
	return v
}

type staleJSON struct {
	Archive    string  `json:"archive"`
	Version    *string `json:"version"`
	Dependency string  `json:"dependency"`
	Used       string  `json:"used"`
	Newest     string  `json:"newest"`
	Change     string  `json:"change"`
	Unpinned   bool    `json:"unpinned"`
}

var errStale = &silentError{errors.New("some archives are stale")}

func (s *session) stale(c *cli.Context) error {
	api, err := s.open(c)
	if err != nil {
		return err
	}
	list, err := api.Stale(c.Context, c.Args().Slice()...)
	if err != nil {
		return err
	}
	v := []staleJSON{}
	for _, d := range list {
		v = append(v, staleReport(d))
	}
	err = s.emit(c, v, func(w io.Writer) {
		for _, d := range v {
			fmt.Fprintln(w, names.Visible(d.text()))
		}
		if len(v) == 0 && !c.Bool("quiet") {
			fmt.Fprintln(w, "nothing is stale")
		}
	})
	if err == nil && len(v) > 0 && c.Bool("exit-code") {
		return errStale
	}
	return err
}

func staleReport(d graph.Stale) staleJSON {
	v := staleJSON{d.Archive, nil, d.Dependency, d.Used, d.Newest, d.Change, d.Unpinned}
	if d.Version != "" {
		v.Version = &d.Version
	}
	return v
}

func (d staleJSON) text() string {
	who := d.Archive
	if d.Version != nil {
		who += " " + *d.Version
	}
	return fmt.Sprintf("%s was made with %s %s, there is %s (%s)", who, d.Dependency, d.Used, d.Newest, d.Change)
}
