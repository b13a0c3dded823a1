package datafs

import (
	"context"
	"io/fs"
	"slices"
	"strings"

	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/objects"
	"github.com/datafs/datafs/refs"
	"github.com/datafs/datafs/refs/lockfile"
)

// ChooseOptions say which versions are wanted.
type ChooseOptions struct {
	Requirements string   // a file, or text with requirements; "": those of the API
	Archives     []string // requirements instead of those; one without a version takes the pin
	Deps         bool     // also what the chosen versions depend on
	Lock         string   // path of a lock whose versions are kept as long as they satisfy; "", or not there: none
	Upgrade      []string // archives whose version in the lock does not count
}

// Chosen is one version that was chosen.
type Chosen struct {
	Archive *Archive
	Record  refs.VersionRecord // without its history
	Why     []string           // for people: what asked for it

	store   *objects.Store    // where its content is read; nil: as Archive reads it
	reasons []refs.Reason     // as Why, by whoever chose it
	lock    *lockfile.Archive // the lock's entry, of what a lock was turned into
	sites   *lockSites        // where its content is looked for then
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
	w, err := a.wished(opts)
	if err != nil {
		return nil, err
	}
	if err := a.askTeam(ctx); err != nil {
		return nil, err
	}
	pins, err := a.lockPins(opts.Lock)
	if err != nil {
		return nil, err
	}
	upgrade, err := normalNames(opts.Upgrade)
	if err != nil {
		return nil, err
	}
	for _, name := range upgrade {
		delete(pins, name)
	}
	u, err := a.universe(ctx, w.list, opts.Deps)
	if err != nil {
		return nil, err
	}
	list, err := u.choose(ctx, w.list, pins)
	if err != nil {
		return nil, err
	}
	return a.withOwn(ctx, list, w.own)
}

// wish is what is asked for: requirements, and one's own versions whose
// numbers the team has given to others.
type wish struct {
	list []refs.Requirement
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
				Hint: "write the names, one a line, into " + requirementsName + ", or name a file with --requirements",
			}
		}
		return w, err
	}
	pins := map[string]refs.Requirement{}
	for _, r := range all {
		pins[r.Name] = r
	}
	seen := map[string]refs.Requirement{}
	for _, text := range opts.Archives {
		if err := w.add(text, pins, seen); err != nil {
			return w, err
		}
	}
	return w, nil
}

// add adds one requirement as it was given by name.
func (w *wish) add(text string, pins, seen map[string]refs.Requirement) error {
	plain, own := strings.CutSuffix(strings.TrimSpace(text), asideSuffix)
	r, err := refs.ParseRequirement(plain)
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
func (a *API) requirementsOr(fileOrText string) (list []refs.Requirement, there bool, err error) {
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
func withDefaults(list []refs.Requirement, set map[string]string) (out []refs.Requirement, there bool, err error) {
	names := map[string]bool{}
	for name := range set {
		names[name] = true
	}
	for _, r := range list {
		names[r.Name] = true
	}
	for name := range names {
		r := refs.Requirement{Name: name, Latest: set[name] == latest}
		if text := set[name]; text != "" && !r.Latest {
			v, err := refs.ParseVersion(text)
			if err != nil {
				return nil, false, err
			}
			r.Version = &v
		}
		out = append(out, r)
	}
	slices.SortFunc(out, func(x, y refs.Requirement) int { return strings.Compare(x.Name, y.Name) })
	return out, true, nil
}

// choose resolves requirements. What pins has is kept while it satisfies.
func (u *universe) choose(ctx context.Context, list []refs.Requirement, pins map[string]lockPin) ([]Chosen, error) {
	prefer := map[string]refs.Version{}
	for name, p := range pins {
		if p.versioned {
			prefer[name] = p.version
		}
	}
	choices, err := refs.Resolve(ctx, u, list, &refs.ResolveOptions{Deps: u.deps, Prefer: prefer})
	if err != nil {
		return nil, err
	}
	chosen, err := u.records(ctx, choices, pins)
	if err != nil {
		return nil, err
	}
	for i := range chosen {
		chosen[i].Archive.warnYanked(&chosen[i].Record)
	}
	return chosen, nil
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

// whyTexts are reasons as sentences. They name no lines, so that a lock does
// not change when a comment is added to the requirements.
func whyTexts(reasons []refs.Reason) []string {
	var list []string
	for _, r := range reasons {
		text := "required as " + r.Requirement.String()
		if r.From != "" {
			text = reasonFrom(r) + " depends on " + r.Requirement.String()
		}
		list = append(list, text)
	}
	return list
}

// reasonFrom is the version that has the dependency.
func reasonFrom(r refs.Reason) string {
	if r.FromVersion.IsZero() {
		return r.From
	}
	return r.From + " " + r.FromVersion.String()
}
