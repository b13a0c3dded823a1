package datafs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/datafs/datafs/refs"
	"github.com/datafs/datafs/remote/catalog"
	"github.com/datafs/datafs/remote/config"
)

// teamManager looks at whoever keeps the team's records.
func (d *doctor) teamManager(ctx context.Context) {
	const what = "manager"
	m := d.Manager()
	switch {
	case d.alone():
		d.ok(what, "none, and no authority: this repository is all there is")
		return
	case m != nil && m.Class == config.EmbeddedManager:
		d.ok(what, "this repository itself: there is no team to share with")
		return
	case m.InDatabase():
		d.databaseManager(ctx, what)
		return
	}
	authority, err := d.catalogue()
	if err != nil {
		d.problem(what, err, "")
		return
	}
	d.catalogueManager(ctx, what, authority)
}

// catalogueManager looks at a catalogue that is kept in an authority.
func (d *doctor) catalogueManager(ctx context.Context, what, authority string) {
	where := fmt.Sprintf("the catalogue is kept in authority %q", authority)
	if d.opts.Offline {
		d.skipped(what, where+"; ")
		return
	}
	site, err := d.site(ctx, authority)
	if err != nil {
		d.problem(what, err, "")
		return
	}
	c, used, err := d.openAnyCatalog(ctx, site)
	if err == nil && used {
		_, err = refs.New(c, nil).Spec(ctx)
	}
	if err != nil {
		d.problem(what, fmt.Errorf("%s: %w", where, err), "")
		return
	}
	switch err := c.Probe(ctx); {
	case errors.Is(err, fs.ErrPermission):
		d.warn(what, "pull works, push does not: ask for the permission to write there", "%s; it cannot be written: %v", where, err)
	case errors.Is(err, errors.ErrUnsupported):
		d.problem(what, err, `name a manager, or let another authority keep the catalogue: manager: {class: AuthorityManager, kwargs: {authority: NAME}}`)
	case err != nil:
		d.problem(what, err, "")
	case !used:
		d.ok(what, "%s, which keeps two writers apart; it is empty yet", where)
	default:
		d.ok(what, "%s, which keeps two writers apart; table %q can be read", where, d.Table())
	}
}

// openAnyCatalog opens the catalogue at an authority, also at one where nothing
// is yet.
func (d *doctor) openAnyCatalog(ctx context.Context, site *openSite) (c *catalog.Catalog, used bool, err error) {
	_, err = site.Meet(ctx)
	if errors.Is(err, fs.ErrNotExist) {
		c, err = catalog.Open(site.authority, &catalog.Options{Table: d.Table(), Random: d.opts.Rand})
		return c, false, err
	}
	if err != nil {
		return nil, false, err
	}
	c, err = d.openCatalog(ctx, site)
	return c, true, err
}

// databaseManager looks at a table in a database. It only reads.
func (d *doctor) databaseManager(ctx context.Context, what string) {
	if _, err := d.expandManager(d.Manager()); err != nil {
		d.problem(what, err, setVariable)
		return
	}
	db, err := d.database(ctx)
	if err != nil {
		d.problem(what, err, "")
		return
	}
	where := fmt.Sprintf("%s, table %q", db, d.Table())
	if d.opts.Offline {
		d.skipped(what, where+"; ")
		return
	}
	start := d.opts.Now()
	if err := d.readTable(ctx, db); err != nil {
		hint := ""
		switch {
		case errors.Is(err, fs.ErrNotExist):
			hint = `an administrator makes the table, once: "datafs admin create-table"; or the name in the configuration is wrong`
		case errors.Is(err, fs.ErrPermission):
			hint = "ask the table's administrator for what docs/managers.md lists, or see whether the credentials are right"
		}
		d.problem(what, fmt.Errorf("%s: %w", where, err), hint)
		return
	}
	d.ok(what, "%s: what is required, the archives and the log can be read, in %s", where, tookText(d.opts.Now().Sub(start)))
}

// readTable reads a little of each part of a table.
func (d *doctor) readTable(ctx context.Context, db config.Database) error {
	m, err := db.Manager(d.Table(), d.index)
	if err != nil {
		return err
	}
	team := refs.New(m, nil)
	if _, err := team.Spec(ctx); err != nil {
		return err
	}
	nobody, err := d.probeName()
	if err != nil {
		return err
	}
	if _, err := team.Archive(ctx, nobody); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, err := range m.Changes(ctx, "") {
		return err // the first one is enough
	}
	return nil
}
