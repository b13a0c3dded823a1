package pack

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/datafs/datafs/index"
)

// Temp makes a temporary file. pattern begins with "pack-", "probe-" or "reserve-",
// and is otherwise as for os.CreateTemp.
func (p *Dir) Temp(pattern string) (*os.File, error) {
	return os.CreateTemp(filepath.Join(p.root, Temp), pattern)
}

// CleanTemp removes the temporary files that writers left. Nobody may write.
func (p *Dir) CleanTemp() error {
	left, err := os.ReadDir(filepath.Join(p.root, Temp))
	for _, e := range left {
		if e.Type().IsRegular() && tempName(e.Name()) {
			err = errors.Join(err, os.Remove(filepath.Join(p.root, Temp, e.Name())))
		}
	}
	return err
}

// tempName reports whether a file in tmp/ is one that this program makes
// there.
func tempName(name string) bool {
	return strings.HasPrefix(name, "pack-") || strings.HasPrefix(name, "probe-") || strings.HasPrefix(name, "reserve-")
}

// IsMarked reports whether a pack has its temporary name still: see Writer.Marked.
func (p *Dir) IsMarked(id index.ID) bool {
	pack, err := os.Stat(p.Path(id))
	if err != nil {
		return false
	}
	left, _ := os.ReadDir(filepath.Join(p.root, Temp))
	return slices.ContainsFunc(left, func(e fs.DirEntry) bool {
		fi, err := e.Info()
		return err == nil && tempName(e.Name()) && os.SameFile(fi, pack)
	})
}
