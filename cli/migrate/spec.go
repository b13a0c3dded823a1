package migrate

import (
	"context"
	"fmt"
	"regexp"

	"github.com/datafs/datafs"
	"github.com/datafs/datafs/refs"
)

// requiredPatterns is the original's document of patterns; those of the others
// are called as the lists are here.
const requiredPatterns = "required_archive_patterns"

// spec takes over what the team required, each kind of it where nothing is
// required here; only with all archives.
func (m *migration) spec(ctx context.Context) error {
	if len(m.wanted) > 0 {
		return nil
	}
	docs, err := m.opts.Seed.Spec(ctx)
	if err != nil {
		return err
	}
	seed := m.readSpec(docs)
	have, err := m.api.Spec(ctx)
	if err != nil {
		return err
	}
	seed = seed.lacking(have)
	m.rep.Required = len(seed.UserConfig)+len(seed.Metadata)+len(seed.Patterns) > 0
	if m.opts.DryRun {
		return nil
	}
	return seed.require(ctx, m.api)
}

// seedSpec is what the original's team required.
type seedSpec datafs.Spec

// lacking leaves out each kind of which something is required already.
func (s seedSpec) lacking(have datafs.Spec) seedSpec {
	if len(have.UserConfig) > 0 {
		s.UserConfig = nil
	}
	if len(have.Metadata) > 0 {
		s.Metadata = nil
	}
	if len(have.Patterns) > 0 {
		s.Patterns = nil
	}
	return s
}

// require requires it of all archives and users.
func (s seedSpec) require(ctx context.Context, api *datafs.API) error {
	if len(s.UserConfig) > 0 {
		if err := api.RequireUserConfig(ctx, pointers(s.UserConfig)); err != nil {
			return err
		}
	}
	if len(s.Metadata) > 0 {
		if err := api.RequireMetadata(ctx, pointers(s.Metadata)); err != nil {
			return err
		}
	}
	if len(s.Patterns) > 0 {
		return api.RequirePatterns(ctx, s.Patterns, nil)
	}
	return nil
}

func pointers(texts map[string]string) map[string]*string {
	m := map[string]*string{}
	for k, v := range texts {
		m[k] = &v
	}
	return m
}

func (m *migration) readSpec(docs map[string]any) seedSpec {
	r := &seedReader{}
	s := seedSpec{
		UserConfig: r.texts("", "required user config", docs[string(refs.RequiredUserConfig)]),
		Metadata:   r.texts("", "required metadata", docs[string(refs.RequiredMetadata)]),
	}
	v := docs[requiredPatterns]
	list, ok := seedList(v)
	if !ok && v != nil {
		r.broken("", "the required patterns are no list")
	}
	for _, p := range list {
		text, _ := seedText(p)
		if _, err := regexp.Compile(text); err != nil {
			r.broken("", fmt.Sprintf("the required pattern %.200q is not understood", text))
			continue
		}
		s.Patterns = append(s.Patterns, text)
	}
	for _, item := range r.odd {
		item.Archive = "requirements"
		m.tell(item)
	}
	return s
}
