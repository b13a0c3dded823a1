package objects

import (
	"context"
	"errors"
)

// Hurt calls each for every file of a tree of which a part is damaged or not here,
// with its path and why; the path is empty for a tree that is a single file, and
// where the list of files itself is damaged, which ends the list. With part, what is
// not here is at an authority, and hurts nothing.
func (s *Store) Hurt(ctx context.Context, tree ID, part bool, d *Damage, each func(path string, why error) error) error {
	h := &hurt{s: s.From(nil), part: part, d: d}
	t, err := h.s.Tree(ctx, tree)
	if err != nil {
		return h.tell("", err, each)
	}
	for e, err := range t.Entries(ctx) {
		if err != nil {
			return h.tell("", err, each)
		}
		if !e.Kind.IsFile() {
			continue
		}
		if err := h.tell(e.Path, h.file(ctx, &e), each); err != nil {
			return err
		}
	}
	return nil
}

// hurt is one Hurt under way.
type hurt struct {
	s    *Store
	part bool
	d    *Damage
}

func (h *hurt) tell(path string, why error, each func(string, error) error) error {
	absent := absentError{}
	switch {
	case why == nil, h.part && errors.As(why, &absent) && h.d.lost(absent.id) == nil:
		return nil
	case errors.Is(why, ErrCorrupt):
		return each(path, why)
	}
	return why
}

// file returns what is wrong with a file, nil if nothing is.
func (h *hurt) file(ctx context.Context, e *Entry) error {
	var some []ref
	for r, err := range h.s.refs(ctx, e, 0) {
		if err != nil {
			return err
		}
		if some = append(some, r.ref); len(some) < locateBatch {
			continue
		}
		if err := h.chunks(ctx, some); err != nil {
			return err
		}
		some = some[:0]
	}
	return h.chunks(ctx, some)
}

func (h *hurt) chunks(ctx context.Context, refs []ref) error {
	m := Marks{Damage: h.d}
	return m.leaves(ctx, h.s, refs, marking{look: true, part: h.part})
}
