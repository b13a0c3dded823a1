package datafs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"strings"

	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/refs"
	"github.com/datafs/datafs/refs/solve"
	"github.com/datafs/datafs/remote/config"
)

const latest = "latest"

// checkVersion normalises a version number or "latest".
func checkVersion(s string) (string, error) {
	if s == latest {
		return s, nil
	}
	number, own := strings.CutSuffix(s, asideSuffix)
	v, err := refs.ParseVersion(number)
	if own {
		return v.String() + asideSuffix, err
	}
	return v.String(), err
}

// DefaultVersions returns the versions that reads use when they name none, by
// archive: what SetDefaultVersions set, else the pins of the requirements. A
// range pins the version in the lock beside the requirements, where that is in
// the range, else the highest one here.
func (a *API) DefaultVersions() (map[string]string, error) {
	a.mu.Lock()
	set := maps.Clone(a.defaults)
	a.mu.Unlock()
	if set != nil {
		return set, nil
	}
	list, err := a.pins()
	if err != nil {
		return nil, err
	}
	m := map[string]string{}
	for _, r := range list {
		v, err := a.pinOf(context.Background(), r)
		if err != nil {
			return nil, err
		}
		if v != "" {
			m[r.Name] = v
		}
	}
	return m, nil
}

// SetDefaultVersions replaces the pins. Names may be written in any form. nil
// goes back to the requirements.
func (a *API) SetDefaultVersions(versions map[string]string) error {
	var set map[string]string
	if versions != nil {
		set = map[string]string{}
	}
	for name, version := range versions {
		_, normal, err := refs.ParseName(name)
		if err != nil {
			return err
		}
		v, err := checkVersion(version)
		if err != nil {
			return err
		}
		set[normal] = v
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.defaults = set
	return nil
}

// readRequirements reads a file of requirements or, where there is none and the
// text holds a requirement such as "a==1.0", the text itself. "" is none.
func (a *API) readRequirements(fileOrText string) ([]solve.Requirement, error) {
	if fileOrText == "" {
		return nil, nil
	}
	data, err := a.requirementsText(config.JoinPath(a.opts.Dir, fileOrText))
	switch {
	case err == nil:
		return solve.ParseRequirements(data, fileOrText)
	case solve.LooksLikeRequirements(fileOrText):
		return solve.ParseRequirements(fileOrText, "")
	}
	return nil, fmt.Errorf("read requirements: %w", err)
}

// requirementsText reads a file of requirements, a pipe only once.
func (a *API) requirementsText(path string) (string, error) {
	if text, ok := a.piped.Load(path); ok {
		return text.(string), nil
	}
	f, err := leaf.OpenRegular(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	data, err := io.ReadAll(f)
	if err != nil {
		return "", err
	}
	if _, ok := leaf.Descriptor(path); ok {
		a.piped.Store(path, string(data))
	}
	return string(data), nil
}

// Requirements returns the requirements in use, in the order of their file.
func (a *API) Requirements() ([]solve.Requirement, error) { return a.pins() }

// DefaultVersion returns the version that reads use when they name none: the
// handle's own, else the pin, else "" for the latest.
func (h *Archive) DefaultVersion() (string, error) {
	if h.pin != "" {
		return h.pin, nil
	}
	h.api.mu.Lock()
	set := h.api.defaults
	h.api.mu.Unlock()
	if set != nil {
		return set[h.name], nil // it is replaced, never changed
	}
	list, err := h.api.pins()
	if err != nil {
		return "", err
	}
	for _, r := range list {
		if r.Name == h.name {
			return h.api.pinOf(context.Background(), r)
		}
	}
	return "", nil
}

// resolve finds the version to read, and warns of one that was yanked.
func (h *Archive) resolve(ctx context.Context, version string) (*refs.VersionRecord, error) {
	rec, err := h.find(ctx, version)
	if err == nil {
		h.warnYanked(rec)
	}
	return rec, err
}

// find is resolve for what only looks at the version.
func (h *Archive) find(ctx context.Context, version string) (*refs.VersionRecord, error) {
	if !h.versioned {
		if version != "" {
			return nil, leaf.Errorf(fs.ErrInvalid, "Cannot specify version on an unversioned archive.")
		}
		return h.latest(ctx)
	}
	if version != "" {
		return h.exactly(ctx, version)
	}
	pin, err := h.DefaultVersion()
	if err != nil {
		return nil, err
	}
	if pin == "" {
		return h.latest(ctx)
	}
	rec, err := h.exactly(ctx, pin)
	if errors.Is(err, fs.ErrNotExist) && pin != latest {
		return nil, leaf.Errorf(fs.ErrNotExist, `Archive "%s" version %s not found`, h.name, pin)
	}
	return rec, err
}

func (h *Archive) latest(ctx context.Context) (*refs.VersionRecord, error) {
	rec, err := h.api.refs.Latest(ctx, h.name)
	return &rec, err
}

func (h *Archive) exactly(ctx context.Context, version string) (*refs.VersionRecord, error) {
	if version == latest {
		return h.latest(ctx)
	}
	if own, ok := strings.CutSuffix(version, asideSuffix); ok {
		return h.aside(ctx, own)
	}
	v, err := refs.ParseVersion(version)
	if err != nil {
		return nil, err
	}
	rec, err := h.api.refs.Version(ctx, h.name, v)
	return &rec, err
}

// aside finds one's own version whose number the team has given to another.
func (h *Archive) aside(ctx context.Context, number string) (*refs.VersionRecord, error) {
	t, err := h.api.team(ctx, withoutNetwork)
	if err != nil {
		return nil, err
	}
	list, err := t.AsideVersions(ctx, h.name)
	if err != nil {
		return nil, err
	}
	for i := range list {
		if list[i].Label() == number {
			return &list[i], nil
		}
	}
	return nil, leaf.Errorf(fs.ErrNotExist, `Archive "%s" version %s%s not found`, h.name, number, asideSuffix)
}

// Version returns the record of a version: "" is the default one.
func (h *Archive) Version(ctx context.Context, version string) (refs.VersionRecord, error) {
	rec, err := h.resolve(ctx, version)
	if err != nil {
		return refs.VersionRecord{}, err
	}
	return *rec, nil
}

// Versions returns the version numbers in ascending order; none for an archive
// without contents, nor for one that is not versioned.
func (h *Archive) Versions(ctx context.Context) ([]string, error) {
	list, err := h.api.refs.Versions(ctx, h.name)
	if err != nil || !h.versioned {
		return nil, err
	}
	out := make([]string, len(list))
	for i, v := range list {
		out[i] = v.Version.String()
	}
	return out, nil
}

// LatestVersion returns the highest version number that is not yanked, "" for an
// archive without contents and for one that is not versioned. Where all are
// yanked the error wraps fs.ErrNotExist.
func (h *Archive) LatestVersion(ctx context.Context) (string, error) {
	rec, err := h.latestOrNil(ctx)
	if err != nil || rec == nil || !h.versioned {
		return "", err
	}
	return rec.Version.String(), nil
}

// latestOrNil is latest, but gives nil for an archive without contents.
func (h *Archive) latestOrNil(ctx context.Context) (*refs.VersionRecord, error) {
	rec, err := h.latest(ctx)
	if !errors.Is(err, fs.ErrNotExist) {
		return rec, err
	}
	if all, ok := errors.AsType[*refs.AllYankedError](err); ok {
		return nil, all
	}
	_, err = h.api.refs.Archive(ctx, h.name)
	return nil, err
}

// highestOrNil is the version that the next one comes after: yanked ones count.
// It is nil for an archive without contents.
func highestOrNil(ctx context.Context, db *refs.DB, name string) (*refs.VersionRecord, error) {
	rec, err := db.Highest(ctx, name)
	if !errors.Is(err, fs.ErrNotExist) {
		return &rec, err
	}
	_, err = db.Archive(ctx, name)
	return nil, err
}

// LatestHash returns the checksum of the version that LatestVersion gives, the
// zero Hash for an archive without contents.
func (h *Archive) LatestHash(ctx context.Context) (Hash, error) {
	rec, err := h.latestOrNil(ctx)
	if err != nil || rec == nil {
		return Hash{}, err
	}
	return Hash{"blake3", rec.Hash.String()}, nil
}

// VersionHash returns the checksum of a version.
func (h *Archive) VersionHash(ctx context.Context, version string) (Hash, error) {
	rec, err := h.resolve(ctx, version)
	if err != nil {
		return Hash{}, err
	}
	return Hash{"blake3", rec.Hash.String()}, nil
}

// VersionPath returns where listdir shows a version: the name and, for a
// versioned archive, the number.
func (h *Archive) VersionPath(ctx context.Context, version string) (string, error) {
	rec, err := h.resolve(ctx, version)
	if err != nil {
		return "", err
	}
	if !h.versioned {
		return h.name, nil
	}
	return h.name + "/" + rec.Version.String(), nil
}

// HistoryEntry is a record of an archive's history.
type HistoryEntry = refs.HistoryEntry

// History returns one entry for each version written and each change of its
// dependencies, oldest first.
func (h *Archive) History(ctx context.Context) ([]HistoryEntry, error) {
	return h.api.refs.History(ctx, h.name)
}
