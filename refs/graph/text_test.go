package graph

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestADeepChainDoesNotTakeAMillionColumns(t *testing.T) {
	g := &Graph{Roots: []int{0}}
	for i := range 100_000 {
		g.Nodes = append(g.Nodes, Node{Archive: fmt.Sprint("a", i), Version: "1.0"})
		g.Edges = append(g.Edges, Edge{From: i, To: (i + 1) % 100_000})
	}
	var b strings.Builder
	if err := g.WriteText(&b, 0); err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(b.String(), "a200 1.0 (more below)\n") {
		t.Errorf("got %d bytes, at the end %q", b.Len(), b.String()[b.Len()-40:])
	}
}

func TestGraphForOtherPrograms(t *testing.T) {
	g := &Graph{
		Roots: []int{0},
		Nodes: []Node{{Archive: `a "b" \N é`, Version: "1.0"}, {Archive: "x`#;<i>&amp;", Missing: true}, {Archive: "y", Version: "0.1", Yanked: "bad"}},
		Edges: []Edge{{0, 1, true}, {1, 0, false}, {0, 2, false}},
	}
	var dot, mermaid strings.Builder
	if err := errors.Join(g.WriteDot(&dot), g.WriteMermaid(&mermaid)); err != nil {
		t.Fatal(err)
	}
	equal(t, "dot", dot.String(), `digraph dependencies {
  rankdir=LR
  node [shape=box]
  n0 [label="a \"b\" \\N é 1.0"]
  n1 [label="x`+"`"+`#;<i>&amp;amp; (not here)", style=dotted]
  n2 [label="y 0.1 (yanked)", style=dotted]
  n0 -> n1 [style=dashed]
  n1 -> n0
  n0 -> n2
}
`)
	equal(t, "mermaid", mermaid.String(), `flowchart LR
  n0["a #34;b#34; #92;N é 1.0"]
  n1["x#96;#35;#59;#60;i#62;#38;amp#59; (not here)"]
  n2["y 0.1 (yanked)"]
  n0 -.-> n1
  n1 --> n0
  n0 --> n2
`)
}

func equal(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %s, want %s", what, got, want)
	}
}
