package datafs

import (
	"context"
	"io/fs"

	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/refs"
	"github.com/datafs/datafs/remote/team"
)

// Status is what is not in step between this repository and the team.
type Status struct {
	Pending  []team.Pending // by archive
	Required bool           // what an administrator requires has changed here
	LastPull string         // when the team was asked last, RFC 3339; "": never
}

// Status compares what is here with what the team had when it was asked last.
// It never touches the network. names may be empty for all archives.
func (a *API) Status(ctx context.Context, names ...string) (st Status, err error) {
	t, err := a.team(ctx, withoutNetwork)
	if err != nil {
		return st, err
	}
	normal, err := normalNames(names)
	if err != nil {
		return st, err
	}
	now, err := t.Status(ctx, normal)
	st.Pending, st.Required = now.Pending, now.Required && len(names) == 0
	if !now.Asked.IsZero() {
		st.LastPull = now.Asked.UTC().Format("2006-01-02T15:04:05Z")
	}
	return st, err
}

// normalNames normalises names; none stay nil.
func normalNames(names []string) ([]string, error) {
	var list []string
	for _, name := range names {
		_, normal, err := refs.ParseName(name)
		if err != nil {
			return nil, err
		}
		list = append(list, normal)
	}
	return list, nil
}

// ResolveOptions say how to settle a conflict.
type ResolveOptions struct {
	Renumber bool     // move one's own versions behind the published ones
	Theirs   bool     // take what the team has
	Ours     bool     // keep what is here
	Keys     []string // of the metadata; none: all that is in conflict
}

// Resolve settles the conflicts of an archive that Pull or Push reported. It
// never touches the network.
func (a *API) Resolve(ctx context.Context, name string, opts *ResolveOptions) ([]team.Renumbered, error) {
	_, normal, err := refs.ParseName(name)
	if err != nil {
		return nil, err
	}
	if opts == nil {
		opts = &ResolveOptions{}
	}
	if n := boolCount(opts.Renumber, opts.Theirs, opts.Ours); n != 1 {
		return nil, leaf.Errorf(fs.ErrInvalid, "resolve %s: choose one of renumber, theirs and ours", normal)
	}
	t, err := a.team(ctx, withoutNetwork)
	if err != nil {
		return nil, err
	}
	if opts.Renumber {
		return t.Renumber(ctx, normal)
	}
	return nil, t.Resolve(ctx, normal, opts.Theirs, opts.Keys)
}

func boolCount(list ...bool) (n int) {
	for _, b := range list {
		if b {
			n++
		}
	}
	return n
}
