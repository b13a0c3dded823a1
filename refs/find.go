package refs

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// The engines of Filter.
const (
	EnginePath  = "path"  // the whole name matches a shell pattern, in which '*' and '?' match '/' too
	EngineStr   = "str"   // the name contains a text
	EngineRegex = "regex" // a regular expression (RE2) is found in the name
)

// FilterOptions say what Filter looks for; the zero value is everything.
type FilterOptions struct {
	Prefix  string // of the name; leading slashes do not count
	Pattern string // "" is anything; leading slashes do not count
	Engine  string // how Pattern is meant; "" is EnginePath
}

// Filter lists the names that have a prefix and match a pattern, in byte order.
// Only names with the prefix are read. An authority in front of prefix or
// pattern is not understood, and matches nothing.
func (d *DB) Filter(ctx context.Context, opts FilterOptions) iter.Seq2[string, error] {
	match, err := matcher(opts.Engine, strings.TrimLeft(opts.Pattern, "/"))
	if err != nil {
		return func(yield func(string, error) bool) { yield("", err) }
	}
	return func(yield func(string, error) bool) {
		for name, err := range d.Names(ctx, strings.TrimLeft(opts.Prefix, "/")) {
			if err == nil && !match(name) {
				continue
			}
			if !yield(name, err) || err != nil {
				return
			}
		}
	}
}

// matcher gives the test of a pattern. The engine is checked without one, too.
func matcher(engine, pattern string) (func(string) bool, error) {
	var re *regexp.Regexp
	var err error
	switch engine {
	case EngineStr:
		return func(name string) bool { return strings.Contains(name, pattern) }, nil
	case EngineRegex:
		if re, err = regexp.Compile(pattern); err != nil {
			return nil, invalid(`"%s" not a valid regular expression: %v`, Printable(pattern), err)
		}
		return re.MatchString, nil
	case EnginePath, "":
		if pattern == "" {
			return func(string) bool { return true }, nil
		}
		if !strings.ContainsAny(pattern, "?[") {
			return starsOnly(pattern), nil
		}
		if re, err = compileGlob(pattern); err != nil {
			return nil, err
		}
		return re.MatchString, nil
	}
	return nil, invalid(`search engine "%s" not recognized. Choose "path", "str" or "regex"`, Printable(engine))
}

// Search lists the names of the archives that have all of the tags, and a
// prefix, in byte order. Case of tags does not matter; no tags is all archives.
func (d *DB) Search(ctx context.Context, prefix string, tags []string) iter.Seq2[string, error] {
	want := cleanTags(tags)
	prefix = strings.TrimLeft(prefix, "/")
	if len(want) == 0 {
		return d.Names(ctx, prefix)
	}
	return func(yield func(string, error) bool) {
		if list, ok := d.named(ctx, prefix, want); ok {
			list(yield)
			return
		}
		for a, err := range d.Archives(ctx, prefix) {
			if err == nil && !hasAll(a.Tags, want) {
				continue
			}
			if !yield(a.Name, err) || err != nil {
				return
			}
		}
	}
}

func hasAll(tags, want []string) bool {
	return !slices.ContainsFunc(want, func(tag string) bool { return !slices.Contains(tags, tag) })
}

// ListDir lists what lies directly below a location in the name space of an
// authority, or of all when authority is "": directories, archives, and for the
// full name of a versioned archive its version numbers, which come first,
// ascending; then names in byte order. "", "/" and "AUTH://" are the top. Only
// archives that have versions show. The error wraps fs.ErrNotExist when nothing
// lies there, fs.ErrInvalid when the location is no name, or names an unversioned
// archive, which is a file.
func (d *DB) ListDir(ctx context.Context, authority, location string) ([]string, error) {
	prefix, name, err := parseLocation(location)
	if err != nil {
		return nil, err
	}
	if prefix != "" && authority != "" && prefix != authority {
		return nil, notFound(`authority name "%s" not found in archive: "%s"`, authority, location)
	}
	l := lister{d: d, authority: authority, archives: map[string]bool{}}
	if l.authority == "" {
		l.authority = prefix
	}
	if err := l.versions(ctx, name); err != nil {
		return nil, err
	}
	if err := l.below(ctx, name); err != nil {
		return nil, err
	}
	if len(l.found) == 0 && name != "" {
		if l.file {
			return nil, invalid(`"%s" is not a directory`, location)
		}
		return nil, notFound(`"%s" not found`, Printable(location))
	}
	return l.found, nil
}

// lister collects the answer of ListDir.
type lister struct {
	d         *DB
	authority string
	archives  map[string]bool // by name: whether it lies in the authority
	found     []string
	file      bool // the location is an unversioned archive
}

// versions adds the version numbers of the archive name, if it is one.
func (l *lister) versions(ctx context.Context, name string) error {
	if name == "" {
		return nil
	}
	var numbers []Version
	for r, err := range l.d.m.List(ctx, VersionsPrefix(name)) {
		if err != nil {
			return err
		}
		p, err := parsePlace(r.Key)
		if err != nil {
			return err
		}
		if here, err := l.here(ctx, name); err != nil || !here {
			return err
		}
		if p.number > 0 {
			l.file = true
			return nil
		}
		numbers = append(numbers, p.version)
	}
	slices.SortFunc(numbers, Version.Compare)
	for _, v := range numbers {
		l.found = append(l.found, v.String())
	}
	return nil
}

// below adds the components that the names of archives with versions have
// directly below dir.
func (l *lister) below(ctx context.Context, dir string) error {
	prefix := dir
	if prefix != "" {
		prefix += "/"
	}
	names := map[string]bool{}
	var err error
	if list, ok := l.d.namedArchives(ctx, prefix, l.behind(prefix)); ok {
		err = l.amongNames(list, prefix, names)
	} else {
		err = l.amongVersions(ctx, prefix, names)
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		l.found = appendNew(l.found, name)
	}
	return err
}

// amongNames looks through the list of names.
func (l *lister) amongNames(list iter.Seq2[NamedArchive, error], prefix string, found map[string]bool) error {
	for a, err := range list {
		if err != nil {
			return err
		}
		if l.shows(a) {
			component, _, _ := strings.Cut(a.Name[len(prefix):], "/")
			found[component] = true
		}
	}
	return nil
}

func (l *lister) shows(a NamedArchive) bool {
	return a.Versions && (l.authority == "" || a.Authority == l.authority)
}

// behind skips what else lies below a directory that shows already.
func (l *lister) behind(prefix string) SkipNames {
	return func(a NamedArchive) string {
		component, _, ok := strings.Cut(a.Name[len(prefix):], "/")
		if !ok || !l.shows(a) {
			return ""
		}
		return prefix + component + "/\xff" // which no name has
	}
}

// amongVersions does without such a list: only the keys of versions are looked at.
func (l *lister) amongVersions(ctx context.Context, prefix string, found map[string]bool) error {
	for r, err := range l.d.m.List(ctx, VersionPrefix+prefix) {
		if err != nil {
			return err
		}
		name, _, _ := strings.Cut(strings.TrimPrefix(r.Key, VersionPrefix), `\`)
		component, _, _ := strings.Cut(name[len(prefix):], "/")
		if found[component] {
			continue
		}
		here, err := l.here(ctx, name)
		if err != nil {
			return err
		}
		if here {
			found[component] = true
		}
	}
	return nil
}

// here reports whether an archive lies in the authority.
func (l *lister) here(ctx context.Context, name string) (bool, error) {
	if l.authority == "" {
		return true, nil
	}
	here, known := l.archives[name]
	if !known {
		a, err := loadArchive(ctx, l.d.m, name)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return false, err
		}
		here = err == nil && a.Authority == l.authority
		l.archives[name] = here
	}
	return here, nil
}
