package datafs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/datafs/datafs/objects"
)

// littleSpace is how many free bytes are few: a write keeps some packs open.
const littleSpace = 256 << 20

// repository says whether the repository can be written, and on what it lies.
func (d *doctor) repository(context.Context) {
	const what = "repository"
	links, err := d.writeProbe()
	if err != nil {
		d.problem(what, fmt.Errorf("%s cannot be written: %w", d.Repo(), err), repositoryHint(err))
		return
	}
	detail := d.Repo() + " can be written; " + d.filesystem() + links
	free, known := freeSpace(d.Repo())
	if known {
		detail += fmt.Sprintf(", %.1f GB free", float64(free)/1e9)
	}
	if known && free < littleSpace {
		d.warn(what, "free some space", "%s", detail)
		return
	}
	d.ok(what, "%s", detail)
}

func repositoryHint(err error) string {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return "it belongs to somebody else: name another one with --repo, DATAFS_REPO or store:, or ask for the permission"
	case errors.Is(err, syscall.ENOSPC):
		return "free some space"
	}
	return ""
}

// filesystem says which kind of filesystem the repository is on.
func (d *doctor) filesystem() string {
	kind, network := networkFS(d.Repo())
	switch {
	case network:
		return fmt.Sprintf("%s, a network filesystem: this host alone may use it, and the index is %s", kind, d.index.Path())
	case kind == "":
		return "a local disk"
	}
	return "a local disk (" + kind + ")"
}

// writeProbe writes a file into the repository and removes it. It notes the
// filesystem's clock, and says what there is to be said of hard links.
func (d *doctor) writeProbe() (links string, err error) {
	name, err := d.probeName()
	if err != nil {
		return "", err
	}
	path := filepath.Join(objects.TempDir(d.Repo()), name) // what is left there by accident is removed by gc
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return "", err
	}
	defer os.Remove(path)
	now := d.opts.Now()
	fi, err := writeSynced(path)
	if err != nil {
		return "", err
	}
	d.skew = fi.ModTime().Sub(now)
	second := path + "-link"
	if os.Link(path, second) != nil {
		return ", without hard links", nil
	}
	return "", os.Remove(second)
}

// writeSynced makes a file and brings it to disk.
func writeSynced(path string) (fi fs.FileInfo, err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := f.WriteString(probeText); err != nil {
		return nil, err
	}
	if err := f.Sync(); err != nil {
		return nil, err
	}
	return f.Stat()
}

// records says whether index and journal are whole and agree, and the index
// knows the packs.
func (d *doctor) records(ctx context.Context) {
	const what = "index and journal"
	damage, _, err := d.checkRecords(ctx)
	for _, found := range damage {
		if err == nil || errors.As(found, new(*HintError)) { // what has a hint says more
			err = found
		}
	}
	if err != nil {
		d.problem(what, err, "")
		return
	}
	p, err := d.packs(ctx)
	counts := fmt.Sprintf("packs that the index knows: %d, that are there: %d", p.known, p.there)
	switch {
	case err != nil:
		d.problem(what, err, "")
	case p.missing > 0:
		d.problem(what, fmt.Errorf("%w: %s", ErrCorrupt, counts), "")
	case p.there > 0 && p.strange == p.there:
		d.problem(what, fmt.Errorf("%w: the index knows none of %d packs", ErrCorrupt, p.there), `"datafs fsck" takes them in`)
	case p.strange > 0:
		d.warn(what, `"datafs fsck" takes them in, and says whether versions need them; an interrupted write leaves some, and gc removes them`,
			"%s", counts)
	default:
		d.ok(what, `they are whole and agree; "datafs fsck" checks the contents`)
	}
}

// packCounts compares the packs that the index knows with those that are there.
type packCounts struct{ known, there, missing, strange int }

func (d *doctor) packs(ctx context.Context) (p packCounts, err error) {
	known, err := d.store.KnownPacks(ctx)
	if err != nil {
		return p, err
	}
	files, err := d.store.Packs(ctx)
	if errors.Is(err, ErrCorrupt) { // the directory is missing
		err = nil
	}
	p.known, p.there = len(known), len(files)
	for _, f := range files {
		if !known[f.ID] {
			p.strange++
		}
	}
	p.missing = p.known - (p.there - p.strange)
	return p, err
}
