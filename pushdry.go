package datafs

import (
	"context"

	"github.com/datafs/datafs/remote/team"
)

// dry finds out what a push would send.
func (p *pushing) dry(ctx context.Context) error {
	now, err := p.t.Status(ctx, p.names)
	if err != nil {
		return err
	}
	pending := now.Pending
	if err := p.foresee(ctx, pending); err != nil {
		return err
	}
	if err := p.contents(ctx, pending); err != nil {
		return err
	}
	for _, x := range pending {
		if len(x.Conflicts) > 0 {
			p.rep.Refused = append(p.rep.Refused, Refusal{x.Archive, conflictError(x.Conflicts)})
			continue
		}
		if err := p.hurt[x.Archive]; err != nil {
			p.rep.Refused = append(p.rep.Refused, Refusal{x.Archive, err})
			continue
		}
		for _, v := range x.Versions {
			p.rep.Versions = append(p.rep.Versions, Pushed{x.Archive, v.Label()})
		}
		switch {
		case x.Deleted:
			p.rep.Deleted = append(p.rep.Deleted, x.Archive)
		case x.New && len(x.Versions) == 0 || len(x.Edited)+len(x.Yanked)+len(x.Metadata)+len(x.Tags) > 0:
			p.rep.Changed = append(p.rep.Changed, x.Archive)
		}
	}
	p.rep.Required = now.Required && len(p.names) == 0
	return nil
}

// foresee adds the conflicts that the team's news would bring.
func (p *pushing) foresee(ctx context.Context, pending []team.Pending) error {
	if p.t.empty {
		return nil
	}
	news, err := p.t.Pull(ctx, &team.PullOptions{Dry: true})
	for _, c := range news.Conflicts {
		for i := range pending {
			if pending[i].Archive == c.Archive {
				pending[i].Conflicts = append(pending[i].Conflicts, c)
			}
		}
	}
	return err
}

// expected estimates the requests of a push: a handful for the catalogue, and for
// contents the listings, the packs and their table.
func (r *PushReport) expected() int64 {
	n := int64(6)
	if r.Packs > 0 {
		n += 3 + r.Packs
	}
	return n
}
