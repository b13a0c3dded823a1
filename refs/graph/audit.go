package graph

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/datafs/datafs/refs"
	"github.com/datafs/datafs/refs/lockfile"
	"github.com/datafs/datafs/refs/solve"
)

// The kinds of findings.
const (
	Yanked     = "yanked"     // the version was yanked
	Missing    = "missing"    // there is no such archive or version here: it was deleted, or never was
	Impossible = "impossible" // no version that is not yanked satisfies
	Changed    = "changed"    // the contents are not those that the lock names
)

// Finding is one use of a version that should not be used.
type Finding struct {
	Archive, Version string // "" where no version is named
	Kind             string
	Reason           string   // of a yank
	Chain            []string // steps that lead to it, from what was looked through
}

// String is the finding as a sentence.
func (f Finding) String() string {
	name := strings.TrimSpace(f.Archive + " " + f.Version)
	text := ""
	switch f.Kind {
	case Yanked:
		text = name + " was yanked: " + f.Reason
	case Missing:
		text = name + " is not there"
	case Impossible:
		text = "no version of " + name + " satisfies"
	case Changed:
		text = name + " has other contents than the lock says"
	}
	return text + " (" + strings.Join(f.Chain, " --> ") + ")"
}

// NewAudit begins an audit that starts with n uses or so: Requirement and Lock for each,
// then Findings.
func NewAudit(ctx context.Context, db *refs.DB, n int) (*Audit, error) {
	u, err := solve.AllRecords(ctx, db, n)
	return &Audit{u: u, seen: map[used]bool{}, found: map[string]bool{}}, err
}

// Findings goes through what the uses depend on as it is recorded, behind what it finds
// as well. The order is that of the chains' beginnings, the shorter ones first.
func (w *Audit) Findings(ctx context.Context) ([]Finding, error) {
	for len(w.todo) > 0 {
		n := w.todo[0]
		w.todo = w.todo[1:]
		if err := w.dependencies(ctx, n); err != nil {
			return nil, err
		}
	}
	return w.list, ctx.Err()
}

// used is a version; of an unversioned archive the zero one.
type used struct {
	name    string
	version refs.Version
}

type auditNode struct {
	used
	chain []string
}

// Audit looks for uses of versions that were yanked or are not there. It walks the graph
// of dependencies, each version once.
type Audit struct {
	u     *solve.Records
	todo  []auditNode
	seen  map[used]bool
	found map[string]bool
	list  []Finding
}

// Requirement takes what a requirement stands for: the version in the lock, if
// it satisfies, else the highest one here.
func (w *Audit) Requirement(ctx context.Context, r solve.Requirement, pins map[string]solve.Pin, chain []string) error {
	if r.Version != nil {
		return w.use(ctx, r.Name, *r.Version, "", chain)
	}
	if p, ok := pins[r.Name]; ok && (!p.Versioned || r.Allows(p.Version)) {
		return nil // the lock is looked through anyway
	}
	return w.any(ctx, r, chain)
}

// any takes the highest version that a requirement allows.
func (w *Audit) any(ctx context.Context, r solve.Requirement, chain []string) error {
	k, err := w.u.Lookup(ctx, r.Name)
	switch {
	case err != nil:
		return err
	case k == nil:
		w.report(Finding{Archive: r.Name, Kind: Missing, Chain: chain})
		return nil
	}
	v, ok := k.Best(r)
	if !ok {
		w.report(Finding{Archive: r.Name, Kind: Impossible, Chain: chain})
		return nil
	}
	return w.use(ctx, r.Name, v, "", chain)
}

// Lock takes what a lock pins.
func (w *Audit) Lock(ctx context.Context, l *lockfile.Lock) error {
	for i := range l.Archives {
		e := &l.Archives[i]
		v := refs.Version{}
		if e.Version != "" {
			v, _ = refs.ParseVersion(e.Version)
		}
		if err := w.use(ctx, e.Archive, v, e.Tree, []string{"lock: " + e.String()}); err != nil {
			return err
		}
	}
	return nil
}

// use looks at the use of one version. tree is what the lock has, or "".
func (w *Audit) use(ctx context.Context, name string, v refs.Version, tree string, chain []string) error {
	k, err := w.u.Lookup(ctx, name)
	if err != nil {
		return err
	}
	f := Finding{Archive: name, Kind: Missing, Chain: chain}
	if k == nil || k.Record.Versioned {
		f.Version = v.String()
	}
	if k != nil && !k.Record.Versioned {
		v = refs.Version{}
	}
	if k == nil || !k.Has(v) {
		w.report(f)
		return nil
	}
	i := slices.IndexFunc(k.Records, func(r refs.VersionRecord) bool {
		return r.Version == v && (k.Record.Versioned || tree == "" || r.Tree.String() == tree)
	})
	if i < 0 || tree != "" && k.Records[i].Tree.String() != tree {
		f.Kind = Changed
		w.report(f)
	} else if y := k.Records[i].Yanked(); y != nil {
		f.Kind, f.Reason = Yanked, y.Reason
		w.report(f)
	}
	if u := (used{name, v}); !w.seen[u] {
		w.seen[u] = true
		w.todo = append(w.todo, auditNode{u, chain})
	}
	return nil
}

// report adds a finding, unless the same chain has it already.
func (w *Audit) report(f Finding) {
	if text := f.String(); !w.found[text] {
		w.found[text] = true
		w.list = append(w.list, f)
	}
}

// dependencies takes what a version depends on: the number that was recorded,
// else the one that it stood for when it was written, else the highest.
func (w *Audit) dependencies(ctx context.Context, n auditNode) error {
	k, err := w.u.Archive(ctx, n.name)
	if err != nil {
		return err
	}
	from := n.name
	if k.Record.Versioned {
		from += " " + n.version.String()
	}
	last := k.Dependencies(n.version)
	for _, name := range slices.Sorted(maps.Keys(last.Dependencies)) {
		r := solve.Requirement{Name: name}
		text, resolved := last.Dependencies[name], ""
		if text == nil || *text == "latest" {
			resolved = last.Resolved[name]
			text = &resolved
		}
		if *text == "" {
			if err := w.any(ctx, r, append(slices.Clip(n.chain), from+": "+r.String())); err != nil {
				return err
			}
			continue
		}
		v, err := refs.ParseVersion(*text)
		if err != nil {
			return fmt.Errorf("dependencies of %s: %s: %w", from, name, err)
		}
		step := from + ": " + name + "==" + *text
		if resolved != "" {
			step = from + ": " + name + ", which was " + resolved
		}
		if err := w.use(ctx, name, v, "", append(slices.Clip(n.chain), step)); err != nil {
			return err
		}
	}
	return nil
}
