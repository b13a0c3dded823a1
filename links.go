package datafs

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/objects"
	"github.com/datafs/datafs/objects/checkout"
	"github.com/datafs/datafs/remote/config"
)

// Entries of a repository's directory, which must be what they are called:
// whoever made the directory could have put something else in their place.
var (
	storeDirs, storeFiles = objects.Layout()

	repoDirs  = append(storeDirs, journalName, checkout.CopiesDir)
	repoFiles = append(storeFiles, config.FileName, indexName, indexName+".lock", indexName+".new", indexName+".old",
		checkout.CopiesLock, hostName, reserveName)
)

// checkLinks refuses a repository of which something would be reached through a
// link, or that has a pipe or a device in the place of one of its files. The
// directory itself may be a link. Files are opened without following links
// besides, since they may change meanwhile.
func checkLinks(repo string) error {
	list, err := readEntries(repo)
	if err != nil {
		return err
	}
	slices.SortFunc(list, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	for _, e := range list {
		name := filepath.Join(repo, e.Name())
		if err := checkEntry(name, e); err != nil {
			return err
		}
		if !e.IsDir() || name == objects.TempDir(repo) { // what is in it is only ever made, or removed
			continue
		}
		below, err := readEntries(name)
		if err != nil {
			return err
		}
		for _, b := range below {
			if b.Type()&fs.ModeSymlink != 0 {
				return config.LinkError(filepath.Join(name, b.Name()))
			}
		}
	}
	return nil
}

// checkEntry looks at an entry of the repository's directory. Names with a dot
// in front are none of ours: an editor may put links there.
func checkEntry(name string, e fs.DirEntry) error {
	switch {
	case strings.HasPrefix(e.Name(), "."):
		return nil
	case e.Type()&fs.ModeSymlink != 0:
		return config.LinkError(name)
	case slices.Contains(repoDirs, e.Name()) && !e.IsDir():
		return leaf.Errorf(fs.ErrPermission, "%s is not a directory: the repository is not used", name)
	case slices.Contains(repoFiles, e.Name()) && !e.Type().IsRegular():
		return leaf.Errorf(fs.ErrPermission, "%s is not a regular file: the repository is not used", name)
	}
	return nil
}

// readEntries lists a directory. What is not there, or no directory, has no
// entries: what needs it says so.
func readEntries(dir string) ([]fs.DirEntry, error) {
	d, err := os.Open(dir)
	if config.NotThere(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer d.Close()
	list, err := d.ReadDir(-1) // in no order, unlike os.ReadDir: this is done at each start
	if config.NotThere(err) {
		return nil, nil
	}
	return list, err
}
