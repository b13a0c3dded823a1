package datafs

import (
	"context"
	"fmt"
	"regexp"

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
	have, err := m.api.refs.Spec(ctx)
	if err != nil {
		return err
	}
	m.rep.Required = seed.fill(&have)
	if !m.rep.Required || m.opts.DryRun {
		return nil
	}
	return m.api.refs.EditSpec(ctx, func(s *Spec) error {
		seed.fill(s)
		return nil
	})
}

// seedSpec is what the original's team required.
type seedSpec Spec

// fill sets what is not set, and says whether that was anything.
func (s seedSpec) fill(to *Spec) (filled bool) {
	if len(to.UserConfig) == 0 && len(s.UserConfig) > 0 {
		to.UserConfig, filled = s.UserConfig, true
	}
	if len(to.Metadata) == 0 && len(s.Metadata) > 0 {
		to.Metadata, filled = s.Metadata, true
	}
	if len(to.Patterns) == 0 && len(s.Patterns) > 0 {
		to.Patterns, filled = s.Patterns, true
	}
	return filled
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
