package datafs

import (
	"fmt"
	"slices"

	"github.com/datafs/datafs/remote/config"
)

// settings returns the profile as the API is now, under a name.
func (a *API) settings(name string) config.Profile {
	a.mu.Lock()
	defer a.mu.Unlock()
	p := a.where.Profile
	p.Name = name
	p.Authorities, p.DefaultAuthority = nil, a.defaultAuthority
	for _, s := range a.authorities {
		if s.Service.Service != "" || s.Service.URL != "" {
			p.Authorities = append(p.Authorities, s)
		}
	}
	p.Manager, p.Cache = a.manager, a.cache
	return p
}

// WriteConfig writes the API's settings as a profile into a configuration file.
// What the file has already wins.
func (a *API) WriteConfig(file, profile string) error {
	return config.WriteProfile(file, a.settings(profile))
}

// MarshalConfig adds the API's settings as a profile to the text of a
// configuration file. What the text has already wins.
func (a *API) MarshalConfig(existing []byte, profile string) ([]byte, error) {
	return config.MarshalProfile(existing, a.settings(profile))
}

// SeedProfile returns another profile of the configuration in use, such as the
// one with which the original DataFS was used, with the values of variables in
// the arguments of its manager and its authorities.
func (a *API) SeedProfile(name string) (config.Profile, error) {
	p, err := a.where.Config.Profile(name)
	if err != nil {
		return p, err
	}
	p.Authorities = slices.Clone(p.Authorities)
	if a.where.Distrust != nil {
		p.Distrusted()
	}
	for i := range p.Authorities {
		if p.Authorities[i].Service, err = a.expand(p.Authorities[i].Service); err != nil {
			return p, fmt.Errorf("authority %q: %w", p.Authorities[i].Name, err)
		}
	}
	if p.Manager != nil {
		m, err := a.expandManager(p.Manager)
		if err != nil {
			return p, fmt.Errorf("manager: %w", err)
		}
		p.Manager = &m
	}
	return p, nil
}
