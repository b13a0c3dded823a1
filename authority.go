package datafs

import (
	"io/fs"
	"slices"

	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/refs"
	"github.com/datafs/datafs/remote/config"
)

// Authorities returns the names of the attached authorities, in order.
func (a *API) Authorities() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.authorityNames()
}

func (a *API) authorityNames() []string {
	names := make([]string, len(a.authorities))
	for i, s := range a.authorities {
		names[i] = s.Name
	}
	return names
}

// remoteNames returns the names of the attached authorities but for the repository
// itself.
func (a *API) remoteNames() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	var names []string
	for _, s := range a.authorities {
		if !s.Service.IsZero() {
			names = append(names, s.Name)
		}
	}
	return names
}

// AttachAuthority adds an authority, or replaces the one of that name.
func (a *API) AttachAuthority(name string, s config.Service) error {
	if err := refs.CheckAuthorityName(name); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.authoritiesFixed {
		return leaf.Errorf(fs.ErrPermission, "Authorities locked")
	}
	if a.cache != nil && sameService(*a.cache, s) {
		return leaf.Errorf(fs.ErrInvalid, "the cache cannot be an authority too")
	}
	i := slices.IndexFunc(a.authorities, func(x config.NamedService) bool { return x.Name == name })
	if i < 0 {
		a.authorities = append(slices.Clone(a.authorities), config.NamedService{Name: name, Service: s})
		return nil
	}
	a.authorities = slices.Clone(a.authorities)
	a.authorities[i].Service = s
	return nil
}

// LockAuthorities makes AttachAuthority fail from now on.
func (a *API) LockAuthorities() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.authoritiesFixed = true
}

// AttachManager sets the manager's configuration. The repository stays the
// same: what is in it is what push and pull exchange with the manager.
func (a *API) AttachManager(m config.Manager) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.managerFixed {
		return leaf.Errorf(fs.ErrPermission, "Manager locked")
	}
	a.manager = &m
	return nil
}

// LockManager makes AttachManager fail from now on.
func (a *API) LockManager() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.managerFixed = true
}

// Manager returns the manager's configuration, nil for the embedded one.
func (a *API) Manager() *config.Manager {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.manager
}

// AttachCache sets the cache that a configuration written by WriteConfig names.
// What is cached lies in the repository itself.
func (a *API) AttachCache(s config.Service) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, x := range a.authorities {
		if sameService(x.Service, s) {
			return leaf.Errorf(fs.ErrInvalid, `authority "%s" cannot be the cache too`, x.Name)
		}
	}
	a.cache = &s
	return nil
}

func sameService(a, b config.Service) bool {
	if a.URL != "" || b.URL != "" {
		return a.URL == b.URL
	}
	return a.Service != "" && a.Service == b.Service && len(a.Args) > 0 && slices.EqualFunc(a.Args, b.Args, func(x, y any) bool { return x == y })
}

// DefaultAuthority returns the name of the authority that Create uses when none
// is named.
func (a *API) DefaultAuthority() (string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.oneAuthority()
}

func (a *API) oneAuthority() (string, error) {
	switch {
	case a.defaultAuthority != "":
		return a.defaultAuthority, nil
	case len(a.authorities) == 1:
		return a.authorities[0].Name, nil
	case len(a.authorities) == 0:
		return "", leaf.Errorf(fs.ErrNotExist, "No authorities found. See attach_authority.")
	}
	return "", leaf.Errorf(fs.ErrInvalid, "Authority ambiguous. Set authority or DefaultAuthorityName.")
}

// SetDefaultAuthority ends the ambiguity of several authorities. "" brings it
// back.
func (a *API) SetDefaultAuthority(name string) error {
	if err := a.knownAuthority(name); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.defaultAuthority = name
	return nil
}

// knownAuthority refuses a name that no attached authority has; "" is fine.
func (a *API) knownAuthority(name string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if name == "" || slices.Contains(a.authorityNames(), name) {
		return nil
	}
	return leaf.Errorf(fs.ErrNotExist, `Authority "%s" not found`, name)
}

// chooseAuthority returns the authority for a new archive or a listing: by the
// name's prefix, else by the option, else the default.
func (a *API) chooseAuthority(name, prefix, option string) (string, error) {
	if prefix != "" && option != "" && prefix != option {
		return "", leaf.Errorf(fs.ErrInvalid, `authority name "%s" not found in archive: "%s"`, option, name)
	}
	if prefix == "" {
		prefix = option
	}
	if prefix == "" {
		return a.DefaultAuthority()
	}
	return prefix, a.knownAuthority(prefix)
}
