package datafs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/datafs/datafs/refs"
	"github.com/datafs/datafs/refs/lockfile"
	"github.com/datafs/datafs/refs/solve"
)

// AuditOptions say what to look through.
type AuditOptions struct {
	Requirements string   // a file, or text with requirements; "": those of the API
	Locked       string   // a lock instead of the requirements and the lock beside them
	Archives     []string // NAME or NAME==VERSION, instead of both
}

// The kinds of findings.
const (
	FindingYanked  = "yanked"     // the version was yanked
	FindingMissing = "missing"    // there is no such archive or version here: it was deleted, or never was
	FindingRange   = "impossible" // no version that is not yanked satisfies
	FindingChanged = "changed"    // the contents are not those that the lock names
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
	case FindingYanked:
		text = name + " was yanked: " + f.Reason
	case FindingMissing:
		text = name + " is not there"
	case FindingRange:
		text = "no version of " + name + " satisfies"
	case FindingChanged:
		text = name + " has other contents than the lock says"
	}
	return text + " (" + strings.Join(f.Chain, " --> ") + ")"
}

// Audit looks through requirements, a lock or the versions that are named, and
// through what they depend on as it is recorded, for uses of versions that were
// yanked or are not there. It goes on behind what it finds. The order is that of
// the chains' beginnings, the shorter ones first.
func (a *API) Audit(ctx context.Context, opts *AuditOptions) ([]Finding, error) {
	if opts == nil {
		opts = &AuditOptions{}
	}
	if err := a.askTeam(ctx); err != nil {
		return nil, err
	}
	w := &auditor{api: a, seen: map[auditKey]bool{}, found: map[string]bool{}}
	if err := w.begin(ctx, opts); err != nil {
		return nil, err
	}
	for len(w.todo) > 0 {
		n := w.todo[0]
		w.todo = w.todo[1:]
		if err := w.dependencies(ctx, n); err != nil {
			return nil, err
		}
	}
	return w.list, ctx.Err()
}

// auditKey is a version; of an unversioned archive the zero one.
type auditKey struct {
	name    string
	version refs.Version
}

type auditNode struct {
	auditKey
	chain []string
}

// auditor walks the graph of dependencies, each version once.
type auditor struct {
	api   *API
	u     *solve.Records
	todo  []auditNode
	seen  map[auditKey]bool
	found map[string]bool
	list  []Finding
}

// begin takes the uses that the walk begins with.
func (w *auditor) begin(ctx context.Context, opts *AuditOptions) error {
	a := w.api
	if opts.Locked != "" && len(opts.Archives) == 0 {
		l, err := readLock(joinPath(a.opts.Dir, opts.Locked), false)
		if err == nil {
			err = w.prepare(ctx, len(l.Archives))
		}
		if err != nil {
			return err
		}
		return w.lock(ctx, l)
	}
	if len(opts.Archives) > 0 {
		return w.named(ctx, opts)
	}
	wish, err := a.wished(&ChooseOptions{Requirements: opts.Requirements})
	if err != nil {
		return err
	}
	l, err := a.lockOrNone(a.LockFile(opts.Requirements))
	if err == nil {
		err = w.prepare(ctx, len(wish.list))
	}
	if err != nil {
		return err
	}
	label, pins := a.requirementsLabel(opts.Requirements), l.Pins()
	for _, r := range wish.list {
		at := label
		if r.Line > 0 {
			at = fmt.Sprintf("%s:%d", label, r.Line)
		}
		if err := w.requirement(ctx, r, pins, []string{at + ": " + r.String()}); err != nil {
			return err
		}
	}
	return w.lock(ctx, l)
}

// named takes archives that were named, perhaps several versions of one.
func (w *auditor) named(ctx context.Context, opts *AuditOptions) error {
	if err := w.prepare(ctx, len(opts.Archives)); err != nil {
		return err
	}
	for _, name := range opts.Archives {
		wish, err := w.api.wished(&ChooseOptions{Requirements: opts.Requirements, Archives: []string{name}})
		if err != nil {
			return err
		}
		for _, r := range wish.list {
			if err := w.requirement(ctx, r, nil, []string{"named: " + r.String()}); err != nil {
				return err
			}
		}
	}
	return nil
}

// prepare reads all records at once where there is much to look through. Any may
// be a dependency.
func (w *auditor) prepare(ctx context.Context, n int) (err error) {
	w.u, err = solve.AllRecords(ctx, w.api.refs, n)
	return err
}

// lockOrNone reads a lock, an empty one where there is none.
func (a *API) lockOrNone(file string) (*lockfile.Lock, error) {
	l, err := readLock(file, false)
	if errors.Is(err, fs.ErrNotExist) {
		return &lockfile.Lock{}, nil
	}
	return l, err
}

// requirement takes what a requirement stands for: the version in the lock, if
// it satisfies, else the highest one here.
func (w *auditor) requirement(ctx context.Context, r solve.Requirement, pins map[string]solve.Pin, chain []string) error {
	if r.Version != nil {
		return w.use(ctx, r.Name, *r.Version, "", chain)
	}
	if p, ok := pins[r.Name]; ok && (!p.Versioned || r.Allows(p.Version)) {
		return nil // the lock is looked through anyway
	}
	return w.any(ctx, r, chain)
}

// any takes the highest version that a requirement allows.
func (w *auditor) any(ctx context.Context, r solve.Requirement, chain []string) error {
	k, err := w.u.Lookup(ctx, r.Name)
	switch {
	case err != nil:
		return err
	case k == nil:
		w.report(Finding{Archive: r.Name, Kind: FindingMissing, Chain: chain})
		return nil
	}
	v, ok := k.Best(r)
	if !ok {
		w.report(Finding{Archive: r.Name, Kind: FindingRange, Chain: chain})
		return nil
	}
	return w.use(ctx, r.Name, v, "", chain)
}

// lock takes what a lock pins.
func (w *auditor) lock(ctx context.Context, l *lockfile.Lock) error {
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
func (w *auditor) use(ctx context.Context, name string, v refs.Version, tree string, chain []string) error {
	k, err := w.u.Lookup(ctx, name)
	if err != nil {
		return err
	}
	f := Finding{Archive: name, Kind: FindingMissing, Chain: chain}
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
		f.Kind = FindingChanged
		w.report(f)
	} else if y := k.Records[i].Yanked(); y != nil {
		f.Kind, f.Reason = FindingYanked, y.Reason
		w.report(f)
	}
	key := auditKey{name, v}
	if !w.seen[key] {
		w.seen[key] = true
		w.todo = append(w.todo, auditNode{key, chain})
	}
	return nil
}

// report adds a finding, unless the same chain has it already.
func (w *auditor) report(f Finding) {
	if text := f.String(); !w.found[text] {
		w.found[text] = true
		w.list = append(w.list, f)
	}
}

// dependencies takes what a version depends on: the number that was recorded,
// else the one that it stood for when it was written, else the highest.
func (w *auditor) dependencies(ctx context.Context, n auditNode) error {
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
		if text == nil || *text == latest {
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
