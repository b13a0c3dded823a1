package datafs

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"sync"

	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/refs"
	"github.com/datafs/datafs/remote/config"
)

// sharesTables reports whether what is here of a table is only what is known of the
// team's, and made when it is missing.
func (a *API) sharesTables() bool {
	m := a.Manager()
	return m != nil && m.Class == config.AuthorityManager || a.kinds.HasDatabase(m)
}

// databases keeps the one that is open.
type databases struct {
	mu     sync.Mutex // guards what follows
	config *config.Manager
	open   config.Database
	place  string // which open is, as the index knows it
}

// database opens the profile's database, nil if it has none. The error wraps
// errors.ErrUnsupported if this program was built without its kind. Nothing is asked of
// it yet.
func (a *API) database(ctx context.Context) (config.Database, error) {
	m := a.Manager()
	if !m.InDatabase() {
		return nil, nil
	}
	a.dbs.mu.Lock()
	defer a.dbs.mu.Unlock()
	if a.dbs.open != nil && a.dbs.config == m {
		return a.dbs.open, nil
	}
	expanded, err := a.expandManager(m)
	if err != nil {
		return nil, err
	}
	db, err := a.kinds.OpenDatabase(ctx, expanded)
	if err != nil {
		return nil, a.secrets.error(err)
	}
	a.dbs.config, a.dbs.open, a.dbs.place = m, &concealingDatabase{db, &a.secrets}, db.String()
	return a.dbs.open, nil
}

// space is what the index calls what it knows of the database.
func (d *databases) space() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.place
}

func (a *API) closeDatabase() error {
	a.dbs.mu.Lock()
	defer a.dbs.mu.Unlock()
	if a.dbs.open == nil {
		return nil
	}
	err := a.dbs.open.Close()
	a.dbs.open = nil
	return err
}

// networkDatabase is database for what must ask it.
func (a *API) networkDatabase(ctx context.Context) (config.Database, error) {
	db, err := a.database(ctx)
	if err == nil && db != nil && a.opts.Offline {
		err = leaf.Errorf(ErrUnavailable, "this run is offline: %s is not asked", db)
	}
	return db, err
}

// teamDatabase opens the records of a team that a database keeps, and says what
// they are called in the index.
func (a *API) teamDatabase(ctx context.Context, how access) (refs.Manager, string, error) {
	db, err := a.database(ctx)
	if err != nil {
		return nil, "", err
	}
	space := a.dbs.space() + "/" + a.Table()
	if how == withoutNetwork {
		return nil, space, nil
	}
	if _, err := a.networkDatabase(ctx); err != nil {
		return nil, "", err
	}
	m, err := db.Manager(a.Table(), a.index)
	return m, space, err
}

// createTable makes a table in the team's database, if there is one, and here.
func (a *API) createTable(ctx context.Context, name string) error {
	db, err := a.networkDatabase(ctx)
	if err != nil {
		return err
	}
	if db == nil {
		return a.bolt.CreateTable(ctx, name)
	}
	if err := db.CreateTable(ctx, name); err != nil {
		return err
	}
	if err := a.bolt.CreateTable(ctx, name); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// deleteTable deletes a table in the team's database, if there is one, and here.
func (a *API) deleteTable(ctx context.Context, name string) error {
	db, err := a.networkDatabase(ctx)
	if err != nil {
		return err
	}
	if db == nil {
		return a.bolt.DeleteTable(ctx, name)
	}
	if err := db.DeleteTable(ctx, name); err != nil {
		return err
	}
	have, err := a.bolt.Tables(ctx)
	if err == nil && slices.Contains(have, name) {
		err = a.bolt.DeleteTable(ctx, name)
	}
	return err
}

// editSpec changes what is required: at the team's database at once, whose
// permissions protect it, else here, to be pushed.
func (a *API) editSpec(ctx context.Context, edit func(*Spec) error) error {
	db, err := a.networkDatabase(ctx)
	if err != nil {
		return err
	}
	if db == nil {
		return a.refs.EditSpec(ctx, edit)
	}
	m, err := db.Manager(a.Table(), a.index)
	if err != nil {
		return err
	}
	if err := refs.New(m, &refs.Options{Now: a.opts.Now}).EditSpec(ctx, edit); err != nil {
		return err
	}
	_, err = a.Pull(ctx, &PullOptions{RefsOnly: true})
	return err
}
