package datafs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/refs/bolt"
	"github.com/datafs/datafs/remote/catalog"
	"github.com/datafs/datafs/remote/config"
	"github.com/datafs/datafs/remote/team"
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
			Err:  leaf.Errorf(fs.ErrNotExist, "the profile has neither authority nor manager: there is no team to share with"),
			Hint: "name one in the configuration file, e.g. authorities: {remote: s3://bucket/prefix}",
		}
	case m == nil:
		name, err := a.oneAuthority()
		if err != nil {
			return "", &HintError{
				Err:  leaf.Errorf(fs.ErrInvalid, "the profile has several authorities and neither a manager nor a default-authority that keeps the catalogue"),
				Hint: "set default-authority in the configuration file",
			}
		}
		return name, nil
	case m.InDatabase():
		return "", nil
	case m.Class == config.EmbeddedManager:
		return "", leaf.Errorf(fs.ErrNotExist, "the profile's manager is the repository's own: there is no team to share with")
	}
	if name, ok := m.Kwargs["authority"].(string); ok {
		return name, nil
	}
	if len(m.Args) > 0 {
		return fmt.Sprint(m.Args[0]), nil
	}
	return a.oneAuthority()
}

// noAuthorities says that none is configured; the caller holds the lock.
func (a *API) noAuthorities() bool {
	for _, s := range a.authorities {
		if !s.IsZero() {
			return false
		}
	}
	return true
}

// members is what this repository knows of the team's records and, with the
// network, the records themselves.
type members struct {
	*team.Sync
	site  *openSite // that keeps the catalogue; nil: a database does, or without the network
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
func (a *API) team(ctx context.Context, how access) (*members, error) {
	authority, err := a.catalogue()
	if err != nil {
		return nil, err
	}
	aside, err := a.tableOf(a.Table() + asideSuffix)
	if err != nil {
		return nil, err
	}
	t := &members{}
	opts := &team.Options{
		Local: a.bolt, Aside: aside, Now: a.opts.Now, Warn: a.opts.Warn,
		Space: authority + "/" + a.Table(), // the same without the network
	}
	if authority == "" {
		opts.Team, opts.Space, err = a.teamDatabase(ctx, how)
	}
	if authority == "" || how == withoutNetwork {
		t.Sync = team.New(opts)
		return t, err
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
	t.Sync = team.New(opts)
	other, err := t.Meet(ctx, id)
	switch {
	case err == nil && other && t.empty:
		return nil, leaf.Errorf(ErrEmptied, "authority %q is empty, and was not at the last time: it was emptied, or the profile names another place now", authority)
	case err == nil && other:
		a.opts.Warn(fmt.Sprintf("authority %q is another one than at the last time: all is compared anew", authority))
	}
	return t, err
}

// meet asks the authority who it is; an empty one is nobody.
func (t *members) meet(ctx context.Context, how access) (id string, err error) {
	if how == toWrite {
		return t.site.Found(ctx)
	}
	id, err = t.site.Meet(ctx)
	if t.empty = errors.Is(err, fs.ErrNotExist); t.empty {
		return "", nil
	}
	return id, err
}

// tableOf opens one of the embedded tables. What is here of a team's table is only
// what is known of it, and the table is made when it is missing.
func (a *API) tableOf(name string) (*bolt.Manager, error) {
	return bolt.Open(a.index, a.journalDir(), &bolt.Options{
		Table: name, Make: a.sharesTables() || strings.HasSuffix(name, asideSuffix), Now: a.opts.Now, First: a.journalGone,
	})
}

func (a *API) openCatalog(ctx context.Context, site *openSite) (*catalog.Catalog, error) {
	id, err := site.ID(ctx)
	if err != nil {
		return nil, err
	}
	probed, err := site.Noted(ctx, notedProbe)
	if err != nil {
		return nil, err
	}
	return catalog.Open(site.authority, &catalog.Options{
		Table: a.Table(), Index: a.index, Space: id, Random: a.opts.Rand,
		Probed: probed, OnProbed: func() { site.Note(ctx, notedProbe) }, // or it is probed again
	})
}

// notedProbe is noted of an authority that keeps the promise of exclusive
// writes.
const notedProbe = "exclusive"

// journalDir is the directory of the repository's journal.
func (a *API) journalDir() string { return filepath.Join(a.where.Repo, journalName) }
