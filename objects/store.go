package objects

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/objects/codec"
	"github.com/datafs/datafs/objects/pack"
)

const (
	formatNumber = 1
	localSpace   = "local"

	maxFormatFile = 64 << 10
)

// Format is what a repository's datafs.json says.
type Format struct {
	Format  int          `json:"format"`
	ID      string       `json:"id"`
	Chunker codec.Params `json:"chunker"`
}

// CreateOptions describe a new repository.
type CreateOptions struct {
	ID      string       // of the repository, unique; required
	Chunker codec.Params // zero: DefaultParams
}

// Options say how to open a store.
type Options struct {
	Index       *index.DB     // required
	LockTimeout time.Duration // how long to wait for gc in another process; 0: a minute, < 0: for ever
}

// Store is a repository's content on local disk. All methods may be called by
// several goroutines, and several processes may use one repository.
type Store struct {
	dir    string
	format Format
	index  *index.DB
	packs  *pack.Dir
	nodes  *nodeCache
	places *basePlaces
	wait   time.Duration
	taken  *taken
	twins  *twins
	source Source // nil: all that is wanted is here
	label  string // of the version that is read, for errors; "": not known
}

// Source brings chunks into a repository from where else they are. Its methods
// may be called by several goroutines.
type Source interface {
	// Fetch makes the index find chunks that it did not find. Those that the
	// source does not have are an error.
	Fetch(ctx context.Context, ids []ID) error
}

// From returns the same store as it is seen by readers that want a source, or
// with nil nobody, to be asked for what is not here. It need not be closed.
func (s *Store) From(src Source) *Store {
	view := *s
	view.source = src
	return &view
}

// Named returns the same store as it is seen by readers of one version: label is
// what errors about damage call it. It need not be closed.
func (s *Store) Named(label string) *Store {
	view := *s
	view.label = label
	return &view
}

// named says of an error about damage which file of which version it hurts.
func (s *Store) named(path string, err error) error {
	if s.label == "" || !errors.Is(err, ErrCorrupt) {
		return err
	}
	if path != "" {
		path = "/" + path
	}
	return fmt.Errorf("%s%s: %w", s.label, path, err)
}

// Create makes the directories and the format file of a new repository in dir.
// Where there is one already it returns fs.ErrExist and changes nothing. The
// format file comes last: where it is, the names of the directories last.
func Create(dir string, opts *CreateOptions) error {
	f := Format{Format: formatNumber, ID: opts.ID, Chunker: opts.Chunker}
	if f.Chunker == (codec.Params{}) {
		f.Chunker = codec.DefaultParams
	}
	if err := f.Chunker.Validate(); err != nil {
		return err
	}
	for _, sub := range pack.Dirs() {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			return fmt.Errorf("make repository: %w", err)
		}
	}
	if err := leaf.SyncDir(filepath.Dir(dir)); err != nil {
		return fmt.Errorf("make repository: %w", err)
	}
	data, err := f.Encode()
	if err != nil {
		return err
	}
	return writeNew(dir, FormatFile, data)
}

// writeNew makes a small file whole or not at all; it fails with fs.ErrExist
// where there is one, also when two processes try at once.
func writeNew(dir, name string, data []byte) error {
	tmp, err := os.CreateTemp(dir, "tmp-*")
	if err != nil {
		return fmt.Errorf("make repository: %w", err)
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(data)
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	if err := os.Link(tmp.Name(), filepath.Join(dir, name)); err != nil {
		return err
	}
	return leaf.SyncDir(dir)
}

// ReadFormat reads the format file of the repository in dir. Where there is no
// repository the error wraps fs.ErrNotExist.
func ReadFormat(dir string) (Format, error) {
	name := filepath.Join(dir, FormatFile)
	data, err := readSmall(name)
	if err != nil {
		return Format{}, err
	}
	return ParseFormat(name, data)
}

// ParseFormat reads what the format file of that name says. The error of one
// that does not match its checksum wraps ErrCorrupt; an old one may have none.
func ParseFormat(name string, data []byte) (f Format, err error) {
	summed, err := checkFormatSum(data)
	if err != nil {
		return f, formatError(name, err)
	}
	var version struct {
		Format int `json:"format"`
	}
	// The number comes first: another format's other fields may look otherwise.
	if err := json.Unmarshal(data, &version); err != nil {
		return f, formatError(name, err)
	}
	if version.Format != formatNumber {
		return f, fmt.Errorf("%s: repository format %d is not known to this program (it knows %d): use a newer datafs", name, version.Format, formatNumber)
	}
	if !summed {
		err = checkOldFormat(data)
	}
	if err = cmp.Or(err, json.Unmarshal(data, &f)); err != nil {
		return f, formatError(name, err)
	}
	if err := f.Chunker.Validate(); err != nil {
		return f, fmt.Errorf("%s: %w", name, err)
	}
	return f, nil
}

// readSmall reads a file of at most maxFormatFile bytes; of a longer one it
// returns so many, which are no JSON. What is no file is refused unopened: a
// pipe would be waited for.
func readSmall(name string) ([]byte, error) {
	if fi, err := os.Stat(name); err == nil && !fi.Mode().IsRegular() {
		return nil, formatError(name, errors.New("it is not a regular file"))
	}
	f, err := index.OpenRead(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxFormatFile))
}

// Open opens the store in dir.
func Open(dir string, opts *Options) (*Store, error) {
	f, err := ReadFormat(dir)
	if err != nil {
		return nil, err
	}
	s := &Store{dir: dir, format: f, index: opts.Index, packs: pack.NewDir(dir), nodes: newNodeCache(), places: &basePlaces{}, wait: opts.LockTimeout, taken: &taken{}, twins: &twins{}}
	switch {
	case s.wait == 0:
		s.wait = time.Minute
	case s.wait < 0:
		s.wait = math.MaxInt64
	}
	return s, nil
}

// Close lets go of open files.
func (s *Store) Close() error { return s.packs.Close() }

// Format returns what the repository's format file says.
func (s *Store) Format() Format { return s.format }

// Index returns the repository's index.
func (s *Store) Index() *index.DB { return s.index }

// Dir returns the repository's directory.
func (s *Store) Dir() string { return s.dir }

// lock takes the store's lock: writers share it, gc holds it alone, so that gc
// never removes a chunk that a writer has found and not yet referred to. All
// pass a gate on the way, which gc keeps shut while it waits, so that writers
// who come one after another do not keep it out for ever.
func (s *Store) lock(ctx context.Context, exclusive bool) (*flock.Flock, error) {
	bounded, cancel := context.WithTimeout(ctx, s.wait)
	defer cancel()
	gate, err := TakeLock(ctx, bounded, filepath.Join(s.dir, gateFile), exclusive)
	if err != nil {
		return nil, err
	}
	defer gate.Unlock()
	return TakeLock(ctx, bounded, filepath.Join(s.dir, lockFile), exclusive)
}

// TakeLock locks the file at a path, alone or shared with others who do not want
// it alone. It waits for other processes as long as bounded allows, which comes
// from ctx, and looks once even where that has ended; then the error wraps
// index.ErrBusy.
func TakeLock(ctx, bounded context.Context, path string, exclusive bool) (*flock.Flock, error) {
	l := flock.New(path, index.LockFlags())
	once, try := l.TryRLock, l.TryRLockContext
	if exclusive {
		once, try = l.TryLock, l.TryLockContext
	}
	if ok, err := once(); err == nil && ok {
		return l, nil
	}
	_, err := try(bounded, 10*time.Millisecond)
	switch {
	case err == nil:
		return l, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.Is(err, context.DeadlineExceeded):
		return nil, fmt.Errorf("lock %s: %w", path, index.ErrBusy)
	}
	return nil, fmt.Errorf("lock %s: %w", path, index.NotFollowed(err))
}
