package solve

import (
	"cmp"
	"container/heap"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/datafs/datafs/refs"
)

// solver is the state of one search.
type solver struct {
	u       Universe
	opts    Options
	nodes   map[string]*node
	roots   []*node // by name
	todo    queue   // at least all that are wanted and not decided
	path    []*frame
	graph   *graph // nil until it is asked for
	begun   bool   // the requirements have been looked at by themselves
	failure *Error
}

// node is an archive.
type node struct {
	name      string
	missing   bool
	versioned bool
	list      []Candidate   // in the order in which they are tried
	top       *refs.Version // the highest that is not yanked
	wants     [][]link      // of each candidate, nil until it is asked for
	preferred bool          // the first candidate may be chosen even if it is yanked
	reasons   []link        // those of the decisions that stand
	choice    int           // index of the candidate that is decided, -1: not decided
	depth     int           // where in the path it was decided
}

// link is a reason with the archives at its ends.
type link struct {
	Reason
	from *node // nil for a requirement
	node *node
}

// frame is a decision.
type frame struct {
	node *node
	next int            // the candidate to try next
	bad  map[*node]bool // earlier decisions that have a part in the failure of those tried
}

func (n *node) version() Candidate { return n.list[n.choice] }

// node gives an archive, reading its versions once.
func (s *solver) node(ctx context.Context, name string) (*node, error) {
	if n := s.nodes[name]; n != nil {
		return n, nil
	}
	list, versioned, err := s.u.Candidates(ctx, name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	n := &node{name: name, versioned: versioned, missing: err != nil, choice: -1}
	switch {
	case n.missing:
	case versioned:
		s.order(n, list)
	default:
		n.list = []Candidate{{}}
	}
	n.wants = make([][]link, len(n.list))
	s.nodes[name] = n
	return n, nil
}

// order sorts the candidates as they are tried: the preferred one, those that
// are not yanked from the highest down, and the yanked ones.
func (s *solver) order(n *node, list []Candidate) {
	kept, has := s.opts.Prefer[n.name]
	first := func(c Candidate) int {
		switch {
		case has && c.Version == kept:
			return 0
		case !c.Yanked:
			return 1
		}
		return 2
	}
	n.list = slices.Clone(list)
	slices.SortFunc(n.list, func(a, b Candidate) int {
		return cmp.Or(cmp.Compare(first(a), first(b)), b.Version.Compare(a.Version))
	})
	n.preferred = len(n.list) > 0 && first(n.list[0]) == 0
	for _, c := range n.list {
		if !c.Yanked && (n.top == nil || c.Version.Compare(*n.top) > 0) {
			n.top = &c.Version
		}
	}
}

// deps gives what a candidate wants.
func (s *solver) deps(ctx context.Context, n *node, i int) ([]link, error) {
	if !s.opts.Deps || n.wants[i] != nil {
		return n.wants[i], nil
	}
	v := n.list[i].Version
	wants, err := s.u.Dependencies(ctx, n.name, v)
	if err != nil {
		return nil, err
	}
	links := make([]link, 0, len(wants))
	for _, r := range wants {
		to, err := s.node(ctx, r.Name)
		if err != nil {
			return nil, err
		}
		links = append(links, link{Reason{r, n.name, v}, n, to})
	}
	n.wants[i] = links
	return links, nil
}

// search decides until nothing is open, or fails.
func (s *solver) search(ctx context.Context) error {
	f, err := s.open(ctx)
	for f != nil && err == nil {
		if err = ctx.Err(); err != nil {
			break
		}
		var found bool
		if found, err = s.try(ctx, f); err != nil {
			break
		}
		if found {
			f, err = s.open(ctx)
			continue
		}
		s.giveUp(f)
		f, err = s.jump(f.bad)
	}
	return err
}

// open gives the next archive to decide, nil when everything is. Where what is
// decided has a yanked version that nothing pins it goes back.
func (s *solver) open(ctx context.Context) (*frame, error) {
	for s.todo.Len() > 0 {
		n := heap.Pop(&s.todo).(*node)
		if n.choice < 0 && len(n.reasons) > 0 {
			return &frame{node: n, bad: map[*node]bool{}}, nil
		}
	}
	for _, f := range s.path {
		i := f.node.choice
		if !f.node.list[i].Yanked || f.node.mayChoose(i) {
			continue
		}
		bad, err := s.unpinned(ctx, f.node)
		if err != nil {
			return nil, err
		}
		return s.jump(bad)
	}
	return nil, nil
}

// unpinned gives the decisions due to which nothing pins a yanked version.
func (s *solver) unpinned(ctx context.Context, n *node) (map[*node]bool, error) {
	set, err := s.reaching(ctx, pin{n.name, n.version().Version})
	bad := map[*node]bool{n: true}
	for _, f := range s.path {
		if set[f.node.name] {
			bad[f.node] = true
		}
	}
	return bad, err
}

// mayChoose reports whether a candidate is not yanked, or wanted all the same.
func (n *node) mayChoose(i int) bool {
	c := n.list[i]
	return !c.Yanked || n.preferred && i == 0 ||
		slices.ContainsFunc(n.reasons, func(l link) bool { return l.Requirement.pins(c.Version) })
}

// try decides on the next candidate that what is decided before allows.
func (s *solver) try(ctx context.Context, f *frame) (bool, error) {
	for f.next < len(f.node.list) {
		i := f.next
		f.next++
		ok, err := s.fits(ctx, f, i)
		if err != nil {
			return false, err
		}
		if ok {
			s.decide(f, i)
			return true, nil
		}
	}
	return false, nil
}

// fits reports whether a candidate can be chosen, and notes in f.bad the
// decision that is against it.
func (s *solver) fits(ctx context.Context, f *frame, i int) (bool, error) {
	n := f.node
	for at, l := range n.reasons {
		if !n.allows(l.Requirement, i) || n.quarrels(l.Requirement, at) != nil {
			f.blame(l.from)
			if o := n.quarrels(l.Requirement, at); o != nil {
				f.blame(o.from)
			}
			return false, nil
		}
	}
	if !n.mayChoose(i) {
		set, err := s.reaching(ctx, pin{n.name, n.list[i].Version})
		if err != nil || len(set) == 0 {
			return false, err
		}
	}
	deps, err := s.deps(ctx, n, i)
	if err != nil {
		return false, err
	}
	for _, d := range deps {
		if !s.fitsDep(f, d, i) {
			return false, nil
		}
	}
	return true, nil
}

// fitsDep reports whether a dependency of candidate i goes with what is decided.
func (s *solver) fitsDep(f *frame, d link, i int) bool {
	n := d.node
	if o := n.quarrels(d.Requirement, len(n.reasons)); o != nil {
		f.blame(o.from)
		s.explainWith(n, d)
		return false
	}
	switch {
	case n == f.node && n.allows(d.Requirement, i):
	case n == f.node:
		s.explainWith(n, d)
		return false
	case n.missing || !n.versioned && !d.Requirement.Bare():
		s.explainWith(n, d)
		return false
	case n.choice >= 0 && !n.allows(d.Requirement, n.choice):
		f.blame(n)
		s.explainWith(n, d)
		return false
	}
	return true
}

func (f *frame) blame(n *node) {
	if n != nil && n != f.node {
		f.bad[n] = true
	}
}

// allows reports whether a requirement allows a candidate, yanked or not.
func (n *node) allows(r Requirement, i int) bool {
	v := n.list[i].Version
	if !n.versioned {
		return r.Bare()
	}
	return r.Allows(v) && (!r.Latest || n.top != nil && v == *n.top)
}

// quarrels gives one of the first reasons that wants another authority.
func (n *node) quarrels(r Requirement, among int) *link {
	if r.Authority == "" {
		return nil
	}
	for i := range n.reasons[:among] {
		if o := n.reasons[i].Requirement.Authority; o != "" && o != r.Authority {
			return &n.reasons[i]
		}
	}
	return nil
}

// decide takes a candidate and wants what it wants.
func (s *solver) decide(f *frame, i int) {
	n := f.node
	n.choice, n.depth = i, len(s.path)
	s.path = append(s.path, f)
	for _, d := range n.wants[i] {
		d.node.reasons = append(d.node.reasons, d)
		if d.node.choice < 0 && len(d.node.reasons) == 1 {
			heap.Push(&s.todo, d.node)
		}
	}
}

// undo takes the last decision back.
func (s *solver) undo() *frame {
	f := s.path[len(s.path)-1]
	s.path = s.path[:len(s.path)-1]
	n := f.node
	for _, d := range slices.Backward(n.wants[n.choice]) {
		d.node.reasons = d.node.reasons[:len(d.node.reasons)-1]
	}
	n.choice = -1
	heap.Push(&s.todo, n)
	return f
}

// giveUp notes that no candidate is left, to which what wants the archive at all
// belongs: one of the reasons will do.
func (s *solver) giveUp(f *frame) {
	f.blame(f.node.reasons[0].from)
	s.explain(f.node, len(f.node.reasons)-1)
	heap.Push(&s.todo, f.node)
}

// jump goes back to the last decision that has a part in a failure.
func (s *solver) jump(bad map[*node]bool) (*frame, error) {
	depth := -1
	for n := range bad {
		depth = max(depth, n.depth)
	}
	if depth < 0 {
		return nil, s.conflict()
	}
	var f *frame
	for len(s.path) > depth {
		f = s.undo()
	}
	for n := range bad {
		f.blame(n)
	}
	return f, nil
}

func (s *solver) conflict() error {
	if s.failure != nil {
		return s.failure
	}
	return &Error{text: fmt.Sprintf("no versions satisfy the %d requirements and their dependencies", len(s.roots)), kind: refs.ErrConflict}
}

// queue is a heap of archives by name. One may be in it more than once.
type queue []*node

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].name < q[j].name }
func (q queue) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }

// Push adds a *node.
func (q *queue) Push(x any) { *q = append(*q, x.(*node)) }

// Pop takes the last one out.
func (q *queue) Pop() any {
	n := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return n
}
