package checkout

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/zeebo/blake3"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/objects"
)

const manifestHint = "remove that file and check out again: files with the right content are taken over, others are named"

// readManifest reads the manifest of a directory; where there is none it is
// empty. root may be nil.
func readManifest(root *os.Root, dir string) (*manifest, error) {
	if root == nil {
		return &manifest{}, nil
	}
	name := filepath.Join(dir, manifestName)
	b, err := readAtMost(root, manifestName, maxManifest)
	if errors.Is(err, fs.ErrNotExist) {
		return &manifest{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	m, err := decodeManifest(b)
	if errors.Is(err, index.ErrCorrupt) {
		return nil, &leaf.HintError{Err: fmt.Errorf("read %s: %w", name, err), Hint: manifestHint}
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return m, nil
}

func readAtMost(root *os.Root, name string, limit int64) ([]byte, error) {
	if fi, err := root.Stat(name); err == nil && !fi.Mode().IsRegular() {
		return nil, leaf.Errorf(index.ErrCorrupt, "it is a %s, not a file", leaf.KindOf(fi.Mode())) // a pipe would be waited for
	}
	f, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if fi.Size() > limit || !fi.Mode().IsRegular() {
		return nil, leaf.Errorf(index.ErrCorrupt, "it is larger than %d bytes, or no file", limit)
	}
	b := make([]byte, fi.Size())
	_, err = io.ReadFull(f, b)
	return b, err
}

// saveManifest writes the manifest of a directory, whole or not at all.
func saveManifest(root *os.Root, dirs []string, archives []*checkedArchive) error {
	const tmp = manifestName + ".new"
	if err := root.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := root.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return fmt.Errorf("write manifest: %w", err)
	}
	err = writeManifest(f, dirs, archives)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("write manifest: %w", err)
	}
	return root.Rename(tmp, manifestName)
}

// hashFile computes the BLAKE3 of a file.
func hashFile(root *os.Root, name string) (id objects.ID, err error) {
	f, err := root.Open(name)
	if err != nil {
		return id, err
	}
	defer f.Close()
	h := blake3.New()
	if _, err := io.CopyBuffer(h, struct{ io.Reader }{f}, make([]byte, 256<<10)); err != nil {
		return id, err
	}
	h.Sum(id[:0])
	return id, nil
}

// backdatedBy is how much older than it is a written file is made: then any
// later change shows in its time, however coarse the filesystem's clock.
const backdatedBy = 3 * time.Second

// settledAt is when the state of a file that was made older is known not to be
// of the moment of a change.
func settledAt(st index.Stat) int64 { return max(st.CTime, st.MTime) + int64(backdatedBy) }

// backdate makes a file older than it is.
func backdate(name string) error {
	fi, err := os.Lstat(name)
	if err != nil {
		return err
	}
	past := fi.ModTime().Add(-backdatedBy)
	return os.Chtimes(name, past, past)
}
