package datafs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/objects"
	"github.com/datafs/datafs/refs/lockfile"
	"github.com/datafs/datafs/refs/solve"
	"github.com/datafs/datafs/remote/config"
)

// locked turns a lock into versions whose content is exactly what it says, by
// slot. Nothing but the lock is asked: the repository need not know the
// archives. bring compares the entries of directories with the lock's.
func (a *API) locked(l *lockfile.Lock) []Chosen {
	sites := &lockSites{a: a, down: map[string]error{}, relearned: map[string]bool{}}
	list := make([]Chosen, len(l.Archives))
	for i := range l.Archives {
		e := &l.Archives[i]
		list[i] = Chosen{
			Archive: &Archive{api: a, name: e.Archive, authority: e.Authority, versioned: e.Version != ""},
			Record:  e.Record(), Why: e.Why, lock: e, sites: sites,
		}
		list[i].store = a.store.From(&lockedSource{sites: sites, c: &list[i]})
	}
	return list
}

// warnLocked warns of what a lock names and was yanked, as far as that is known
// here.
func (a *API) warnLocked(ctx context.Context, list []Chosen) error {
	var pins []solve.Requirement
	for i := range list {
		pins = append(pins, solve.Requirement{Name: list[i].Archive.name, Version: &list[i].Record.Version})
	}
	u, err := solve.NewRecords(ctx, a.refs, pins, false)
	if err != nil {
		return err
	}
	for i := range list {
		c := &list[i]
		k, err := u.Lookup(ctx, c.Archive.name)
		if err != nil {
			return err
		}
		if k == nil || !slices.Contains(k.Versions, solve.Candidate{Version: c.Record.Version, Yanked: true}) {
			continue
		}
		rec, err := a.refs.Version(ctx, c.Archive.name, c.Record.Version)
		if err != nil {
			return err
		}
		if rec.Tree == c.Record.Tree {
			c.Archive.warnYanked(&rec)
		}
	}
	return nil
}

// lockedSource brings the content of a version in a lock from an authority
// that has it.
type lockedSource struct {
	sites *lockSites
	c     *Chosen
}

// Fetch implements objects.Source.
func (s *lockedSource) Fetch(ctx context.Context, ids []objects.ID) error {
	return s.sites.fetch(ctx, s.c, func(site *openSite) error { return site.Fetch(ctx, ids) })
}

// lockSites are the authorities of the profile, where the contents of a lock
// are looked for: first at the one that it names, then at the others.
type lockSites struct {
	a *API

	mu        sync.Mutex       // guards what follows
	down      map[string]error // authorities that could not be reached, which is tried once
	begun     bool
	relearned map[string]bool // authorities about which all that was known has been forgotten once
}

// order lists the authorities to ask.
func (s *lockSites) order(first string) []string {
	names := slices.DeleteFunc(s.a.Authorities(), func(name string) bool { return !s.a.hasService(name) })
	if i := slices.Index(names, first); i > 0 {
		names = slices.Insert(slices.Delete(names, i, i+1), 0, first)
	}
	return names
}

// hasService says whether the profile has an authority of that name that is
// not just the repository.
func (a *API) hasService(name string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.ContainsFunc(a.authorities, func(s config.NamedService) bool { return s.Name == name && !s.Service.IsZero() })
}

// fetch calls do with one authority after the other until one has what is
// wanted.
func (s *lockSites) fetch(ctx context.Context, c *Chosen, do func(*openSite) error) error {
	var errs []error
	names := s.order(c.Archive.authority)
	for _, name := range names {
		err := s.from(ctx, name, []*Chosen{c}, do)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return err
		}
		errs = append(errs, err)
	}
	return s.nowhere(c, names, errs)
}

// nowhere says that no authority has the content of a version.
func (s *lockSites) nowhere(c *Chosen, names []string, errs []error) error {
	if len(names) == 0 {
		return &HintError{
			Err:  leaf.Errorf(ErrUnavailable, "the contents of %s are not here, and the profile has no authority to ask", c),
			Hint: "name it in the configuration file, e.g. authorities: {" + c.Archive.authority + ": s3://bucket/prefix}",
		}
	}
	kind := error(fs.ErrNotExist)
	for _, err := range errs {
		if errors.Is(err, ErrUnavailable) {
			kind = ErrUnavailable
		} else if errors.Is(err, fs.ErrPermission) && kind != ErrUnavailable {
			kind = fs.ErrPermission
		}
	}
	return leaf.Errorf(kind, "the contents of %s are neither here nor to be had from %s: %v", c, strings.Join(names, ", "), errs[0])
}

// from calls do with one authority. It is told first where the trees lie, if it
// is the one that the lock names. When that proves wrong, all that is known of
// the authority is forgotten, and looked up there.
func (s *lockSites) from(ctx context.Context, name string, list []*Chosen, do func(*openSite) error) error {
	if err := s.isDown(name); err != nil {
		return err
	}
	if err := s.begin(ctx); err != nil {
		return err
	}
	site, err := s.a.site(ctx, name)
	hinted := false
	if err == nil {
		if hinted, err = s.know(ctx, site, name, list); err == nil {
			err = do(site)
		}
	}
	if hinted && errors.Is(err, ErrCorrupt) && s.first(name) {
		if site, err = s.relearn(ctx, name, site); err == nil {
			err = do(site)
		}
	}
	if errors.Is(err, ErrUnavailable) {
		s.mu.Lock()
		s.down[name] = err
		s.mu.Unlock()
	}
	return err
}

// begin prepares the repository for contents: it may never have had a record,
// and must not look as if it had lost them.
func (s *lockSites) begin(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.begun {
		return nil
	}
	err := s.a.bolt.Begin(ctx)
	s.begun = err == nil
	return err
}

func (s *lockSites) isDown(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.down[name]
}

// first says whether all may be forgotten about an authority, once.
func (s *lockSites) first(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	again := s.relearned[name]
	s.relearned[name] = true
	return !again
}

// know tells an authority where trees lie.
func (s *lockSites) know(ctx context.Context, site *openSite, name string, list []*Chosen) (hinted bool, err error) {
	places := map[objects.ID]string{}
	for _, c := range list {
		if c.Archive.authority == name && c.Record.Place != "" {
			places[c.Record.Tree] = c.Record.Place
		}
	}
	s.mu.Lock()
	wrong := s.relearned[name]
	s.mu.Unlock()
	if len(places) == 0 || wrong {
		return false, nil
	}
	return true, site.Know(ctx, places)
}

// relearn forgets what lies where at an authority, and opens it anew. The old
// one stays open for those that use it.
func (s *lockSites) relearn(ctx context.Context, name string, old *openSite) (*openSite, error) {
	if err := old.Forget(ctx); err != nil {
		return nil, err
	}
	sites := &s.a.sites
	sites.mu.Lock()
	if sites.open[name] == old {
		delete(sites.open, name)
		sites.open[name+"\x00"] = old // which no authority is called; it is closed with the others
	}
	sites.mu.Unlock()
	return s.a.site(ctx, name)
}

// bringLocked makes sure that contents in a lock are here, and that directories
// are as the lock says.
func (a *API) bringLocked(ctx context.Context, list []*Chosen) error {
	trees := make([]objects.ID, len(list))
	for i, c := range list {
		trees[i] = c.Record.Tree
	}
	absent, err := a.absent(ctx, trees)
	if err != nil {
		return err
	}
	missing := map[string][]*Chosen{} // by authority
	for i, c := range list {
		if absent[i] {
			missing[c.Archive.authority] = append(missing[c.Archive.authority], c)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(missing)) {
		if err := bringFrom(ctx, name, missing[name]); err != nil {
			return err
		}
	}
	for _, c := range list {
		if !c.lock.Dir {
			continue // it is compared as it is written, like each file
		}
		if err := c.checkTree(ctx); err != nil {
			return err
		}
	}
	return nil
}

// bringFrom fetches contents of one authority together; where no authority has
// them all, one by one.
func bringFrom(ctx context.Context, authority string, list []*Chosen) error {
	list = slices.SortedFunc(slices.Values(list), func(x, y *Chosen) int { return strings.Compare(x.Record.Place, y.Record.Place) })
	trees := make([]objects.ID, len(list))
	for i, c := range list {
		trees[i] = c.Record.Tree
	}
	s := list[0].sites
	for _, name := range s.order(authority) {
		err := s.from(ctx, name, list, func(site *openSite) error { return site.Pull(ctx, trees...) })
		if err == nil || ctx.Err() != nil {
			return err
		}
	}
	for _, c := range list {
		err := s.fetch(ctx, c, func(site *openSite) error { return site.Pull(ctx, c.Record.Tree) })
		if err != nil {
			return err
		}
	}
	return nil
}

// checkTree compares the entries of a directory with those in the lock. The
// lock has the tree's id, too; only a lock that was edited can differ.
func (c *Chosen) checkTree(ctx context.Context) error {
	t, err := c.content().Tree(ctx, c.Record.Tree)
	if err != nil {
		return fmt.Errorf("%s: %w", c, err)
	}
	if _, single := t.Single(); single {
		return c.differs("")
	}
	left := c.lock.Files
	for f, err := range lockfile.Entries(t.Entries(ctx)) {
		if err != nil {
			return fmt.Errorf("%s: %w", c, err)
		}
		if len(left) == 0 || left[0] != f {
			return c.differs(f.Path)
		}
		left = left[1:]
	}
	if len(left) > 0 {
		return c.differs(left[0].Path)
	}
	return nil
}

func (c *Chosen) differs(path string) error {
	if path != "" {
		path = " at " + path
	}
	return leaf.Errorf(ErrLockDiffers, "%s: its contents differ from the lock%s", c, path)
}
