package datafs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/refs"
)

// With sync: auto in the profile, what is written is pushed at once, and before
// something is looked up the team is asked for news.

// newsAge is how old news may be before the team is asked again.
const newsAge = 5 * time.Second

// auto remembers when the team was asked.
type auto struct {
	mu sync.Mutex // guards at
	at time.Time
}

func (a *API) isAuto() bool { return a.where.Profile.Sync == "auto" && !a.opts.Offline && !a.alone() }

// alone says that there is no team.
func (a *API) alone() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.manager == nil && a.noAuthorities()
}

// askTeam merges the team's news where the profile wants that. A team that cannot
// be reached is no reason not to read what is here.
func (a *API) askTeam(ctx context.Context) error {
	if !a.isAuto() {
		return nil
	}
	a.auto.mu.Lock()
	defer a.auto.mu.Unlock()
	now := a.opts.Now()
	if age := now.Sub(a.auto.at); age >= 0 && age < newsAge {
		return nil
	}
	a.auto.at = now
	_, err := a.Pull(ctx, &PullOptions{RefsOnly: true})
	switch {
	case err == nil:
	case errors.Is(err, ErrUnavailable), errors.Is(err, ErrConflict):
		a.opts.Warn(fmt.Sprintf("the team's news: %v", err))
		err = nil
	}
	return err
}

// tellTeam pushes what was written to an archive, or with "" to any, where the
// profile wants that.
func (a *API) tellTeam(ctx context.Context, name string) error {
	if !a.isAuto() {
		return nil
	}
	opts := &PushOptions{}
	if name != "" {
		opts.Archives = []string{name}
	}
	if _, err := a.Push(ctx, opts); err != nil {
		return leaf.Mark(fmt.Errorf("it is done here, and not pushed: %w", err), ErrNotPushed)
	}
	return nil
}

// known opens what is known here of the team, nil if there is none or not enough is
// configured: push will tell.
func (a *API) known(ctx context.Context) (*members, error) {
	if a.alone() {
		return nil, nil
	}
	t, err := a.team(ctx, withoutNetwork)
	if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrInvalid) {
		return nil, nil
	}
	return t, err
}

// floor returns the highest number of an archive that the team has ever had, so that
// the number of a deleted version is not given again.
func (t *members) floor(tx *index.Tx, archive string) (*refs.Version, error) {
	if t == nil {
		return nil, nil
	}
	return t.Floor(tx, archive)
}
