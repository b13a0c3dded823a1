package datafs

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"

	"github.com/datafs/datafs/objects"
)

// The reserve is a file of bytes that do not shrink. On a full disk it is given up,
// so that index and journal have room for a delete, and for gc.
const (
	reserveName = "reserve"
	reserveSize = 256 << 10 // bytes
	minReserve  = 32 << 10
)

// withReserve calls fn, and once more without the reserve when the disk was full.
func (a *API) withReserve(fn func() error) error {
	err := fn()
	if errors.Is(err, syscall.ENOSPC) && os.Remove(a.reserve()) == nil {
		err = fn()
		a.keepReserve() // of what is left, for the next one
	}
	return err
}

func (a *API) reserve() string { return filepath.Join(a.where.Repo, reserveName) }

// keepReserve makes the reserve where there is none, as large as there is room for.
func (a *API) keepReserve() {
	if _, err := os.Lstat(a.reserve()); err == nil {
		return
	}
	for size := reserveSize; size >= minReserve; size /= 2 {
		if a.makeReserve(size) == nil {
			return
		}
	}
}

func (a *API) makeReserve(size int) error {
	f, err := os.CreateTemp(objects.TempDir(a.where.Repo), "reserve-*")
	if err != nil {
		return err
	}
	filler := make([]byte, size)
	rand.NewChaCha8([32]byte{}).Read(filler)
	_, err = f.Write(filler)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), a.reserve())
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}
