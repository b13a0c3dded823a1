package graph

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Label is the node for people: the name, the version, and what is special
// about it.
func (n Node) Label() string {
	text := n.Archive
	if n.Version != "" {
		text += " " + n.Version
	}
	if n.Missing {
		text += " (not here)"
	}
	if n.Yanked != "" {
		text += " (yanked)"
	}
	return text
}

// deepest is how far WriteText indents: a chain of a million archives must not
// take a million columns.
const deepest = 200

// WriteText draws the graph as a tree. What hangs below a node is drawn once;
// further down it is only named, as is the node that closes a cycle. Depth is
// that of Options, or 0. Control characters of names are not replaced.
func (g *Graph) WriteText(w io.Writer, depth int) error {
	t := &tree{g: g, out: bufio.NewWriter(w), below: g.below(), drawn: map[int]int{}, open: map[int]bool{}}
	if depth <= 0 {
		depth = math.MaxInt
	}
	for _, i := range g.Roots {
		t.out.WriteString(g.Nodes[i].Label())
		t.subtree(i, "", depth)
	}
	return t.out.Flush()
}

// branch is an edge as the tree goes along it.
type branch struct {
	to       int
	unpinned bool
}

// below lists the branches below each node.
func (g *Graph) below() [][]branch {
	list := make([][]branch, len(g.Nodes))
	for _, e := range g.Edges {
		from, to := e.From, e.To
		if g.Reverse {
			from, to = to, from
		}
		list[from] = append(list[from], branch{to, e.Unpinned})
	}
	return list
}

type tree struct {
	g     *Graph
	out   *bufio.Writer
	below [][]branch
	drawn map[int]int  // what has been drawn, and how many steps below it could be
	open  map[int]bool // the way from the root to here
}

// subtree ends the line of a node and draws what is below it, at most left steps.
func (t *tree) subtree(i int, indent string, left int) {
	list := t.below[i]
	done, drawn := t.drawn[i]
	switch {
	case t.open[i]:
		t.end(" (cycle)")
		return
	case len(list) == 0 && !t.g.Nodes[i].Cut:
		t.end("")
		return
	case drawn && (done >= left || left > deepest):
		t.end(" (see above)")
		return
	case len(list) == 0, left == 0, len(t.open) >= deepest:
		t.end(" (more below)")
		return
	}
	t.end("")
	t.drawn[i], t.open[i] = left, true
	for k, b := range list {
		stem, next := "├── ", "│   "
		if k == len(list)-1 {
			stem, next = "└── ", "    "
		}
		t.out.WriteString(indent + stem + t.g.Nodes[b.to].Label())
		if b.unpinned {
			t.out.WriteString(" (unpinned)")
		}
		t.subtree(b.to, indent+next, left-1)
	}
	delete(t.open, i)
}

func (t *tree) end(mark string) { t.out.WriteString(mark + "\n") }

// WriteDot writes the graph in the DOT language of Graphviz. The arrows go from
// what depends to what it depends on; dashed ones pin no version.
func (g *Graph) WriteDot(w io.Writer) error {
	out := bufio.NewWriter(w)
	out.WriteString("digraph dependencies {\n  rankdir=LR\n  node [shape=box]\n")
	for i, n := range g.Nodes {
		style := ""
		if n.Missing || n.Yanked != "" {
			style = ", style=dotted"
		}
		fmt.Fprintf(out, "  n%d [label=\"%s\"%s]\n", i, dotText(n.Label()), style)
	}
	for _, e := range g.Edges {
		style := ""
		if e.Unpinned {
			style = " [style=dashed]"
		}
		fmt.Fprintf(out, "  n%d -> n%d%s\n", e.From, e.To, style)
	}
	out.WriteString("}\n")
	return out.Flush()
}

// dotText is a text inside the quotes of a label, where a backslash and an
// ampersand begin something.
func dotText(s string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`, "&", "&amp;", "\n", `\n`, "\r", `\r`, "\x00", "").Replace(strings.ToValidUTF8(s, "\uFFFD"))
}

// WriteMermaid writes the graph as a Mermaid flowchart, as WriteDot does.
func (g *Graph) WriteMermaid(w io.Writer) error {
	out := bufio.NewWriter(w)
	out.WriteString("flowchart LR\n")
	for i, n := range g.Nodes {
		fmt.Fprintf(out, "  n%d[\"%s\"]\n", i, mermaidText(n.Label()))
	}
	for _, e := range g.Edges {
		arrow := "-->"
		if e.Unpinned {
			arrow = "-.->"
		}
		fmt.Fprintf(out, "  n%d %s n%d\n", e.From, arrow, e.To)
	}
	return out.Flush()
}

// mermaidText is a text inside quotes: Mermaid reads quotes, markup and Markdown
// there, so all but the plainest signs are written by number.
func mermaidText(s string) string {
	var b strings.Builder
	for _, r := range strings.ToValidUTF8(s, "\uFFFD") {
		if r >= utf8.RuneSelf && !unicode.IsControl(r) || unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune(" ./()-", r) {
			b.WriteRune(r)
		} else {
			fmt.Fprintf(&b, "#%d;", r)
		}
	}
	return b.String()
}
