package config

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/objects"
)

// The file of trusted repositories lies beside the user's configuration. Each
// line is a record: OWNER "ID" "PATH". Lines that are none are left alone.

const (
	trustedName    = "trusted"
	maxTrusted     = 4 << 20 // bytes of the file
	manyTrusted    = 1000    // records, above which those of directories that are gone are dropped
	trustedTimeout = 10 * time.Second
	trustedHead    = "# Repositories whose own config.yml is trusted, written by \"datafs init\" and \"datafs configure --trust\".\n"
)

// trustRecord says which repository is trusted: where it lies, its id, and the
// user that it belongs to ("" where the system does not say).
type trustRecord struct{ path, id, owner string }

func (r trustRecord) line() string {
	owner := r.owner
	if owner == "" {
		owner = "-"
	}
	return fmt.Sprintf("%s %q %q", owner, r.id, r.path)
}

func parseTrust(line string) (r trustRecord, ok bool) {
	n, err := fmt.Sscanf(line, "%s %q %q", &r.owner, &r.id, &r.path)
	if r.owner == "-" {
		r.owner = ""
	}
	return r, err == nil && n == 3
}

// findTrust returns the record of a path.
func findTrust(lines []string, path string) (trustRecord, bool) {
	for _, line := range lines {
		if r, ok := parseTrust(line); ok && r.path == path {
			return r, true
		}
	}
	return trustRecord{}, false
}

// trustedFile returns where the records are, "" without a home directory.
func (o *Search) trustedFile() string {
	dir := o.XDG("XDG_CONFIG_HOME", ".config")
	if dir == "" {
		return ""
	}
	return filepath.Join(dir, "datafs", trustedName)
}

// readTrusted returns the lines of the file; one that is not there has none. A
// file that others can write says nothing.
func (o *Search) readTrusted() ([]string, error) {
	file := o.trustedFile()
	if file == "" {
		return nil, nil
	}
	f, err := os.Open(file)
	if NotThere(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("trusted repositories: %w", err)
	}
	defer f.Close()
	fi, err := f.Stat()
	switch {
	case err != nil:
		return nil, fmt.Errorf("trusted repositories: %w", err)
	case !fi.Mode().IsRegular():
		return nil, fmt.Errorf("trusted repositories: %s is not a regular file", file)
	case !o.isOwn(fi):
		return nil, fmt.Errorf("trusted repositories: %s belongs to %s", file, userName(ownerOf(fi)))
	case othersWrite(fi):
		return nil, &leaf.HintError{Err: fmt.Errorf("others can write %s", file), Hint: "see what is in it, then chmod 600 " + file}
	}
	data, err := io.ReadAll(io.LimitReader(f, maxTrusted))
	if err != nil {
		return nil, fmt.Errorf("trusted repositories: %w", err)
	}
	return strings.Split(strings.TrimRight(string(data), "\n"), "\n"), nil
}

// addTrust adds a record, in the place of one of the same path. Others who do so
// at the same time wait.
func (o *Search) addTrust(ctx context.Context, r trustRecord) error {
	file := o.trustedFile()
	if file == "" {
		return errors.New("neither XDG_CONFIG_HOME nor HOME is set")
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	bounded, cancel := context.WithTimeout(ctx, trustedTimeout)
	defer cancel()
	lock, err := objects.TakeLock(ctx, bounded, file+".lock", true)
	if err != nil {
		return err
	}
	defer lock.Unlock()
	lines, err := o.readTrusted()
	if err != nil {
		return err
	}
	if old, ok := findTrust(lines, r.path); ok && old == r {
		return nil
	}
	text := strings.Join(append(keptTrust(lines, r.path), r.line()), "\n") + "\n"
	if len(lines) == 0 {
		text = trustedHead + text
	}
	if err := WriteFile(file, []byte(text)); err != nil {
		return err
	}
	for _, name := range []string{file, file + ".lock"} {
		giveAway(name, filepath.Dir(file))
	}
	return nil
}

// keptTrust returns the lines but for those of a path and, where there are many,
// of repositories that are gone.
func keptTrust(lines []string, path string) (kept []string) {
	for _, line := range lines {
		r, ok := parseTrust(line)
		if ok && r.path == path {
			continue
		}
		if ok && len(lines) > manyTrusted {
			if _, err := os.Lstat(r.path); errors.Is(err, fs.ErrNotExist) {
				continue
			}
		}
		kept = append(kept, line)
	}
	return kept
}
