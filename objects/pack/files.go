package pack

import (
	"container/list"
	"errors"
	"os"
	"sync"

	"github.com/datafs/datafs/index"
)

const maxOpenPacks = 32

// Dir is the packs of a repository. It keeps some of them open for reading. Its
// methods may be called by several goroutines.
type Dir struct {
	root string // the repository's directory

	mu   sync.Mutex // guards what follows
	open map[index.ID]*list.Element
	lru  *list.List // of *File, the last used in front
}

// File is an open pack. It is closed when it left the cache and nobody
// reads it any more.
type File struct {
	id   index.ID
	f    *os.File
	uses int // by readers, and one by the cache
}

// ReadAt implements io.ReaderAt.
func (f *File) ReadAt(b []byte, off int64) (int, error) { return f.f.ReadAt(b, off) }

// NewDir returns the packs of the repository in a directory.
func NewDir(root string) *Dir {
	return &Dir{root: root, open: map[index.ID]*list.Element{}, lru: list.New()}
}

// Acquire opens a pack, until Release.
func (p *Dir) Acquire(id index.ID) (*File, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if el := p.open[id]; el != nil {
		p.lru.MoveToFront(el)
		pf := el.Value.(*File)
		pf.uses++
		return pf, nil
	}
	f, err := index.OpenRead(p.Path(id))
	if err != nil {
		return nil, err
	}
	pf := &File{id: id, f: f, uses: 2}
	p.open[id] = p.lru.PushFront(pf)
	for p.lru.Len() > maxOpenPacks {
		p.drop(p.lru.Back())
	}
	return pf, nil
}

// Release ends what Acquire began.
func (p *Dir) Release(pf *File) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.unuse(pf)
}

func (p *Dir) unuse(pf *File) error {
	if pf.uses--; pf.uses == 0 {
		return pf.f.Close()
	}
	return nil
}

func (p *Dir) drop(el *list.Element) error {
	pf := p.lru.Remove(el).(*File)
	delete(p.open, pf.id)
	return p.unuse(pf)
}

// Forget closes a pack as soon as nobody reads it: another file may have its name by then.
func (p *Dir) Forget(id index.ID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if el := p.open[id]; el != nil {
		p.drop(el)
	}
}

// Close closes all packs that nobody reads.
func (p *Dir) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var err error
	for p.lru.Len() > 0 {
		err = errors.Join(err, p.drop(p.lru.Front()))
	}
	return err
}
