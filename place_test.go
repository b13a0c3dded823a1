package datafs

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// pretendNetwork makes the test's repositories lie on a network filesystem.
func pretendNetwork(t *testing.T, network bool) {
	t.Helper()
	old := networkFS
	networkFS = func(string) (string, bool) { return "nfs", network }
	t.Cleanup(func() { networkFS = old })
}

func TestTheIndexOfANetworkRepositoryIsLocal(t *testing.T) {
	pretendNetwork(t, true)
	dir := t.TempDir()
	opts := testOptions(dir)
	env := map[string]string{"HOME": dir, "XDG_CACHE_HOME": filepath.Join(dir, "cache")}
	opts.Getenv = func(name string) string { return env[name] }
	api := openChecked(t, opts)
	put(t, newArchive(t, api, "x"), "text")

	if _, err := os.Stat(filepath.Join(api.Repo(), indexName)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("there is an index in the repository: %v", err)
	}
	found, err := filepath.Glob(filepath.Join(dir, "cache/datafs/index/*", indexName))
	if err != nil || len(found) != 1 {
		t.Errorf("indexes below XDG_CACHE_HOME: %v, %v", found, err)
	}

	delete(env, "XDG_CACHE_HOME")
	again := openOnly(t, opts)
	equal(t, "the names, with another index", collect(t, again.Filter(t.Context(), nil)), []string{"x"})
	found, err = filepath.Glob(filepath.Join(dir, ".cache/datafs/index/*", indexName))
	if err != nil || len(found) != 1 {
		t.Errorf("indexes below ~/.cache: %v, %v", found, err)
	}
}

func TestANetworkRepositoryBelongsToOneHost(t *testing.T) {
	pretendNetwork(t, true)
	dir := t.TempDir()
	noError(t, openOnly(t, testOptions(dir)).Close())
	noError(t, openOnly(t, testOptions(dir)).Close())
	name := filepath.Join(dir, "repo", hostName)
	noError(t, os.WriteFile(name, []byte("elsewhere\n"), 0o600))

	_, err := Open(t.Context(), testOptions(dir))
	wantError(t, err, "repository "+filepath.Join(dir, "repo")+" lies on a network filesystem (nfs) and belongs to host elsewhere", nil)
	var hint *HintError
	if !errors.As(err, &hint) || !strings.Contains(hint.Hint, name) {
		t.Errorf("got hint %+v, want one that names %s", hint, name)
	}

	noError(t, os.Remove(name))
	openOnly(t, testOptions(dir))
}

func TestANetworkRepositoryWithoutHomeIsRefused(t *testing.T) {
	pretendNetwork(t, true)
	opts := testOptions(t.TempDir())
	opts.Getenv = func(string) string { return "" }
	_, err := Open(t.Context(), opts)
	wantError(t, err, "repository "+opts.Repo+" lies on a network filesystem (nfs), and there is no home directory for its index", nil)
}
