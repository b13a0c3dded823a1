package datafs

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/datafs/datafs/remote/config"
)

func TestAttachingAuthorities(t *testing.T) {
	api := newAPI(t)
	equal(t, "at first", api.Authorities(), []string{"local"})
	equal(t, "default", must(api.DefaultAuthority())(t), "local")
	disk := config.Service{Service: "OSFS", Args: []any{"/data"}}
	noError(t, api.AttachAuthority("disk", disk))
	noError(t, api.AttachAuthority("disk", config.Service{Service: "OSFS", Args: []any{"/data2"}}))
	equal(t, "attached", api.Authorities(), []string{"local", "disk"})
	_, err := api.DefaultAuthority()
	wantError(t, err, "Authority ambiguous. Set authority or DefaultAuthorityName.", fs.ErrInvalid)

	noError(t, api.SetDefaultAuthority("disk"))
	equal(t, "archive", must(api.Create(t.Context(), "x", nil))(t).String(), "<DataArchive disk://x>")
	wantError(t, api.SetDefaultAuthority("none"), `Authority "none" not found`, fs.ErrNotExist)
	equal(t, "default", must(api.DefaultAuthority())(t), "disk")
	noError(t, api.SetDefaultAuthority(""))
	if _, err := api.DefaultAuthority(); err == nil {
		t.Error("the default was not taken back")
	}
	wantError(t, api.AttachAuthority("a b", disk), `"a b" not a valid authority name`, fs.ErrInvalid)

	api.LockAuthorities()
	wantError(t, api.AttachAuthority("more", disk), "Authorities locked", fs.ErrPermission)
	wantError(t, api.AttachAuthority("disk", disk), "Authorities locked", fs.ErrPermission)
	noError(t, api.AttachCache(disk))
}

func TestAttachingAManager(t *testing.T) {
	api := newAPI(t)
	equal(t, "at first", api.Manager() == nil, true)
	noError(t, api.AttachManager(config.Manager{Class: "MongoDBManager"}))
	equal(t, "attached", api.Manager().Class, "MongoDBManager")
	api.LockManager()
	wantError(t, api.AttachManager(config.Manager{Class: "DynamoDBManager"}), "Manager locked", fs.ErrPermission)
	equal(t, "still attached", api.Manager().Class, "MongoDBManager")
}

func TestTheCacheIsNoAuthority(t *testing.T) {
	api := newAPI(t)
	disk := config.Service{Service: "OSFS", Args: []any{"/data"}}
	url := config.Service{URL: "s3://bucket"}
	noError(t, api.AttachAuthority("disk", disk))
	noError(t, api.AttachAuthority("s3", url))
	wantError(t, api.AttachCache(disk), `authority "disk" cannot be the cache too`, fs.ErrInvalid)
	wantError(t, api.AttachCache(url), `authority "s3" cannot be the cache too`, fs.ErrInvalid)
	cache := config.Service{Service: "OSFS", Args: []any{"/cache"}}
	noError(t, api.AttachCache(cache))
	wantError(t, api.AttachAuthority("cache", cache), "the cache cannot be an authority too", fs.ErrInvalid)
	for range 2 { // without a place there is nothing to compare
		noError(t, api.AttachAuthority("temp", config.Service{Service: "TempFS"}))
		noError(t, api.AttachCache(config.Service{Service: "TempFS"}))
	}
}

func TestTheRepositoryIsTheCache(t *testing.T) {
	api := openOnly(t, testOptions(t.TempDir()))
	ctx := t.Context()
	h := newArchive(t, api, "x")
	put(t, h, "one")
	put(t, h, "two")
	for _, version := range []string{"", "latest", "0.0.1"} {
		equal(t, "cached", must(h.IsCached(ctx, version))(t), true)
		noError(t, h.Cache(ctx, version))
	}
	err := h.RemoveFromCache(ctx, "0.0.1")
	wantError(t, err, "<DataArchive local://x>: this repository is the only home of its contents: they are not removed", errors.ErrUnsupported)
	equal(t, "contents after it", text(t, h, "0.0.1"), "one")
	for _, err := range []error{second(h.IsCached(ctx, "3.0")), h.Cache(ctx, "3.0"), h.RemoveFromCache(ctx, "3.0")} {
		wantError(t, err, `Version "3.0" not found in archive history`, fs.ErrNotExist)
	}

	noError(t, api.index.DropSpace(ctx, "local"))
	equal(t, "cached without an index", must(h.IsCached(ctx, ""))(t), true)

	noError(t, os.RemoveAll(filepath.Join(api.Repo(), "packs")))
	noError(t, os.Mkdir(filepath.Join(api.Repo(), "packs"), 0o700))
	api = openOnly(t, testOptions(filepath.Dir(api.Repo())))
	noError(t, api.index.DropSpace(ctx, "local")) // as if the content were elsewhere
	h = must(api.Archive(ctx, "x", nil))(t)
	equal(t, "cached without content", must(h.IsCached(ctx, ""))(t), false)
	if err := h.Cache(ctx, ""); !errors.Is(err, ErrCorrupt) {
		t.Errorf("got %v, want %v", err, ErrCorrupt)
	}
}

func TestAnAPIsSettingsAreWrittenBack(t *testing.T) {
	const settings = `default-profile: mine
profiles:
  mine:
    api:
      user_config: {username: My Name}
    authorities:
      disk: {service: OSFS, args: [/data]}
    checksums: [md5]
`
	api := openChecked(t, configured(t.TempDir(), settings))
	noError(t, api.AttachCache(config.Service{Service: "TempFS"}))
	noError(t, api.AttachAuthority("more", config.Service{URL: "sftp://host/dir"}))
	noError(t, api.SetDefaultAuthority("disk"))

	file := t.TempDir() + "/new/config.yml"
	noError(t, api.WriteConfig(file, "copy"))
	opts := testOptions(t.TempDir())
	opts.ConfigFile, opts.Profile = file, "copy"
	again := openChecked(t, opts)
	equal(t, "authorities", again.Authorities(), []string{"disk", "more"})
	equal(t, "default", must(again.DefaultAuthority())(t), "disk")
	equal(t, "user", again.UserConfig(), map[string]string{"username": "My Name"})
	equal(t, "cache", again.Profile().Cache.Service, "TempFS")
	equal(t, "checksums", again.Profile().Checksums, []string{"md5"})
	equal(t, "file", again.ConfigFile(), file)

	text := string(must(api.MarshalConfig([]byte("profiles: {mine: {api: {user_config: {username: Kept}}}}\n"), "mine"))(t))
	if !strings.Contains(text, "Kept") || strings.Contains(text, "My Name") || !strings.Contains(text, "sftp://host/dir") {
		t.Errorf("what is there must win, what is not must come: got\n%s", text)
	}
}

func TestSeedProfile(t *testing.T) {
	dir := t.TempDir()
	opts := configured(dir, `
profiles:
  default: {}
  old:
    authorities: {local: {service: OSFS, args: [data]}}
    manager: {class: MongoDBManager, kwargs: {database_name: d, client_kwargs: {password: 'env:SECRET'}}}
`)
	home := opts.Getenv
	opts.Getenv = func(name string) string { return home(name) + map[string]string{"SECRET": "hushhush"}[name] }
	api := openChecked(t, opts)
	p := must(api.SeedProfile("old"))(t)
	equal(t, "directory", p.Authorities[0].Args[0], any(filepath.Join(dir, "data")))
	equal(t, "password", p.Manager.Kwargs["client_kwargs"].(map[string]any)["password"], any("hushhush"))
	if _, err := api.SeedProfile("none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}
