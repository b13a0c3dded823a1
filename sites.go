package datafs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"

	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/objects"
	"github.com/datafs/datafs/refs"
	"github.com/datafs/datafs/remote"
	"github.com/datafs/datafs/remote/config"
	"github.com/datafs/datafs/remote/transfer"
)

// ErrUnavailable is wrapped when the network, the manager or an authority
// cannot be reached, or must not be (Options.Offline).
var ErrUnavailable = remote.ErrUnavailable

// sites are the authorities that have been opened.
type sites struct {
	mu    sync.Mutex // guards what follows
	open  map[string]*openSite
	limit *remote.Limiter // of all together
}

// limiter returns the one limit for all; the caller holds the lock.
func (s *sites) limiter(rate int64) *remote.Limiter {
	if s.limit == nil {
		s.limit = remote.NewLimiter(&remote.LimitOptions{BytesPerSecond: rate})
	}
	return s.limit
}

type openSite struct {
	*transfer.Site
	authority remote.Authority
	service   config.Service
	traffic   *remote.Observer
	readOnly  bool
}

// site opens an authority of the profile. Nothing is asked of it yet.
func (a *API) site(ctx context.Context, name string) (*openSite, error) {
	if a.opts.Offline {
		return nil, leaf.Errorf(ErrUnavailable, "this run is offline: authority %q is not asked", name)
	}
	a.mu.Lock()
	i := slices.IndexFunc(a.authorities, func(s config.NamedService) bool { return s.Name == name })
	var service config.Service
	if i >= 0 {
		service = a.authorities[i].Service
	}
	a.mu.Unlock()
	if i < 0 || service.IsZero() {
		return nil, &HintError{
			Err:  leaf.Errorf(fs.ErrNotExist, "the profile has no authority %q", name),
			Hint: "name it in the configuration file, e.g. authorities: {" + name + ": s3://bucket/prefix}",
		}
	}
	a.sites.mu.Lock()
	defer a.sites.mu.Unlock()
	if s := a.sites.open[name]; s != nil && sameService(s.service, service) {
		return s, nil
	}
	s, err := a.openSite(ctx, name, service)
	if err != nil {
		return nil, fmt.Errorf("authority %q: %w", name, err)
	}
	if a.sites.open == nil {
		a.sites.open = map[string]*openSite{}
	}
	a.sites.open[name] = s
	return s, nil
}

// expand returns the service as it is to be opened, with the values of variables.
func (a *API) expand(s config.Service) (config.Service, error) {
	if err := a.where.Allow(s); err != nil {
		return s, err
	}
	out, err := a.opts.places().Expand(s, a.secrets.add)
	return out, a.secrets.error(err)
}

// expandManager is expand for a manager.
func (a *API) expandManager(m *config.Manager) (config.Manager, error) {
	if err := a.where.AllowManager(m); err != nil {
		return *m, err
	}
	out, err := a.opts.places().ExpandManager(*m, a.secrets.add)
	return out, a.secrets.error(err)
}

func (a *API) openSite(ctx context.Context, name string, service config.Service) (*openSite, error) {
	expanded, err := a.expand(service)
	if err != nil {
		return nil, err
	}
	auth, err := a.kinds.OpenAuthority(ctx, expanded, a.opts.Getenv)
	if err != nil {
		return nil, a.secrets.error(err)
	}
	_, readOnly := auth.(interface{ ReadOnly() })
	traffic := &remote.Observer{}
	if a.opts.Progress != nil {
		traffic.Moved = func(up, down int64) { a.opts.Progress(Progress{Label: name, Bytes: up + down}) }
	}
	location := auth.String() // only the index is told
	auth = traffic.Wrap(a.secrets.authority(auth))
	if a.opts.LimitRate > 0 {
		auth = a.sites.limiter(a.opts.LimitRate).Wrap(auth)
	}
	auth = remote.Retry(auth, &remote.RetryOptions{Budget: a.opts.RetryTime, Waiting: a.opts.Retrying})
	site := transfer.NewSite(&transfer.SiteOptions{
		Authority: auth, Name: name, Location: location, Store: a.store, Rand: a.opts.Rand,
	})
	return &openSite{Site: site, authority: auth, service: service, traffic: traffic, readOnly: readOnly}, nil
}

// closeSites closes all that were opened.
func (a *API) closeSites() error {
	a.sites.mu.Lock()
	defer a.sites.mu.Unlock()
	var err error
	for _, s := range a.sites.open {
		err = errors.Join(err, s.authority.Close())
	}
	a.sites.open = nil
	return err
}

// source brings the content of a version from its authority when it is wanted
// and not here.
type source struct {
	h   *Archive
	rec *refs.VersionRecord

	mu    sync.Mutex // guards known
	known bool       // the site has been told where the tree begins
}

// Fetch implements objects.Source.
func (s *source) Fetch(ctx context.Context, ids []objects.ID) error {
	site, err := s.site(ctx)
	if err == nil {
		err = site.Fetch(ctx, ids)
	}
	if err != nil {
		return fmt.Errorf("content that is not here: %w", err)
	}
	return nil
}

func (s *source) site(ctx context.Context) (*openSite, error) {
	site, err := s.h.api.site(ctx, s.h.authority)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known {
		return site, nil
	}
	err = site.Know(ctx, map[objects.ID]string{s.rec.Tree: s.rec.Place})
	s.known = err == nil
	return site, err
}

// content returns the store as it is seen by readers of a version: what has
// been pushed may have to be fetched.
func (h *Archive) content(rec *refs.VersionRecord) *objects.Store {
	s := h.api.store.Named(h.name + "==" + rec.Label())
	if rec.Place == "" {
		return s
	}
	return s.From(&source{h: h, rec: rec})
}
