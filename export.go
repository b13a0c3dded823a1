package datafs

// settings returns the profile as the API is now, under a name.
func (a *API) settings(name string) Profile {
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
	return WriteProfile(file, a.settings(profile))
}

// MarshalConfig adds the API's settings as a profile to the text of a
// configuration file. What the text has already wins.
func (a *API) MarshalConfig(existing []byte, profile string) ([]byte, error) {
	return MarshalProfile(existing, a.settings(profile))
}
