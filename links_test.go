package datafs

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// linked makes a repository with a version in it, of which the entry name has
// moved into victim, with a link in its place.
func linked(t *testing.T, name string) (opts *Options, victim string) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("links need a privilege there")
	}
	opts = testOptions(t.TempDir())
	api := openOnly(t, opts)
	archive, err := api.Create(t.Context(), "a", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := archive.UpdateFrom(t.Context(), strings.NewReader("contents"), nil); err != nil {
		t.Fatal(err)
	}
	if err := api.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(opts.Repo, name)
	victim = filepath.Join(opts.Dir, "victim")
	if err := os.Rename(path, victim); errors.Is(err, fs.ErrNotExist) {
		err = os.WriteFile(victim, []byte("precious"), 0o600)
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(victim, path); err != nil {
		t.Fatal(err)
	}
	return opts, victim
}

func TestNothingInARepositoryIsReachedThroughALink(t *testing.T) {
	packs, err := filepath.Glob(filepath.Join(repoWithPack(t), "packs", "*"))
	if err != nil || len(packs) != 1 {
		t.Fatal(packs, err)
	}
	names := slices.Concat(repoDirs, repoFiles, []string{
		"journal/00000001.journal", "journal/00000001.journal.tmp", "files/ab", "packs/" + filepath.Base(packs[0]),
	})
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			opts, victim := linked(t, name)
			before, err := os.Stat(victim)
			if err != nil {
				t.Fatal(err)
			}
			api, err := Open(t.Context(), opts)
			if !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), filepath.FromSlash(name)) {
				t.Errorf("open: %v, want a permission error that names it", err)
			}
			if err == nil {
				api.Close()
			}
			if after, err := os.Stat(victim); err != nil || after.Size() != before.Size() || !after.ModTime().Equal(before.ModTime()) {
				t.Errorf("what the link leads to has changed: %v, %v", after, err)
			}
		})
	}
}

// repoWithPack makes a repository with the pack that linked makes, too.
func repoWithPack(t *testing.T) string {
	opts, _ := linked(t, "host")
	return opts.Repo
}

func TestAPackThatIsALinkIsNotRead(t *testing.T) {
	opts, _ := linked(t, "host")
	if err := os.Remove(filepath.Join(opts.Repo, "host")); err != nil {
		t.Fatal(err)
	}
	packs, err := filepath.Glob(filepath.Join(opts.Repo, "packs", "*", "*"))
	if err != nil || len(packs) != 1 {
		t.Fatal(packs, err)
	}
	elsewhere := filepath.Join(opts.Dir, "pack")
	if err := errors.Join(os.Rename(packs[0], elsewhere), os.Symlink(elsewhere, packs[0])); err != nil {
		t.Fatal(err)
	}
	api := openOnly(t, opts)
	defer api.Close()
	archive, err := api.Archive(t.Context(), "a", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := archive.Cat(t.Context(), io.Discard, nil); err == nil {
		t.Error("a pack was read through a link")
	}
}

func TestTheRepositoryItselfMayBeALink(t *testing.T) {
	opts, _ := linked(t, "host")
	os.Remove(filepath.Join(opts.Repo, "host"))
	link := filepath.Join(opts.Dir, "link")
	if err := os.Symlink(opts.Repo, link); err != nil {
		t.Fatal(err)
	}
	opts.Repo = link
	openChecked(t, opts)
}

func TestAnEditorsLinkIsNoneOfOurs(t *testing.T) {
	opts, _ := linked(t, ".#config.yml")
	openChecked(t, opts)
}

func TestCleaningRemovesOnlyWhatThisProgramHasMade(t *testing.T) {
	opts, _ := linked(t, "host")
	os.Remove(filepath.Join(opts.Repo, "host"))
	foreign := []string{"tmp/thesis.tex", "tmp/dir/y", "files/note", "files/ab/thesis.tex"}
	own := []string{"tmp/pack-123", "tmp/probe-123", "files/tmp-123", "files/ab/" + strings.Repeat("ab", 32)}
	for _, name := range slices.Concat(foreign, own) {
		path := filepath.Join(opts.Repo, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, nil, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(opts.Dir, filepath.Join(opts.Repo, "tmp", "pack-link")); err != nil {
		t.Fatal(err)
	}
	api := openOnly(t, opts)
	defer api.Close()
	if _, err := api.GC(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	for _, name := range append(foreign, "tmp/pack-link") {
		if _, err := os.Lstat(filepath.Join(opts.Repo, name)); err != nil {
			t.Errorf("%s: %v, want it kept", name, err)
		}
	}
	for _, name := range own {
		if _, err := os.Lstat(filepath.Join(opts.Repo, name)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v, want it removed", name, err)
		}
	}
}
