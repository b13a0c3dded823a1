package datafs

import (
	"context"
	"io"
	"iter"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/refs"
	"github.com/datafs/datafs/remote"
	"github.com/datafs/datafs/remote/config"
)

// concealing is an authority, opened with values of variables, whose errors do
// not show them.
type concealing struct {
	inner remote.Authority
	s     *secrets
}

type concealingExclusive struct {
	*concealing
	exclusive remote.Exclusive
}

// authority makes the errors of an authority show no secret.
func (s *secrets) authority(inner remote.Authority) remote.Authority {
	a := &concealing{inner, s}
	if x, ok := inner.(remote.Exclusive); ok {
		return &concealingExclusive{a, x}
	}
	return a
}

func (a *concealing) Get(ctx context.Context, name string, off, n int64) (io.ReadCloser, error) {
	body, err := a.inner.Get(ctx, name, off, n)
	if err != nil {
		return nil, a.s.error(err)
	}
	return &concealingBody{body, a.s}, nil
}

type concealingBody struct {
	io.ReadCloser
	s *secrets
}

func (b *concealingBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		err = b.s.error(err)
	}
	return n, err
}

func (a *concealing) Put(ctx context.Context, name string, r io.ReadSeeker) error {
	return a.s.error(a.inner.Put(ctx, name, r))
}

func (a *concealingExclusive) PutNew(ctx context.Context, name string, r io.ReadSeeker) error {
	return a.s.error(a.exclusive.PutNew(ctx, name, r))
}

func (a *concealing) List(ctx context.Context, prefix string) iter.Seq2[remote.Info, error] {
	return concealedSeq(a.s, a.inner.List(ctx, prefix))
}

func (a *concealing) Delete(ctx context.Context, name string) error {
	return a.s.error(a.inner.Delete(ctx, name))
}

func (a *concealing) Close() error   { return a.s.error(a.inner.Close()) }
func (a *concealing) String() string { return a.s.text(a.inner.String()) }

func concealedSeq[T any](s *secrets, seq iter.Seq2[T, error]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for v, err := range seq {
			if !yield(v, s.error(err)) {
				return
			}
		}
	}
}

// concealingDatabase is a database whose errors show no secret.
type concealingDatabase struct {
	config.Database
	s *secrets
}

func (d *concealingDatabase) String() string { return d.s.text(d.Database.String()) }

func (d *concealingDatabase) Manager(table string, index *index.DB) (refs.Manager, error) {
	m, err := d.Database.Manager(table, index)
	if err != nil {
		return nil, d.s.error(err)
	}
	hiding := &concealingManager{m, d.s}
	if b, ok := m.(refs.Batcher); ok {
		return &concealingBatcher{hiding, b}, nil
	}
	return hiding, nil
}

func (d *concealingDatabase) CreateTable(ctx context.Context, name string) error {
	return d.s.error(d.Database.CreateTable(ctx, name))
}

func (d *concealingDatabase) DeleteTable(ctx context.Context, name string) error {
	return d.s.error(d.Database.DeleteTable(ctx, name))
}

func (d *concealingDatabase) Tables(ctx context.Context) ([]string, error) {
	list, err := d.Database.Tables(ctx)
	return list, d.s.error(err)
}

type concealingManager struct {
	refs.Manager
	s *secrets
}

func (m *concealingManager) Get(ctx context.Context, key string) (refs.Record, error) {
	r, err := m.Manager.Get(ctx, key)
	return r, m.s.error(err)
}

func (m *concealingManager) Put(ctx context.Context, key string, value []byte, prev refs.Rev) (refs.Rev, error) {
	rev, err := m.Manager.Put(ctx, key, value, prev)
	return rev, m.s.error(err)
}

func (m *concealingManager) Delete(ctx context.Context, key string, prev refs.Rev) error {
	return m.s.error(m.Manager.Delete(ctx, key, prev))
}

func (m *concealingManager) List(ctx context.Context, prefix string) iter.Seq2[refs.Record, error] {
	return concealedSeq(m.s, m.Manager.List(ctx, prefix))
}

func (m *concealingManager) Changes(ctx context.Context, since refs.Cursor) iter.Seq2[refs.Record, error] {
	return concealedSeq(m.s, m.Manager.Changes(ctx, since))
}

func (m *concealingManager) Close() error { return m.s.error(m.Manager.Close()) }

type concealingBatcher struct {
	*concealingManager
	batcher refs.Batcher
}

func (m *concealingBatcher) PutAll(ctx context.Context, changes []refs.Change) ([]error, error) {
	slots, err := m.batcher.PutAll(ctx, changes)
	for i := range slots {
		slots[i] = m.s.error(slots[i])
	}
	return slots, m.s.error(err)
}
