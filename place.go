package datafs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/index/leaf"
)

const (
	indexName   = "index.db"
	journalName = "journal"
	hostName    = "host"
)

// networkFS is index.NetworkFS, but for tests.
var networkFS = index.NetworkFS

// indexPath returns where the index of the repository in dir lies. Its file may
// be shared by processes, but not by machines: a repository on a network
// filesystem keeps it on local disk, and belongs to one host.
func (a *API) indexPath(dir, id string) (string, error) {
	kind, network := networkFS(dir)
	if !network {
		return filepath.Join(dir, indexName), nil
	}
	if err := claimHost(dir, kind); err != nil {
		return "", err
	}
	places := a.opts.places()
	cache, err := places.XDG("XDG_CACHE_HOME", ".cache"), error(nil)
	if cache == "" {
		return "", fmt.Errorf("repository %s lies on a network filesystem (%s), and there is no home directory for its index", dir, kind)
	}
	if !filepath.IsLocal(id) || id == "." || strings.ContainsAny(id, `/\:`) { // it comes from a file that others may have written
		return "", leaf.Errorf(ErrCorrupt, "repository %s: %q cannot be the id of a repository", dir, id)
	}
	local := filepath.Join(cache, "datafs", "index", id)
	if err = os.MkdirAll(local, 0o700); err != nil {
		return "", fmt.Errorf("make index directory: %w", err)
	}
	return filepath.Join(local, indexName), nil
}

// claimHost notes that this host uses the repository, unless another one does.
func claimHost(dir, kind string) error {
	host, err := os.Hostname()
	if err != nil {
		return err
	}
	name := filepath.Join(dir, hostName)
	data, err := readHost(name)
	if errors.Is(err, fs.ErrNotExist) {
		if err = writeHost(name, host); !errors.Is(err, fs.ErrExist) {
			return err
		}
		data, err = readHost(name) // another process was faster
	}
	if err != nil || string(data) == host+"\n" {
		return err
	}
	return &HintError{
		Err:  fmt.Errorf("repository %s lies on a network filesystem (%s) and belongs to host %s", dir, kind, strings.TrimSpace(string(data))),
		Hint: "give each host its own repository, or remove " + name + " when the other host no longer uses it",
	}
}

// maxHostFile bounds the file that names the host, in bytes.
const maxHostFile = 4 << 10

func readHost(name string) ([]byte, error) {
	f, err := index.OpenRead(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxHostFile))
}

// writeHost makes the file by a link, so that nobody sees it without its text.
func writeHost(name, host string) error {
	tmp, err := nameBeside(name, func(tmp string) error {
		f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return err
		}
		_, err = f.WriteString(host + "\n")
		return errors.Join(err, f.Close())
	})
	if err != nil {
		return err
	}
	return errors.Join(os.Link(tmp, name), os.Remove(tmp))
}
