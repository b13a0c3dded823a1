package datafs

import (
	"context"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/objects"
	"github.com/datafs/datafs/refs"
	"github.com/datafs/datafs/refs/lockfile"
	"github.com/datafs/datafs/refs/solve"
	"github.com/datafs/datafs/remote/config"
)

// ChooseOptions say which versions are wanted.
type ChooseOptions struct {
	Requirements string   // a file, or text with requirements; "": those of the API
	Archives     []string // requirements instead of those; one without a version takes the pin
	Deps         bool     // also what the chosen versions depend on
	Lock         string   // path of a lock whose versions are kept as long as they satisfy; "", or not there: none
}

// Chosen is one version that was chosen.
type Chosen struct {
	Archive *Archive
	Record  refs.VersionRecord // without its history
	Why     []string           // for people: what asked for it

	store *objects.Store    // where its content is read; nil: as Archive reads it
	lock  *lockfile.Archive // the lock's entry, of what a lock was turned into
	sites *lockSites        // where its content is looked for then
}

// content is the store to read the version's content from.
func (c *Chosen) content() *objects.Store {
	if c.store != nil {
		return c.store
	}
	return c.Archive.content(&c.Record)
}

// String is the archive's name and, of a versioned archive, the number.
func (c *Chosen) String() string { return versionName(c.Archive, &c.Record) }

func versionName(h *Archive, rec *refs.VersionRecord) string {
	if !h.versioned {
		return h.name
	}
	return h.name + " " + rec.Label()
}

// Choose resolves requirements to versions, by name of the archive. Nothing is
// fetched. Where there is no choice that satisfies all of them the error wraps
// ErrConflict.
func (a *API) Choose(ctx context.Context, opts *ChooseOptions) ([]Chosen, error) {
	if opts == nil {
		opts = &ChooseOptions{}
	}
	list, own, err := a.choose(ctx, opts)
	if err != nil {
		return nil, err
	}
	return a.withOwn(ctx, a.chosen(list), own)
}

// choose is Choose, but for own versions whose numbers others have.
func (a *API) choose(ctx context.Context, opts *ChooseOptions) (list []solve.Chosen, own map[string]string, err error) {
	w, err := a.wished(opts)
	if err != nil {
		return nil, nil, err
	}
	if err := a.askTeam(ctx); err != nil {
		return nil, nil, err
	}
	pins, err := a.lockPins(opts.Lock)
	if err != nil {
		return nil, nil, err
	}
	list, err = a.solve(ctx, w.list, pins, opts.Deps)
	return list, w.own, err
}

// solve resolves requirements in one snapshot of the records.
func (a *API) solve(ctx context.Context, list []solve.Requirement, pins map[string]solve.Pin, deps bool) (chosen []solve.Chosen, err error) {
	err = a.refs.Read(ctx, func(db *refs.DB) error {
		u, err := a.records(ctx, db, list, deps)
		if err == nil {
			chosen, err = u.Choose(ctx, list, pins)
		}
		return err
	})
	return chosen, err
}

// records prepares to resolve requirements, and checks that the authorities that they
// name are those of their archives.
func (a *API) records(ctx context.Context, db *refs.DB, list []solve.Requirement, deps bool) (*solve.Records, error) {
	u, err := solve.NewRecords(ctx, db, list, deps)
	for i := 0; i < len(list) && err == nil; i++ {
		if r := list[i]; r.Authority != "" {
			if err = a.knownAuthority(r.Authority); err == nil {
				err = u.CheckAuthority(ctx, r)
			}
		}
	}
	return u, err
}

// chosen makes handles of what was chosen, and warns of what was yanked.
func (a *API) chosen(lists ...[]solve.Chosen) (out []Chosen) {
	for _, c := range slices.Concat(lists...) {
		h := a.handle(c.Archive)
		h.warnYanked(&c.Record)
		out = append(out, Chosen{Archive: h, Record: c.Record, Why: solve.Texts(c.Reasons)})
	}
	return out
}

// wish is what is asked for: requirements, and one's own versions whose
// numbers the team has given to others.
type wish struct {
	list []solve.Requirement
	own  map[string]string // version with its suffix, by name
}

// wished reads what the options name, else the requirements.
func (a *API) wished(opts *ChooseOptions) (w wish, err error) {
	all, there, err := a.requirementsOr(opts.Requirements)
	if err != nil {
		return w, err
	}
	if len(opts.Archives) == 0 {
		if w.list = all; !there {
			err = &HintError{
				Err:  leaf.Errorf(fs.ErrInvalid, "no archive is named, and there are no requirements"),
				Hint: "write the names, one a line, into " + config.RequirementsName + ", or name a file with --requirements",
			}
		}
		return w, err
	}
	pins := map[string]solve.Requirement{}
	for _, r := range all {
		pins[r.Name] = r
	}
	seen := map[string]solve.Requirement{}
	for _, text := range opts.Archives {
		if err := w.add(text, pins, seen); err != nil {
			return w, err
		}
	}
	return w, nil
}

// add adds one requirement as it was given by name.
func (w *wish) add(text string, pins, seen map[string]solve.Requirement) error {
	plain, own := strings.CutSuffix(strings.TrimSpace(text), asideSuffix)
	r, err := solve.ParseRequirement(plain)
	if err != nil {
		return err
	}
	if own && r.Version == nil {
		return leaf.Errorf(fs.ErrInvalid, `"%s" names no version of one's own`, text)
	}
	first, again := seen[r.Name]
	if again && (first.String() != r.String() || own != (w.own[r.Name] != "")) {
		return leaf.Errorf(fs.ErrInvalid, `"%s" is named twice, as "%s" and "%s"`, r.Name, first, r)
	}
	if again {
		return nil
	}
	if seen[r.Name] = r; own {
		if w.own == nil {
			w.own = map[string]string{}
		}
		w.own[r.Name] = r.Version.String() + asideSuffix
		return nil
	}
	if pin, ok := pins[r.Name]; ok && r.Bare() {
		if r.Authority != "" {
			pin.Authority = r.Authority
		}
		r = pin
	}
	w.list = append(w.list, r)
	return nil
}

// requirementsOr reads a file or a text of requirements; "" is those of the
// API. there is false when it has none, not even an empty file.
func (a *API) requirementsOr(fileOrText string) (list []solve.Requirement, there bool, err error) {
	if fileOrText != "" {
		list, err = a.readRequirements(fileOrText)
		return list, true, err
	}
	if list, err = a.Requirements(); err != nil {
		return nil, false, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.defaults == nil {
		return list, a.where.Requirements != "", nil
	}
	return withDefaults(list, a.defaults)
}

// withDefaults replaces the versions in requirements by what SetDefaultVersions
// set, which may name further archives.
func withDefaults(list []solve.Requirement, set map[string]string) (out []solve.Requirement, there bool, err error) {
	names := map[string]bool{}
	for name := range set {
		names[name] = true
	}
	for _, r := range list {
		names[r.Name] = true
	}
	for name := range names {
		r := solve.Requirement{Name: name, Latest: set[name] == latest}
		if text := set[name]; text != "" && !r.Latest {
			v, err := refs.ParseVersion(text)
			if err != nil {
				return nil, false, err
			}
			r.Version = &v
		}
		out = append(out, r)
	}
	slices.SortFunc(out, func(x, y solve.Requirement) int { return strings.Compare(x.Name, y.Name) })
	return out, true, nil
}

// withOwn adds one's own versions whose numbers others have.
func (a *API) withOwn(ctx context.Context, list []Chosen, own map[string]string) ([]Chosen, error) {
	for name, version := range own {
		h, err := a.Archive(ctx, name, nil)
		if err != nil {
			return nil, err
		}
		rec, err := h.exactly(ctx, version)
		if err != nil {
			return nil, err
		}
		list = slices.DeleteFunc(list, func(c Chosen) bool { return c.Archive.name == name })
		list = append(list, Chosen{Archive: h, Record: *rec, Why: []string{"required as " + name + "==" + version}})
	}
	slices.SortFunc(list, func(x, y Chosen) int { return strings.Compare(x.Archive.name, y.Archive.name) })
	return list, nil
}

// OutdatedOptions say which versions to compare with what there is.
type OutdatedOptions struct {
	Requirements string // a file, or text with requirements; "": those of the API
}

// Outdated compares what is chosen with what could be: the lock beside the
// requirements, if there is one, and the requirements. By name.
func (a *API) Outdated(ctx context.Context, opts *OutdatedOptions) ([]solve.Outdated, error) {
	if opts == nil {
		opts = &OutdatedOptions{}
	}
	lock, err := a.lockOrNone(a.LockFile(opts.Requirements))
	if err != nil {
		return nil, err
	}
	w, err := a.wished(&ChooseOptions{Requirements: opts.Requirements})
	if err != nil {
		return nil, err
	}
	if err := a.askTeam(ctx); err != nil {
		return nil, err
	}
	var list []solve.Outdated
	var now, wanted []solve.Chosen
	err = a.refs.Read(ctx, func(db *refs.DB) error {
		u, err := a.records(ctx, db, w.list, lock.Deps)
		if err != nil {
			return err
		}
		if now, err = u.Choose(ctx, w.list, lock.Pins()); err != nil {
			return err
		}
		wanted = now
		if len(lock.Archives) > 0 {
			if wanted, err = u.Newest(ctx, w.list, lock.Pins()); err != nil {
				return fmt.Errorf("without the lock: %w", err)
			}
		}
		list, err = u.Outdated(ctx, now, wanted)
		return err
	})
	a.chosen(now, wanted) // warns
	return list, err
}
