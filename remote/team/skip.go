package team

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/datafs/datafs/refs"
)

// maxSkipped is how many skipped archives a Pull names.
const maxSkipped = 100

// skips reports whether a record belongs to an archive whose name is not taken
// in, and notes the name. What an older program took in goes on.
func (p *pulling) skips(ctx context.Context, m *merging, r refs.Record) (bool, error) {
	name, why := refs.ForeignKey(r.Key)
	if why == nil {
		return false, nil
	}
	if _, normal, err := refs.ParseName(name); err == nil && normal == name {
		known, err := m.knows(ctx, refs.ArchiveKey(name))
		if err != nil {
			return false, err
		}
		if known {
			return false, checkTeamRecord(r)
		}
	}
	if !r.Deleted {
		p.skipped[name] = why
	}
	return true, nil
}

// knows reports whether a record is here, or was pulled before.
func (m *merging) knows(ctx context.Context, key string) (bool, error) {
	l, err := m.get(ctx, key)
	if err != nil || l.there {
		return l.there, err
	}
	b, err := m.base(key)
	return b.there, err
}

func (p *pulling) warnSkipped() {
	for i, name := range slices.Sorted(maps.Keys(p.skipped)) {
		if i == maxSkipped {
			p.s.warn(fmt.Sprintf("skipped %d archives more", len(p.skipped)-i))
			break
		}
		p.s.warn("skipped an archive of the team: " + p.skipped[name].Error())
	}
}
