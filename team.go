package datafs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/datafs/datafs/refs"
	"github.com/datafs/datafs/remote"
)

// asideSuffix makes the name of the table that keeps one's own versions whose
// numbers the team has given to others.
const asideSuffix = "~local"

// catalogue says which authority keeps the catalogue, "" when a database does.
// Without a manager it is the default authority; none at all: there is no team.
func (a *API) catalogue() (authority string, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	m := a.manager
	switch {
	case m == nil && a.noAuthorities():
		return "", &HintError{
			Err:  errorf(fs.ErrNotExist, "the profile has neither authority nor manager: there is no team to share with"),
			Hint: "name one in the configuration file, e.g. authorities: {remote: s3://bucket/prefix}",
		}
	case m == nil:
		name, err := a.oneAuthority()
		if err != nil {
			return "", &HintError{
				Err:  errorf(fs.ErrInvalid, "the profile has several authorities and neither a manager nor a default-authority that keeps the catalogue"),
				Hint: "set default-authority in the configuration file",
			}
		}
		return name, nil
	case m.URL != "" || m.Class == "MongoDBManager" || m.Class == "DynamoDBManager":
		return "", errorf(errors.ErrUnsupported, "this version of datafs has no %s yet: use AuthorityManager, or none", m.name())
	case m.Class == "EmbeddedManager":
		return "", errorf(fs.ErrNotExist, "the profile's manager is the repository's own: there is no team to share with")
	}
	if name, ok := m.Kwargs["authority"].(string); ok {
		return name, nil
	}
	if len(m.Args) > 0 {
		return fmt.Sprint(m.Args[0]), nil
	}
	return a.oneAuthority()
}

func (m *ManagerConfig) name() string {
	if m.URL != "" {
		scheme, _, _ := strings.Cut(m.URL, ":")
		return scheme + " manager"
	}
	return m.Class
}

// noAuthorities says that none is configured; the caller holds the lock.
func (a *API) noAuthorities() bool {
	for _, s := range a.authorities {
		if !s.none() {
			return false
		}
	}
	return true
}

// team is what this repository knows of the team's records and, with the
// network, the records themselves.
type team struct {
	*remote.Sync
	site  *openSite // that keeps the catalogue; nil: without the network
	empty bool      // nobody has pushed anything yet
}

// access says what a command wants of the team's records.
type access int

const (
	withoutNetwork access = iota
	toRead
	toWrite
)

// team opens the team's records.
func (a *API) team(ctx context.Context, how access) (*team, error) {
	authority, err := a.catalogue()
	if err != nil {
		return nil, err
	}
	aside, err := a.tables(ctx)
	if err != nil {
		return nil, err
	}
	t := &team{}
	opts := &remote.SyncOptions{
		Local: a.bolt, Aside: aside, Index: a.index, Now: a.opts.Now, Warn: a.opts.Warn,
		Space: authority + "/" + a.Table(), // the same without the network
	}
	if how == withoutNetwork {
		t.Sync = remote.NewSync(opts)
		return t, nil
	}
	if t.site, err = a.site(ctx, authority); err != nil {
		return nil, err
	}
	id, err := t.meet(ctx, how)
	if err != nil {
		return nil, err
	}
	if !t.empty {
		if opts.Team, err = a.openCatalog(ctx, t.site); err != nil {
			return nil, err
		}
	}
	t.Sync = remote.NewSync(opts)
	other, err := t.Meet(ctx, id)
	switch {
	case err == nil && other && t.empty:
		return nil, &HintError{
			Err:  errorf(fs.ErrNotExist, "authority %q is empty, and was not at the last time: it was emptied, or the profile names another place now", authority),
			Hint: `"datafs push" brings what is here`,
		}
	case err == nil && other:
		a.opts.Warn(fmt.Sprintf("authority %q is another one than at the last time: all is compared anew", authority))
	}
	return t, err
}

// meet asks the authority who it is; an empty one is nobody.
func (t *team) meet(ctx context.Context, how access) (id string, err error) {
	if how == toWrite {
		return t.site.Found(ctx)
	}
	id, err = t.site.Meet(ctx)
	if t.empty = errors.Is(err, fs.ErrNotExist); t.empty {
		return "", nil
	}
	return id, err
}

// tableOf opens one of the embedded tables.
func (a *API) tableOf(name string) (*refs.Bolt, error) {
	return refs.OpenBolt(a.index, filepath.Join(a.where.Repo, journalName), &refs.BoltOptions{Table: name})
}

// tables makes the table of what the team has, and the one of one's own versions
// whose numbers are taken, where they are missing. It returns the latter.
func (a *API) tables(ctx context.Context) (aside *refs.Bolt, err error) {
	have, err := a.bolt.Tables(ctx)
	if err != nil {
		return nil, err
	}
	name := a.Table() + asideSuffix
	for _, t := range []string{a.Table(), name} {
		if slices.Contains(have, t) {
			continue
		}
		if err := a.bolt.CreateTable(ctx, t); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
	}
	return a.tableOf(name)
}

func (a *API) openCatalog(ctx context.Context, site *openSite) (*remote.Catalog, error) {
	id, err := site.ID(ctx)
	if err != nil {
		return nil, err
	}
	probed, err := site.Noted(ctx, notedProbe)
	if err != nil {
		return nil, err
	}
	return remote.OpenCatalog(site.authority, &remote.CatalogOptions{
		Table: a.Table(), Index: a.index, Space: id, Random: a.opts.Rand,
		Probed: probed, OnProbed: func() { site.Note(ctx, notedProbe) }, // or it is probed again
	})
}

// notedProbe is noted of an authority that keeps the promise of exclusive
// writes.
const notedProbe = "exclusive"

// PullOptions say what to bring here.
type PullOptions struct {
	RefsOnly bool     // no contents
	All      bool     // the contents of the latest version of every archive
	Archives []string // whose contents to bring, NAME or NAME==VERSION; none: what the requirements pin
}

// PullReport says what came.
type PullReport struct {
	remote.PullReport
	Contents []Pulled // in the order in which they were asked for
	Requests int64    // to authorities
	Received int64    // bytes
}

// Pulled is a version whose contents are here now.
type Pulled struct {
	Archive, Version string
	Size             int64 // bytes
	Cached           bool  // they were here before
}

// Pull merges the team's changes since the last time, and brings the contents
// that are asked for. Where both sides changed the same thing differently, all
// else is merged and the error wraps ErrConflict.
func (a *API) Pull(ctx context.Context, opts *PullOptions) (rep PullReport, err error) {
	if opts == nil {
		opts = &PullOptions{}
	}
	defer func() { rep.Requests, rep.Received = a.traffic() }()
	t, err := a.team(ctx, toRead)
	if err != nil {
		return rep, err
	}
	if !t.empty {
		if rep.PullReport, err = t.Pull(ctx, nil); err != nil {
			return rep, err
		}
	}
	if !opts.RefsOnly {
		if err := a.pullContents(ctx, opts, &rep); err != nil {
			return rep, err
		}
	}
	return rep, conflictError(rep.Conflicts)
}

// conflictError is what a command ends with that found conflicts.
func conflictError(list []remote.Conflict) error {
	if len(list) == 0 {
		return nil
	}
	text := list[0].String()
	if len(list) > 1 {
		text += fmt.Sprintf(" (and %s: see status)", count(len(list)-1, "more conflict", "more conflicts"))
	}
	return &HintError{errorf(ErrConflict, "%s", text), list[0].Hint()}
}

// traffic adds up the requests to all authorities and the bytes received.
func (a *API) traffic() (requests, received int64) {
	a.sites.mu.Lock()
	defer a.sites.mu.Unlock()
	for _, s := range a.sites.open {
		c := s.traffic.Requests()
		requests += c.All()
		received += c.Down
	}
	return requests, received
}

// pullContents brings the contents that were asked for.
func (a *API) pullContents(ctx context.Context, opts *PullOptions, rep *PullReport) error {
	wanted, err := a.wanted(ctx, opts)
	if err != nil {
		return err
	}
	for _, w := range wanted {
		p, err := w.h.fetch(ctx, w.rec)
		if err != nil {
			return err
		}
		rep.Contents = append(rep.Contents, p)
	}
	return nil
}

type wantedVersion struct {
	h   *Archive
	rec *refs.VersionRecord
}

// wanted resolves what a pull names.
func (a *API) wanted(ctx context.Context, opts *PullOptions) (list []wantedVersion, err error) {
	names := opts.Archives
	if len(names) == 0 && !opts.All {
		pins, err := a.pins()
		if err != nil {
			return nil, err
		}
		for _, r := range pins {
			names = append(names, r.Name)
		}
	}
	for _, name := range names {
		name, version, _ := strings.Cut(name, "==")
		h, err := a.Archive(ctx, name, nil)
		if err != nil {
			return nil, err
		}
		rec, err := h.resolve(ctx, version)
		if err != nil {
			return nil, err
		}
		list = append(list, wantedVersion{h, rec})
	}
	if !opts.All || len(names) > 0 {
		return list, nil
	}
	for rec, err := range a.refs.Archives(ctx, "") {
		if err != nil {
			return nil, err
		}
		h := a.handle(rec)
		latest, err := h.latestOrNil(ctx)
		if errors.Is(err, fs.ErrNotExist) || (err == nil && latest == nil) {
			continue // deleted meanwhile, or without contents
		}
		if err != nil {
			return nil, err
		}
		list = append(list, wantedVersion{h, latest})
	}
	return list, nil
}

// fetch brings the whole content of a version here.
func (h *Archive) fetch(ctx context.Context, rec *refs.VersionRecord) (Pulled, error) {
	p := Pulled{Archive: h.name, Version: rec.Label(), Size: rec.Size}
	here, err := h.isHere(ctx, rec)
	if p.Cached = here; here || err != nil {
		return p, err
	}
	src := &source{h: h, rec: rec}
	site, err := src.site(ctx)
	if err == nil {
		err = site.Pull(ctx, rec.Tree)
	}
	if err != nil {
		return p, fmt.Errorf("pull %s version %s: %w", h.name, rec.Label(), err)
	}
	return p, nil
}

// Status is what is not in step between this repository and the team.
type Status struct {
	Pending  []remote.Pending // by archive
	Required bool             // what an administrator requires has changed here
	LastPull string           // when the team was asked last, RFC 3339; "": never
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
	if st.Pending, err = t.Status(ctx, normal); err != nil {
		return st, err
	}
	if len(names) == 0 {
		if st.Required, err = t.SpecChanged(ctx); err != nil {
			return st, err
		}
	}
	at, err := t.LastPull(ctx)
	if !at.IsZero() {
		st.LastPull = at.UTC().Format("2006-01-02T15:04:05Z")
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
func (a *API) Resolve(ctx context.Context, name string, opts *ResolveOptions) ([]remote.Renumbered, error) {
	_, normal, err := refs.ParseName(name)
	if err != nil {
		return nil, err
	}
	if opts == nil {
		opts = &ResolveOptions{}
	}
	if n := boolCount(opts.Renumber, opts.Theirs, opts.Ours); n != 1 {
		return nil, errorf(fs.ErrInvalid, "resolve %s: choose one of renumber, theirs and ours", normal)
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
