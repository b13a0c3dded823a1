package remote

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"strings"
	"sync"

	"github.com/datafs/datafs/index/leaf"
)

// Mem is an Exclusive authority in memory, for tests and for a repository that
// is gone with its process. The zero value is empty and ready.
type Mem struct {
	mu    sync.RWMutex
	files map[string][]byte // mu guards the map; the contents are never changed
}

var _ Exclusive = (*Mem)(nil)

// Get is that of Authority.
func (m *Mem) Get(ctx context.Context, name string, off, n int64) (io.ReadCloser, error) {
	if err := CheckGet(ctx, name, off); err != nil {
		return nil, fmt.Errorf("get %.80s: %s: %w", name, m, err)
	}
	m.mu.RLock()
	b, ok := m.files[name]
	m.mu.RUnlock()
	if !ok {
		return nil, fmt.Errorf("get %s: %s: %w", name, m, fs.ErrNotExist)
	}
	b = b[min(off, int64(len(b))):]
	wrap := func(err error) error { return fmt.Errorf("get %s: %s: %w", name, m, err) }
	return NewBody(ctx, io.NopCloser(bytes.NewReader(b)), n, wrap), nil
}

// Put is that of Authority.
func (m *Mem) Put(ctx context.Context, name string, r io.ReadSeeker) error {
	if err := m.put(ctx, name, r, false); err != nil {
		return fmt.Errorf("put %.80s: %s: %w", name, m, err)
	}
	return nil
}

// PutNew is that of Exclusive.
func (m *Mem) PutNew(ctx context.Context, name string, r io.ReadSeeker) error {
	if err := m.put(ctx, name, r, true); err != nil {
		return fmt.Errorf("put %.80s: %s: %w", name, m, err)
	}
	return nil
}

func (m *Mem) put(ctx context.Context, name string, r io.Reader, exclusive bool) error {
	if err := CheckName(name); err != nil {
		return err
	}
	b, err := io.ReadAll(leaf.ContextReader(ctx, r))
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.files[name]; ok && exclusive {
		return fs.ErrExist
	}
	if m.files == nil {
		m.files = map[string][]byte{}
	}
	m.files[name] = b
	return nil
}

// List is that of Authority.
func (m *Mem) List(ctx context.Context, prefix string) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		if err := CheckList(ctx, prefix); err != nil {
			yield(Info{}, fmt.Errorf("list %.80s: %s: %w", prefix, m, err))
			return
		}
		for _, info := range m.infos(prefix) {
			if !yield(info, nil) {
				return
			}
		}
	}
}

func (m *Mem) infos(prefix string) []Info {
	m.mu.RLock()
	defer m.mu.RUnlock()
	var infos []Info
	for name, b := range m.files {
		if strings.HasPrefix(name, prefix) {
			infos = append(infos, Info{Name: name, Size: int64(len(b))})
		}
	}
	return infos
}

// Delete is that of Authority.
func (m *Mem) Delete(ctx context.Context, name string) error {
	if err := CheckGet(ctx, name, 0); err != nil {
		return fmt.Errorf("delete %.80s: %s: %w", name, m, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.files, name)
	return nil
}

// Close keeps the files: they are there as long as m is.
func (m *Mem) Close() error { return nil }

// String is a short name for messages.
func (m *Mem) String() string { return "memory" }
