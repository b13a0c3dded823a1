package datafs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/datafs/datafs/index"
)

const (
	indexName = "index.db"
	hostName  = "host"
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
	cache, err := places.xdg("XDG_CACHE_HOME", ".cache"), error(nil)
	if cache == "" {
		return "", fmt.Errorf("repository %s lies on a network filesystem (%s), and there is no home directory for its index", dir, kind)
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
	tmp, err := nameBeside(name, func(tmp string) error { return writeHost(tmp, host) })
	if err != nil {
		return err
	}
	// A link, so that another process never sees the name without its text.
	err = os.Link(tmp, name)
	if err = errors.Join(err, os.Remove(tmp)); !errors.Is(err, fs.ErrExist) {
		return err
	}
	data, err := os.ReadFile(name)
	if err != nil || string(data) == host+"\n" {
		return err
	}
	return &HintError{
		Err:  fmt.Errorf("repository %s lies on a network filesystem (%s) and belongs to host %s", dir, kind, strings.TrimSpace(string(data))),
		Hint: "give each host its own repository, or remove " + name + " when the other host no longer uses it",
	}
}

func writeHost(name, host string) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(host + "\n")
	return errors.Join(err, f.Close())
}
