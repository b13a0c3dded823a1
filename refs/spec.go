package refs

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Spec is what a team requires of archives: keys that must have a value, with
// the text that asks for it, and expressions that every name must match.
type Spec struct {
	UserConfig map[string]string // key -> prompt; on create and on each new version
	Metadata   map[string]string // key -> prompt; on create
	Patterns   []string          // regular expressions (RE2), each found in the name; on create
}

// SpecKind names one of the lists of required keys.
type SpecKind string

// The lists of required keys, by the name of the record that keeps them.
const (
	RequiredUserConfig SpecKind = "required_user_config"
	RequiredMetadata   SpecKind = "required_archive_metadata"

	requiredPatterns = "required_archive_patterns"
)

// Prompt is a required key and the text that asks for its value.
type Prompt struct {
	Key, Text string
}

type promptsJSON struct {
	Config map[string]string `json:"config"`
	Format int               `json:"format"`
}

type patternsJSON struct {
	Config []string `json:"config"`
	Format int      `json:"format"`
}

// encode gives the three records of a spec, by key.
func (s Spec) encode() (map[string][]byte, error) {
	values := map[string][]byte{}
	var err error
	put := func(name string, v any) {
		var b []byte
		if b, err = encodeJSON(v); err == nil {
			values[SpecPrefix+name] = b
		}
	}
	put(string(RequiredUserConfig), promptsJSON{filled(s.UserConfig), recordFormat})
	if err == nil {
		put(string(RequiredMetadata), promptsJSON{filled(s.Metadata), recordFormat})
	}
	if err == nil {
		put(requiredPatterns, patternsJSON{append([]string{}, s.Patterns...), recordFormat})
	}
	return values, err
}

// loadSpec gives the spec and the records that it came from, by key.
func loadSpec(ctx context.Context, m Manager) (Spec, map[string]Record, error) {
	s := Spec{UserConfig: map[string]string{}, Metadata: map[string]string{}}
	records := map[string]Record{}
	for r, err := range m.List(ctx, SpecPrefix) {
		if err == nil {
			err = s.take(r)
		}
		if err != nil {
			return Spec{}, nil, fmt.Errorf("reading what is required: %w", err)
		}
		records[r.Key] = r
	}
	return s, records, nil
}

func (s *Spec) take(r Record) error {
	var prompts promptsJSON
	var patterns patternsJSON
	switch strings.TrimPrefix(r.Key, SpecPrefix) {
	case string(RequiredUserConfig):
		err := decodeJSON(r, &prompts, &prompts.Format)
		s.UserConfig = filled(prompts.Config)
		return err
	case string(RequiredMetadata):
		err := decodeJSON(r, &prompts, &prompts.Format)
		s.Metadata = filled(prompts.Config)
		return err
	case requiredPatterns:
		err := decodeJSON(r, &patterns, &patterns.Format)
		s.Patterns = patterns.Config
		return err
	}
	return nil
}

// Spec gives what is required; nothing is where nobody has set anything.
func (d *DB) Spec(ctx context.Context) (Spec, error) {
	s, _, err := loadSpec(ctx, d.m)
	return s, err
}

// SetSpec replaces all that is required.
func (d *DB) SetSpec(ctx context.Context, s Spec) error {
	return d.EditSpec(ctx, func(old *Spec) error {
		*old = s
		return nil
	})
}

// EditSpec changes what is required. edit may be called several times, each time
// with what is required now, when others change it too; its error is passed on.
func (d *DB) EditSpec(ctx context.Context, edit func(*Spec) error) error {
	return d.change(ctx, func(m Manager) error {
		s, records, err := loadSpec(ctx, m)
		if err != nil {
			return err
		}
		if err := edit(&s); err != nil {
			return err
		}
		if err := s.check(); err != nil {
			return err
		}
		return s.store(ctx, m, records)
	})
}

// store writes what differs from the records.
func (s Spec) store(ctx context.Context, m Manager, records map[string]Record) error {
	values, err := s.encode()
	if err != nil {
		return err
	}
	for _, key := range slices.Sorted(maps.Keys(values)) {
		if r := records[key]; string(r.Value) != string(values[key]) {
			if _, err := m.Put(ctx, key, values[key], r.Rev); err != nil {
				return fmt.Errorf("writing what is required: %w", err)
			}
		}
	}
	return nil
}

func (s Spec) check() error {
	if err := checkMap("prompt", s.UserConfig); err != nil {
		return err
	}
	if err := checkMap("prompt", s.Metadata); err != nil {
		return err
	}
	for _, p := range s.Patterns {
		if _, err := regexp.Compile(p); err != nil {
			return invalid("archive pattern '%s' is not a regular expression: %v", Printable(p), err)
		}
	}
	return nil
}

// checkArchive enforces the spec on a new archive.
func (s Spec) checkArchive(a Archive) error {
	if err := firstMissing(s.Metadata, a.Metadata); err != nil {
		return err
	}
	if err := firstMissing(s.UserConfig, a.UserConfig); err != nil {
		return err
	}
	for _, p := range s.Patterns {
		re, err := regexp.Compile(p)
		if err != nil {
			return invalid("archive pattern '%s' is not a regular expression: %v", Printable(p), err)
		}
		if !re.MatchString(a.Name) {
			return invalid("archive name does not match pattern '%s'", p)
		}
	}
	return nil
}

func firstMissing(required, given map[string]string) error {
	for _, p := range missing(required, given) {
		return invalid(`Required value "%s" not found. Use helper=True or the --helper flag for assistance.`, p.Key)
	}
	return nil
}

func missing(required, given map[string]string) []Prompt {
	var list []Prompt
	for _, key := range slices.Sorted(maps.Keys(required)) {
		if _, ok := given[key]; !ok {
			list = append(list, Prompt{key, required[key]})
		}
	}
	return list
}

// Missing gives the required keys of a kind that given has no value for, by key.
func (d *DB) Missing(ctx context.Context, kind SpecKind, given map[string]string) ([]Prompt, error) {
	s, err := d.Spec(ctx)
	if err != nil {
		return nil, err
	}
	switch kind {
	case RequiredUserConfig:
		return missing(s.UserConfig, given), nil
	case RequiredMetadata:
		return missing(s.Metadata, given), nil
	}
	return nil, invalid("unknown kind of required values %q", string(kind))
}

// CheckArchive refuses versions that could not be added now and, with create, an
// archive that could not be created.
func (s Spec) CheckArchive(a Archive, create bool, versions []VersionRecord) error {
	if create {
		if err := s.checkArchive(a); err != nil {
			return err
		}
	}
	for _, v := range versions {
		if len(v.Updates) == 0 {
			continue
		}
		if err := firstMissing(s.UserConfig, v.Updates[0].UserConfig); err != nil {
			return err
		}
	}
	return nil
}

// CheckUserConfig refuses a user config that lacks what is required.
func (d *DB) CheckUserConfig(ctx context.Context, given map[string]string) error {
	s, err := d.Spec(ctx)
	if err != nil {
		return err
	}
	return firstMissing(s.UserConfig, given)
}
