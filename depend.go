package datafs

import (
	"context"
	"errors"
	"fmt"
	"github.com/datafs/datafs/remote/config"
	"io/fs"

	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/refs/graph"
	"github.com/datafs/datafs/refs/lockfile"
	"github.com/datafs/datafs/refs/solve"
)

// GraphOptions say what a graph begins with.
type GraphOptions struct {
	Archives []string // NAME or NAME==VERSION; without a version the default one, with Reverse all that something depends on
	Depth    int      // how many steps to go; 0: all
	Reverse  bool     // not what they depend on, but what depends on them
}

// Graph finds what archives depend on by the dependencies that were recorded, and these
// by theirs, as graph.Builder does.
func (a *API) Graph(ctx context.Context, opts *GraphOptions) (*graph.Graph, error) {
	if opts == nil {
		opts = &GraphOptions{}
	}
	g, err := graph.New(ctx, a.refs, graph.Options{Depth: opts.Depth, Reverse: opts.Reverse})
	if err != nil {
		return nil, err
	}
	for _, text := range opts.Archives {
		if err := a.graphRoots(ctx, g, text, opts.Reverse); err != nil {
			return nil, err
		}
	}
	return g.Graph(ctx)
}

// graphRoots adds the roots that an argument names.
func (a *API) graphRoots(ctx context.Context, g *graph.Builder, text string, reverse bool) error {
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
	if reverse && version == "" {
		if found := g.InUse(r.Name); len(found) > 0 {
			for _, v := range found {
				g.Root(r.Name, v)
			}
			return nil
		}
	}
	h, err := a.Archive(ctx, solve.Requirement{Authority: r.Authority, Name: r.Name}.String(), nil)
	if err != nil {
		return err
	}
	rec, err := h.resolve(ctx, version)
	if err != nil {
		return err
	}
	if version = rec.Label(); !h.versioned {
		version = ""
	}
	g.Root(h.name, version)
	return nil
}

// Stale lists what archives depend on and is newer now, by name; without names, of all
// archives.
func (a *API) Stale(ctx context.Context, archives ...string) ([]graph.Stale, error) {
	var names []string
	for _, name := range archives {
		h, err := a.Archive(ctx, name, nil)
		if err != nil {
			return nil, err
		}
		names = append(names, h.name)
	}
	if names == nil {
		if err := a.askTeam(ctx); err != nil {
			return nil, err
		}
	}
	return graph.FindStale(ctx, a.refs, names)
}

// AuditOptions say what to look through.
type AuditOptions struct {
	Requirements string   // a file, or text with requirements; "": those of the API
	Locked       string   // a lock instead of the requirements and the lock beside them
	Archives     []string // NAME or NAME==VERSION, instead of both
}

// Audit looks through requirements, a lock or the versions that are named, and through
// what they depend on as it is recorded, for uses of versions that were yanked or are not
// there. It goes on behind what it finds.
func (a *API) Audit(ctx context.Context, opts *AuditOptions) ([]graph.Finding, error) {
	if opts == nil {
		opts = &AuditOptions{}
	}
	if err := a.askTeam(ctx); err != nil {
		return nil, err
	}
	w, err := a.auditBegun(ctx, opts)
	if err != nil {
		return nil, err
	}
	return w.Findings(ctx)
}

// auditBegun takes the uses that an audit begins with.
func (a *API) auditBegun(ctx context.Context, opts *AuditOptions) (*graph.Audit, error) {
	if len(opts.Archives) > 0 {
		return a.auditNamed(ctx, opts)
	}
	var list []solve.Requirement
	var l *lockfile.Lock
	var err error
	if opts.Locked != "" {
		l, err = readLock(config.JoinPath(a.opts.Dir, opts.Locked), false)
	} else {
		var w wish
		if w, err = a.wished(&ChooseOptions{Requirements: opts.Requirements}); err == nil {
			list = w.list
			l, err = a.lockOrNone(a.LockFile(opts.Requirements))
		}
	}
	if err != nil {
		return nil, err
	}
	w, err := graph.NewAudit(ctx, a.refs, max(len(list), len(l.Archives)))
	if err != nil {
		return nil, err
	}
	label, pins := a.requirementsLabel(opts.Requirements), l.Pins()
	for _, r := range list {
		at := label
		if r.Line > 0 {
			at = fmt.Sprintf("%s:%d", label, r.Line)
		}
		if err := w.Requirement(ctx, r, pins, []string{at + ": " + r.String()}); err != nil {
			return nil, err
		}
	}
	return w, w.Lock(ctx, l)
}

// auditNamed takes archives that were named, perhaps several versions of one.
func (a *API) auditNamed(ctx context.Context, opts *AuditOptions) (*graph.Audit, error) {
	w, err := graph.NewAudit(ctx, a.refs, len(opts.Archives))
	if err != nil {
		return nil, err
	}
	for _, name := range opts.Archives {
		wish, err := a.wished(&ChooseOptions{Requirements: opts.Requirements, Archives: []string{name}})
		if err != nil {
			return nil, err
		}
		for _, r := range wish.list {
			if err := w.Requirement(ctx, r, nil, []string{"named: " + r.String()}); err != nil {
				return nil, err
			}
		}
	}
	return w, nil
}

// lockOrNone reads a lock, an empty one where there is none.
func (a *API) lockOrNone(file string) (*lockfile.Lock, error) {
	l, err := readLock(file, false)
	if errors.Is(err, fs.ErrNotExist) {
		return &lockfile.Lock{}, nil
	}
	return l, err
}
