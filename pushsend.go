package datafs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/datafs/datafs/objects"
	"github.com/datafs/datafs/refs"
	"github.com/datafs/datafs/remote/transfer"
)

// send pushes the trees of versions to one authority.
func (p *pushing) send(ctx context.Context, authority string, versions []refs.VersionRecord) error {
	site, err := p.api.site(ctx, authority)
	if err != nil {
		return err
	}
	return p.sendTo(ctx, site, versions)
}

// sendTo pushes versions to a site. Those that were deleted since they were listed
// are left out: gc may have taken their content. To find those whose content is
// damaged, it halves the list until they are alone.
func (p *pushing) sendTo(ctx context.Context, site *openSite, versions []refs.VersionRecord) error {
	err := p.sendAll(ctx, site, versions)
	if !errors.Is(err, transfer.ErrDamageHere) {
		return err
	}
	left, gone := p.still(ctx, versions)
	switch {
	case gone != nil:
		return gone
	case len(left) == 0:
		return nil
	case len(left) < len(versions):
		return p.sendTo(ctx, site, left)
	case len(left) == 1:
		if v := left[0]; p.hurt[v.Archive] == nil {
			p.hurt[v.Archive] = fmt.Errorf("push %s version %s: its content here is damaged: %w", v.Archive, v.Label(), err)
		}
		return nil
	}
	half := len(left) / 2
	if err := p.sendTo(ctx, site, left[:half]); err != nil {
		return err
	}
	return p.sendTo(ctx, site, left[half:])
}

// still returns the versions that are there and have the same content.
func (p *pushing) still(ctx context.Context, versions []refs.VersionRecord) (left []refs.VersionRecord, err error) {
	for _, v := range versions {
		now, err := p.api.bolt.Get(ctx, v.Key())
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		rec, err := refs.DecodeVersion(now)
		if err != nil {
			return nil, err
		}
		if rec.Tree == v.Tree {
			left = append(left, v)
		}
	}
	return left, nil
}

// sendAll pushes versions together.
func (p *pushing) sendAll(ctx context.Context, site *openSite, versions []refs.VersionRecord) error {
	var trees []objects.ID
	var size int64
	seen := map[objects.ID]bool{}
	for _, v := range versions {
		if !seen[v.Tree] {
			seen[v.Tree] = true
			trees = append(trees, v.Tree)
			size += v.Size
		}
	}
	sent, err := site.Push(ctx, trees, &transfer.PushOptions{Dry: p.opts.DryRun, Warn: p.api.opts.Warn})
	if sent != nil && !errors.Is(err, transfer.ErrDamageHere) { // else some of them are pushed again
		p.rep.New += sent.New
		p.rep.Sent += sent.Sent
		p.rep.Packs += sent.Packs
		p.rep.Shared += max(size-sent.New, 0)
	}
	if err != nil || p.opts.DryRun {
		return err
	}
	for _, v := range versions {
		p.places[v.Key()] = sent.Roots[v.Tree]
	}
	return nil
}
