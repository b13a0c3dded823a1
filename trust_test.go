package datafs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/objects"
	"github.com/datafs/datafs/remote"
	"github.com/datafs/datafs/remote/config"
)

// A house is a home directory and a project with a repository that Init made.
type house struct {
	t    *testing.T
	dir  string // holds home and project
	env  map[string]string
	warn []string
	sync string // of the profile that reach has opened
}

func newHouse(t *testing.T) *house {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("owners and modes are not looked at there")
	}
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	h := &house{t: t, dir: dir, env: map[string]string{"HOME": filepath.Join(dir, "home")}}
	h.mkdir("home")
	h.mkdir("project/sub")
	h.init()
	return h
}

func (h *house) path(name string) string { return filepath.Join(h.dir, filepath.FromSlash(name)) }

func (h *house) mkdir(name string) {
	h.t.Helper()
	if err := os.MkdirAll(h.path(name), 0o755); err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) write(name, text string) {
	h.t.Helper()
	if err := os.WriteFile(h.path(name), []byte(text), 0o600); err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) options() *Options {
	return &Options{
		Dir: h.path("project/sub"), Getenv: func(name string) string { return h.env[name] },
		Warn: func(text string) { h.warn = append(h.warn, text) },
	}
}

func (h *house) init() {
	h.t.Helper()
	if _, err := Init(h.t.Context(), h.path("project"), h.options()); err != nil {
		h.t.Fatal(err)
	}
}

// trust is Trust of the project.
func (h *house) trust() error {
	_, err := Trust(h.t.Context(), h.path("project"), h.options())
	return err
}

const ownConfig = "authorities: {t: {service: DAVFS, args: ['http://127.0.0.1:1/x'], kwargs: {username: me, password: 'env:TOKEN'}}}\nsync: auto\n"

// reach opens the authority of the configuration and returns the service that
// it would be opened as.
func (h *house) reach(opts *Options) (got config.Service, err error) {
	h.t.Helper()
	h.env["TOKEN"] = "ghp_secret"
	opts.Kinds = authorityKinds(func(_ context.Context, s config.Service) (remote.Authority, error) {
		got = s
		return &remote.Mem{}, nil
	})
	api, err := Open(h.t.Context(), opts)
	if err != nil {
		return got, err
	}
	defer api.Close()
	h.sync = api.Profile().Sync
	_, err = api.site(h.t.Context(), "t")
	return got, err
}

// wantTrust checks that the repository's own configuration is trusted, or not.
func (h *house) wantTrust(name string, want bool) {
	h.t.Helper()
	got, err := h.reach(h.options())
	switch {
	case want && h.sync != "auto", !want && h.sync != "manual":
		h.t.Errorf("%s: sync is %s", name, h.sync)
	case want && (err != nil || got.Kwargs["password"] != "ghp_secret"):
		h.t.Errorf("%s: %v, opened %v, want it trusted", name, err, got)
	case !want && (!errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "password: env:TOKEN") || leaf.HintIn(err) == ""):
		h.t.Errorf("%s: %v, want env: and password refused by name, with a hint", name, err)
	case !want && got.Service != "":
		h.t.Errorf("%s: %v was opened", name, got)
	}
}

func TestARepositoryOfOnesOwnIsTrusted(t *testing.T) {
	h := newHouse(t)
	h.write("project/.datafs/config.yml", ownConfig)
	h.wantTrust("made by init", true)
	if len(h.warn) > 0 {
		t.Errorf("warnings: %q", h.warn)
	}
	fi, err := os.Stat(h.path("home/.config/datafs/trusted"))
	if err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("the file of records: %v, %v, want mode 0600", fi, err)
	}
}

func TestTrustEndsWhenWhatWasRecordedChanges(t *testing.T) {
	for name, change := range map[string]func(h *house) error{
		"no record": func(h *house) error { return os.Remove(h.path("home/.config/datafs/trusted")) },
		"others can write the configuration": func(h *house) error {
			return os.Chmod(h.path("project/.datafs/config.yml"), 0o602)
		},
		"the group can write the configuration": func(h *house) error {
			return os.Chmod(h.path("project/.datafs/config.yml"), 0o620)
		},
		"others can replace the configuration": func(h *house) error { return os.Chmod(h.path("project/.datafs"), 0o777) },
		"others can write the records":         func(h *house) error { return os.Chmod(h.path("home/.config/datafs/trusted"), 0o666) },
		"another path": func(h *house) error {
			return errors.Join(os.Rename(h.path("project"), h.path("moved")), os.Symlink(h.path("moved"), h.path("project")))
		},
		"another id": func(h *house) error {
			name := h.path("project/.datafs/datafs.json")
			err := os.Remove(name)
			return errors.Join(err, objects.Create(filepath.Dir(name), &objects.CreateOptions{ID: "another"}))
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			h.write("project/.datafs/config.yml", ownConfig)
			h.wantTrust("before", true)
			if err := change(h); err != nil {
				t.Fatal(err)
			}
			h.wantTrust("after", false)
			if !slices.ContainsFunc(h.warn, func(s string) bool { return strings.Contains(s, "counts as manual") }) {
				t.Errorf("warnings: %q, want one of sync: auto", h.warn)
			}
		})
	}
}

func TestTrustIsGivenByHandOrByTheEnvironment(t *testing.T) {
	h := newHouse(t)
	h.write("project/.datafs/config.yml", ownConfig)
	if err := os.Remove(h.path("home/.config/datafs/trusted")); err != nil {
		t.Fatal(err)
	}
	h.wantTrust("an earlier release made it", false)
	for _, list := range []string{h.path("project"), "/elsewhere:" + h.path("project/.datafs")} {
		h.env["DATAFS_TRUST"] = list
		h.wantTrust("DATAFS_TRUST="+list, true)
	}
	for _, list := range []string{"", ":", h.dir, h.path("home") + ":"} {
		h.env["DATAFS_TRUST"] = list
		h.wantTrust("DATAFS_TRUST="+list, false)
	}
	h.env["DATAFS_TRUST"] = ""
	if err := h.trust(); err != nil {
		t.Fatal(err)
	}
	h.wantTrust("by hand", true)
}

func TestTrustIsRefusedWhereItWouldBeVoid(t *testing.T) {
	h := newHouse(t)
	h.write("project/.datafs/config.yml", ownConfig)
	if err := os.Chmod(h.path("project/.datafs/config.yml"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := h.trust(); !errors.Is(err, fs.ErrPermission) || !strings.Contains(leaf.HintIn(err), "chmod") {
		t.Errorf("%v, hint %q", err, leaf.HintIn(err))
	}
	if _, err := Trust(t.Context(), h.path("home"), h.options()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no repository: %v", err)
	}
}

func TestAFileThatTheUserNamesIsTrusted(t *testing.T) {
	h := newHouse(t)
	os.Remove(h.path("home/.config/datafs/trusted"))
	h.write("project/.datafs/config.yml", ownConfig)
	opts := h.options()
	opts.ConfigFile = h.path("project/.datafs/config.yml")
	if _, err := h.reach(opts); err != nil {
		t.Error(err)
	}
	h.env["DATAFS_CONFIG_FILE"] = opts.ConfigFile
	if _, err := h.reach(h.options()); err != nil {
		t.Error(err)
	}
}

func TestInitTrustsNoConfigurationThatLayThere(t *testing.T) {
	h := newHouse(t)
	h.mkdir("planted/.datafs")
	h.write("planted/.datafs/config.yml", ownConfig)
	if _, err := Init(t.Context(), h.path("planted"), h.options()); err != nil {
		t.Fatal(err)
	}
	if len(h.warn) != 1 || !strings.Contains(h.warn[0], "lay there before") {
		t.Errorf("warnings: %q", h.warn)
	}
	opts := h.options()
	opts.Dir = h.path("planted")
	if _, err := h.reach(opts); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("%v, want it refused", err)
	}
}

func TestInitWorksWhereNoRecordCanBeWritten(t *testing.T) {
	h := newHouse(t)
	h.write("file", "")
	for _, home := range []string{"", h.path("file"), "/proc/none"} {
		h.env["HOME"], h.warn = home, nil
		dir := fmt.Sprintf("new%d", len(home))
		h.mkdir(dir)
		if _, err := Init(t.Context(), h.path(dir), h.options()); err != nil || len(h.warn) != 1 {
			t.Errorf("HOME=%s: %v, warnings %q, want one", home, err, h.warn)
		}
	}
}

func TestManyAreTrustedAtOnce(t *testing.T) {
	h := newHouse(t)
	var all sync.WaitGroup
	for i := range 20 {
		dir := fmt.Sprintf("p%d", i)
		h.mkdir(dir)
		all.Go(func() {
			opts := h.options()
			opts.Warn = func(text string) { t.Error(text) }
			if _, err := Init(t.Context(), h.path(dir), opts); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	lines, err := os.ReadFile(h.path("home/.config/datafs/trusted"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		if !strings.Contains(string(lines), strconv.Quote(h.path(fmt.Sprintf("p%d/.datafs", i)))) {
			t.Errorf("p%d has no record", i)
		}
	}
}

func TestARepositoryThatIsFoundMustBelongToTheUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give files to others")
	}
	const other = 4711
	for _, name := range []string{"project", "project/.datafs", "project/.datafs/config.yml", "a link"} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			os.Remove(h.path("home/.config/datafs/trusted"))
			h.write("project/.datafs/config.yml", "sync: manual")
			if name == "a link" {
				name = "project/.datafs"
				if err := errors.Join(os.Rename(h.path(name), h.path("real")), os.Symlink(h.path("real"), h.path(name))); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Lchown(h.path(name), other, other); err != nil {
				t.Fatal(err)
			}
			open := func(opts *Options) error {
				api, err := Open(t.Context(), opts)
				if err == nil {
					err = api.Close()
				}
				return err
			}
			if err := open(h.options()); !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "4711") || leaf.HintIn(err) == "" {
				t.Errorf("found: %v, want it refused with the owner and a hint", err)
			}
			if _, _, err := ConfigureTarget(h.options()); !errors.Is(err, fs.ErrPermission) {
				t.Errorf("configure: %v, want it refused", err)
			}
			named := h.options()
			named.Repo = h.path("project")
			if err := open(named); err != nil {
				t.Errorf("named: %v", err)
			}
			h.env["SUDO_UID"] = "4711"
			if err := open(h.options()); err != nil {
				t.Errorf("under sudo: %v", err)
			}
			h.env["SUDO_UID"] = "4712"
			if err := open(h.options()); !errors.Is(err, fs.ErrPermission) {
				t.Errorf("under somebody else's sudo: %v", err)
			}
			h.env["DATAFS_TRUST"] = h.path("project")
			if err := open(h.options()); err != nil {
				t.Errorf("trusted: %v", err)
			}
		})
	}
}

func TestDirectoriesAboveAreNotLookedAt(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give files to others")
	}
	h := newHouse(t)
	if err := errors.Join(os.Chown(h.dir, 4711, 4711), os.Chown(h.path("project/sub"), 4711, 4711)); err != nil {
		t.Fatal(err)
	}
	h.write("project/.datafs/config.yml", ownConfig)
	h.wantTrust("between others' directories", true)
}

func TestTrustEndsWhenTheOwnerChanges(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give files to others")
	}
	h := newHouse(t)
	h.write("project/.datafs/config.yml", ownConfig)
	h.env["SUDO_UID"] = "4711" // so that it is still used
	if err := os.Chown(h.path("project/.datafs"), 4711, 4711); err != nil {
		t.Fatal(err)
	}
	h.wantTrust("another owner", false)
	if err := h.trust(); err != nil {
		t.Fatal(err)
	}
	h.wantTrust("trusted again", true)
	if err := os.Chown(h.path("project/.datafs/config.yml"), 4712, 4712); err != nil {
		t.Fatal(err)
	}
	opts := h.options()
	opts.Repo = h.path("project")
	if _, err := h.reach(opts); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("a configuration of a third: %v, want it refused", err)
	}
}
