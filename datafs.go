// Package datafs is a package manager for data: archives (named, versioned
// files or directory trees with metadata, tags, dependencies and a history)
// whose content is kept, deduplicated and compressed, in a local repository.
//
// Open gives an API, the counterpart of the command's profile: it creates,
// finds and deletes archives. An Archive reads and writes versions.
//
//	api, err := datafs.Open(ctx, nil)
//	...
//	defer api.Close()
//	archive, err := api.Create(ctx, "climate/tas", nil)
//	...
//	result, err := archive.Update(ctx, "tas.nc", nil)
//
// It is not a file system: a version is written whole and never changes. Its
// invariant: a version that any method returns can be read to its last byte.
package datafs

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/objects"
	"github.com/datafs/datafs/refs"
	"github.com/datafs/datafs/refs/bolt"
	"github.com/datafs/datafs/refs/solve"
	"github.com/datafs/datafs/remote/config"
)

// Options say which configuration, profile and repository to open. The zero
// value, and nil, do what the command does without options.
type Options struct {
	Profile      string    // name; "": DATAFS_DEFAULT_PROFILE, the file's default-profile, or "default"
	ConfigFile   string    // path; "": DATAFS_CONFIG_FILE, the repository's, or the user's
	Config       io.Reader // a configuration instead of a file
	Repo         string    // directory; "": DATAFS_REPO, the nearest .datafs, or the profile's
	Requirements string    // file, or text with "=="; "": DATAFS_REQUIREMENTS_FILE, or requirements_data.txt

	Dir    string              // stands in for the working directory; "": that directory
	Getenv func(string) string // nil: os.Getenv
	Now    func() time.Time    // nil: time.Now
	Rand   io.Reader           // for the id of a new repository; nil: crypto/rand

	Offline   bool          // never touch the network
	LimitRate int64         // bytes per second to and from authorities; 0: no limit
	RetryTime time.Duration // how long to try again without progress; 0: a minute, < 0: not at all

	// Kinds are kinds of authorities and managers of the program's own, which a
	// configuration can name. Those that need the standard library only are there
	// without; all.Kinds of package remote/all returns those of the command.
	Kinds []config.Kind

	MustExist bool // a repository that is not there is not made, but an error that wraps fs.ErrNotExist

	LockTimeout time.Duration                       // how long to wait for other processes; 0: a minute, < 0: for ever
	Holder      string                              // what they are told of this one
	Waiting     func(holder string)                 // told when another process has been waited for a second
	Retrying    func(err error, wait time.Duration) // told before an authority is asked again
	Warn        func(text string)                   // told of what is strange, but no error
	Progress    func(Progress)                      // told of bytes read and written, from several goroutines
}

// localAuthority is the name of the repository itself, in a profile that has no
// authority.
const localAuthority = "local"

// Progress is a step of a long operation.
type Progress struct {
	Label string // what is read or written
	Bytes int64  // since the last step
	Total int64  // of the whole operation; 0 when it is not known
}

// API is an open repository with a profile's settings. Its methods may be
// called by several goroutines, and other processes may use the repository at
// the same time.
type API struct {
	opts  Options
	where *config.Found
	kinds config.Kinds
	index *index.DB
	store *objects.Store
	bolt  *bolt.Manager
	refs  *refs.DB
	pins  func() ([]solve.Requirement, error)
	sites sites
	dbs   databases

	secrets secrets
	auto    auto

	warned sync.Map // archive and version, with a backslash between them: of those that were yanked

	lockCache pinCache

	piped sync.Map // requirements that came through a pipe, by its name

	mu               sync.Mutex // guards what follows
	authorities      []config.NamedService
	defaultAuthority string
	manager          *config.Manager
	cache            *config.Service
	authoritiesFixed bool
	managerFixed     bool
	defaults         map[string]string // normalised name -> version text
}

// Open opens the repository that the options, the environment and the
// configuration name. One that is not there is made, unless MustExist is set.
func Open(ctx context.Context, opts *Options) (*API, error) {
	a := &API{}
	if opts != nil {
		a.opts = *opts
	}
	a.opts.fill()
	a.kinds = config.With(a.opts.Kinds)
	var err error
	// The working directory may be gone: absolute paths do without it.
	if a.opts.Dir, err = filepath.Abs(a.opts.Dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("working directory: %w", err)
	}
	if a.where, err = config.Locate(a.opts.places()); err != nil {
		return nil, err
	}
	if a.where.WasAuto {
		a.opts.Warn(fmt.Sprintf("sync: auto in %s counts as manual, as that file is not trusted (%v): %s",
			a.where.ConfigFile, a.where.Distrust, config.DistrustHint(a.where.Repo, a.where.Distrust)))
	}
	p := a.where.Profile
	a.manager, a.cache = p.Manager, p.Cache
	if err := a.open(); err != nil {
		return nil, err
	}
	a.authorities, a.defaultAuthority = p.Authorities, p.DefaultAuthority
	if len(a.authorities) == 0 {
		a.authorities = []config.NamedService{{Name: localAuthority}}
	}
	a.pins = sync.OnceValues(func() ([]solve.Requirement, error) { return a.readRequirements(a.where.Requirements) })
	return a, ctx.Err()
}

func (o *Options) fill() {
	if o.Getenv == nil {
		o.Getenv = os.Getenv
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Rand == nil {
		o.Rand = rand.Reader
	}
	if o.Warn == nil {
		o.Warn = func(string) {}
	}
}

func (o *Options) places() *config.Search {
	return &config.Search{
		Profile: o.Profile, ConfigFile: o.ConfigFile, Repo: o.Repo, Requirements: o.Requirements,
		Config: o.Config, Dir: o.Dir, Getenv: o.Getenv, Kinds: config.With(o.Kinds),
	}
}

// open opens the repository's parts.
func (a *API) open() (err error) {
	dir := a.where.Repo
	_, noJournal := os.Stat(filepath.Join(dir, journalName)) // looked for first: another process may be making the repository
	if _, err := os.Stat(filepath.Join(dir, objects.FormatFile)); errors.Is(err, fs.ErrNotExist) {
		if noJournal == nil {
			return leaf.Errorf(ErrCorrupt, "open repository: %s is missing", filepath.Join(dir, objects.FormatFile))
		}
		if a.opts.MustExist {
			return leaf.Errorf(ErrNoRepository, "there is no repository in %s", dir)
		}
		if err := a.opts.makeRepo(dir); err != nil {
			return err
		}
	}
	if err := checkLinks(dir); err != nil {
		return fmt.Errorf("open repository: %w", err)
	}
	format, err := objects.ReadFormat(dir)
	if err != nil {
		return fmt.Errorf("open repository: %w", err)
	}
	at, err := a.indexPath(dir, format.ID)
	if err != nil {
		return err
	}
	a.index, err = index.Open(at, &index.Options{
		LockTimeout: a.opts.LockTimeout, Holder: a.opts.Holder, Waiting: a.opts.Waiting,
	})
	if err != nil {
		return err
	}
	if a.store, err = objects.Open(dir, &objects.Options{Index: a.index, LockTimeout: a.opts.storeTimeout()}); err != nil {
		return fmt.Errorf("open repository: %w", err)
	}
	if a.bolt, err = a.tableOf(a.Table()); err != nil {
		return err
	}
	a.refs = refs.New(a.bolt, &refs.Options{Now: a.opts.Now})
	return nil
}

// storeTimeout is LockTimeout for the store, which knows no "for ever".
func (o *Options) storeTimeout() time.Duration {
	if o.LockTimeout < 0 {
		return math.MaxInt64
	}
	return o.LockTimeout
}

// makeRepo makes a repository in dir. Another process may do so at the same
// time.
func (o *Options) makeRepo(dir string) error {
	id := make([]byte, 16)
	if _, err := io.ReadFull(o.Rand, id); err != nil {
		return err
	}
	if err := makeDirs(dir, 0o700); err != nil {
		return fmt.Errorf("make repository: %w", err)
	}
	if err := checkLinks(dir); err != nil {
		return fmt.Errorf("make repository: %w", err)
	}
	err := objects.Create(dir, &objects.CreateOptions{ID: hex.EncodeToString(id)})
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("make repository: %w", err)
	}
	return nil
}

// Init makes a repository for the directory dir in dir/.datafs and returns its
// path. Where there is one already the error wraps fs.ErrExist.
func Init(ctx context.Context, dir string, opts *Options) (string, error) {
	var o Options
	if opts != nil {
		o = *opts
	}
	o.fill()
	if fi, err := os.Stat(dir); err != nil {
		return "", err
	} else if !fi.IsDir() {
		return "", leaf.Errorf(fs.ErrInvalid, "%s is not a directory", dir)
	}
	repo, err := filepath.Abs(filepath.Join(dir, config.RepoName))
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(filepath.Join(repo, objects.FormatFile)); err == nil {
		return repo, leaf.Errorf(fs.ErrExist, "repository %s already exists", repo)
	}
	file := filepath.Join(repo, config.FileName)
	_, lay := os.Lstat(file)
	if err := o.makeRepo(repo); err != nil {
		return "", err
	}
	if lay == nil {
		o.Warn(fmt.Sprintf("%s lay there before, and is not trusted: %s", file, config.DistrustHint(repo, nil)))
	} else if err := o.places().TrustNew(ctx, repo); err != nil {
		o.Warn(fmt.Sprintf("a configuration of its own (%s) will not be trusted: %v", file, err))
	}
	return repo, ctx.Err()
}

// Close lets go of the repository. Files and writers that are open must be
// closed before.
func (a *API) Close() error {
	return errors.Join(a.closeSites(), a.closeDatabase(), a.store.Close(), a.index.Close())
}

// Repo returns the repository's directory.
func (a *API) Repo() string { return a.where.Repo }

// Profile returns the profile as it was configured.
func (a *API) Profile() config.Profile { return a.where.Profile }

// ConfigFile returns the path of the configuration in use, "" if there is none.
func (a *API) ConfigFile() string { return a.where.ConfigFile }

// UserConfig returns what is recorded of the user with every version.
func (a *API) UserConfig() map[string]string {
	m := map[string]string{}
	for k, v := range a.where.Profile.UserConfig {
		m[k] = v
	}
	return m
}

// makeDirs is os.MkdirAll, and makes the names of what it made last, where the
// directory above lets it.
func makeDirs(dir string, mode fs.FileMode) error {
	var made []string
	for d := dir; ; d = filepath.Dir(d) {
		if _, err := os.Lstat(d); !errors.Is(err, fs.ErrNotExist) {
			break
		}
		made = append(made, d)
	}
	if err := os.MkdirAll(dir, mode); err != nil {
		return err
	}
	for _, d := range made {
		_ = leaf.SyncDir(filepath.Dir(d))
	}
	return nil
}
