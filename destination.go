package datafs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/objects/names"
	"github.com/datafs/datafs/remote/config"
)

// checkDestination refuses to write contents where a repository keeps its own
// files: below a directory named .datafs, by whatever link, or below the
// repository in use, whatever it is named.
func (a *API) checkDestination(target string) error {
	real, err := resolved(target)
	if err != nil {
		return nil // nothing can be written there
	}
	if names.BelowStore(filepath.ToSlash(real)) {
		return leaf.Errorf(fs.ErrInvalid, "%s lies below a %s, which belongs to a repository: nothing is written there", target, config.RepoName)
	}
	repo, err := resolved(a.Repo())
	if err != nil {
		return err
	}
	if rel, err := filepath.Rel(repo, real); err == nil && filepath.IsLocal(rel) {
		return leaf.Errorf(fs.ErrInvalid, "%s belongs to the repository: nothing is written there", target)
	}
	return nil
}

// resolved is the absolute path that a name stands for, without links. The last
// parts need not be there.
func resolved(name string) (string, error) {
	name, err := filepath.Abs(name)
	if err != nil {
		return "", err
	}
	real, err := filepath.EvalSymlinks(name)
	if dir := filepath.Dir(name); errors.Is(err, fs.ErrNotExist) && dir != name {
		real, err = resolved(dir)
		real = filepath.Join(real, filepath.Base(name))
	}
	return real, err
}

// onWindows is a variable for tests.
var onWindows = runtime.GOOS == "windows"

// windowsFault explains what Windows has against the name of a new archive; on
// Windows it refuses the name.
func (a *API) windowsFault(ctx context.Context, name string) (string, error) {
	why := names.WindowsFault(name)
	if why == "" {
		return "", nil
	}
	if _, err := a.refs.Archive(ctx, name); err == nil {
		return "", nil // it is not new
	}
	if onWindows {
		return "", leaf.Errorf(fs.ErrInvalid, "archive %q cannot be made on Windows: %s", name, why)
	}
	return why, nil
}

// warnUnwritten names the files of an archive that were not written.
func (a *API) warnUnwritten(archive string, left []string) {
	if len(left) > 0 {
		a.opts.Warn(fmt.Sprintf("not written of %s: %s: %s", archive, someOf(left), whyUnwritable))
	}
}

// whyUnwritable explains why files of an archive are not written to disk.
const whyUnwritable = "their names belong to version control systems or datafs itself, or cannot be here"

// warnLeft names what an update left out.
func (h *Archive) warnLeft(left []string) {
	if len(left) > 0 {
		h.api.opts.Warn(fmt.Sprintf("left out of %s: %s: %s", h.name, someOf(left), whyReserved))
	}
}

// whyReserved explains why files of some names are neither taken in nor written.
const whyReserved = "version control systems and datafs keep their own files under such names"

// someOf names the first of many things.
func someOf(list []string) string {
	const most = 20
	if len(list) <= most {
		return strings.Join(list, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(list[:most], ", "), len(list)-most)
}
