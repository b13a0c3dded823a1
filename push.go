package datafs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/refs"
	"github.com/datafs/datafs/remote/team"
)

// PushOptions say what to push.
type PushOptions struct {
	Archives []string // none: all
	DryRun   bool     // only find out what would be sent
	Renumber bool     // move one's own versions behind published ones of the same number
}

// PushReport says what was sent, or would be. Sizes are in bytes.
type PushReport struct {
	DryRun     bool
	Versions   []Pushed // registered with the team
	Changed    []string // archives whose metadata, tags or dependencies were registered
	Deleted    []string // archives
	Required   bool     // what an administrator requires was registered
	Renumbered []team.Renumbered
	Refused    []Refusal // archives that were left out; the others were pushed

	New, Shared int64 // contents that the authorities lacked, and that they had
	Sent        int64 // stored bytes
	Packs       int64
	Requests    int64 // of a dry run: an estimate of what the push would take
}

// Pushed is a version that the team has now.
type Pushed struct {
	Archive, Version string
}

// Refusal says why an archive was not pushed.
type Refusal struct {
	Archive string
	Err     error
}

// Push sends what the team lacks: contents to the archives' authorities, and
// then the records to the team's manager. It begins with the team's news. Run
// again after it was broken off, it goes on. Archives that are in conflict are
// left out, and the error wraps ErrConflict then. So are archives of which content
// here is damaged, and the error wraps ErrCorrupt.
func (a *API) Push(ctx context.Context, opts *PushOptions) (rep PushReport, err error) {
	if opts == nil {
		opts = &PushOptions{}
	}
	names, err := normalNames(opts.Archives)
	if err != nil {
		return rep, err
	}
	how := toWrite
	if opts.DryRun {
		how = toRead
	}
	t, err := a.team(ctx, how)
	if err != nil {
		return rep, err
	}
	p := &pushing{api: a, t: t, opts: opts, rep: &rep, names: names, hurt: map[string]error{}, places: map[string]string{}}
	rep.DryRun = opts.DryRun
	defer func() {
		if rep.Requests, _ = a.traffic(); opts.DryRun && rep.String() != nothingToPush {
			rep.Requests = rep.expected()
		}
	}()
	if err := p.run(ctx); err != nil {
		return rep, err
	}
	if len(rep.Refused) == 0 {
		return rep, nil
	}
	return rep, rep.worst()
}

// worst returns the error of an archive that was left out; damage comes first.
func (r *PushReport) worst() error {
	for _, x := range r.Refused {
		if errors.Is(x.Err, ErrCorrupt) {
			return x.Err
		}
	}
	return r.Refused[0].Err
}

// pushing is one push under way.
type pushing struct {
	api   *API
	t     *members
	opts  *PushOptions
	rep   *PushReport
	names []string
	hurt  map[string]error // archives whose content here is damaged, by name

	places map[string]string // where at the authority the trees of versions lie, by key
}

func (p *pushing) run(ctx context.Context) error {
	for _, name := range p.names {
		if _, err := p.api.refs.Archive(ctx, name); err != nil {
			if known, kerr := p.t.Known(ctx, name); kerr != nil || !known {
				return err
			}
		}
	}
	if p.opts.DryRun {
		return p.dry(ctx)
	}
	out, err := p.begin(ctx)
	if err != nil {
		return err
	}
	pending := p.admitted(out)
	if err := p.contents(ctx, pending); err != nil {
		return err
	}
	for i, x := range pending {
		pending[i].Held = p.hurt[x.Archive]
		for j, v := range x.Versions {
			x.Versions[j].Place = cmp.Or(p.places[v.Key()], v.Place)
		}
	}
	return p.register(ctx, pending) // what was made since has no contents there yet, and waits
}

// begin merges the team's news, gives the team with a whole push what an
// administrator requires, and finds out what is to be sent.
func (p *pushing) begin(ctx context.Context) (out team.Outgoing, err error) {
	if p.t.site != nil && p.t.site.readOnly {
		return out, leaf.Errorf(ErrReadOnly, "authority %q is read-only", p.t.site.Name())
	}
	out, err = p.t.Outgoing(ctx, p.names)
	p.rep.Required = out.Required
	if err != nil || !p.opts.Renumber {
		return out, err
	}
	moved, err := p.renumber(ctx, out.Pending)
	if err != nil || !moved {
		return out, err
	}
	now, err := p.t.Status(ctx, p.names)
	out.Pending = now.Pending
	return out, err
}

// admitted leaves out archives without what the team requires by now of new
// archives and versions: they were made before this was known here.
func (p *pushing) admitted(out team.Outgoing) (list []team.Pending) {
	for _, x := range out.Pending {
		if x.Record != nil {
			if err := out.Spec.CheckArchive(*x.Record, x.New, x.Versions); err != nil {
				p.rep.Refused = append(p.rep.Refused, Refusal{x.Archive, fmt.Errorf("push %s: %w", x.Archive, err)})
				continue
			}
		}
		list = append(list, x)
	}
	return list
}

// renumber settles the version conflicts of the archives to push, and reports whether
// there were any.
func (p *pushing) renumber(ctx context.Context, pending []team.Pending) (some bool, err error) {
	for _, x := range pending {
		if !slices.ContainsFunc(x.Conflicts, func(c team.Conflict) bool { return c.Kind == "version" }) {
			continue
		}
		some = true
		moved, err := p.t.Renumber(ctx, x.Archive)
		p.rep.Renumbered = append(p.rep.Renumbered, moved...)
		if err != nil {
			return some, err
		}
	}
	return some, nil
}

// contents sends the trees of versions to their authorities.
func (p *pushing) contents(ctx context.Context, pending []team.Pending) error {
	byAuthority, order, err := p.sort(ctx, pending)
	if err != nil {
		return err
	}
	for _, name := range order {
		if err := p.send(ctx, name, byAuthority[name]); err != nil {
			return err
		}
	}
	return nil
}

// sort groups the versions to send by the authority that they belong to.
func (p *pushing) sort(ctx context.Context, pending []team.Pending) (map[string][]refs.VersionRecord, []string, error) {
	byAuthority := map[string][]refs.VersionRecord{}
	var order []string
	for _, x := range pending {
		if len(x.Conflicts) > 0 || len(x.Versions) == 0 || x.Record == nil {
			continue
		}
		name, err := p.home(ctx, x.Record)
		if err != nil {
			return nil, nil, err
		}
		if byAuthority[name] == nil {
			order = append(order, name)
		}
		versions := x.Versions
		if !x.Record.Versioned { // the contents before the last are replaced, and gone
			versions = versions[len(versions)-1:]
		}
		byAuthority[name] = append(byAuthority[name], versions...)
	}
	return byAuthority, order, nil
}

// home returns the authority of an archive. One that was made when the profile
// had no authority goes to the default one.
func (p *pushing) home(ctx context.Context, rec *refs.Archive) (string, error) {
	if rec.Authority != localAuthority || p.api.knownAuthority(localAuthority) == nil {
		return rec.Authority, nil
	}
	name, err := p.api.DefaultAuthority()
	if err != nil || p.opts.DryRun {
		return name, err
	}
	if err := p.api.refs.SetAuthority(ctx, rec.Name, name); !errors.Is(err, fs.ErrNotExist) { // it was deleted meanwhile
		return name, err
	}
	return name, nil
}

// register gives the records to the team.
func (p *pushing) register(ctx context.Context, pending []team.Pending) error {
	done, err := p.t.Register(ctx, pending)
	for _, v := range done.Registered {
		p.rep.Versions = append(p.rep.Versions, Pushed{v.Archive, v.Version})
	}
	p.rep.Changed, p.rep.Deleted = done.Changed, done.Deleted
	for _, r := range done.Refused {
		p.rep.Refused = append(p.rep.Refused, Refusal{r.Archive, r.Err})
	}
	return err
}

const nothingToPush = "nothing to push"

// String describes the report in one line.
func (r PushReport) String() string {
	var what []string
	add := func(n int, one, many string) {
		if n > 0 {
			what = append(what, count(n, one, many))
		}
	}
	add(len(r.Versions), "version", "versions")
	add(len(r.Changed), "changed archive", "changed archives")
	add(len(r.Deleted), "deleted archive", "deleted archives")
	if r.Required {
		what = append(what, "what is required of archives")
	}
	if len(what) == 0 {
		return nothingToPush
	}
	return strings.Join(what, ", ")
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprint(n, " ", many)
}
