package refs

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"testing"
)

func must(t testing.TB, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func TestReservedNamesAreRefusedWhereAnArchiveIsMade(t *testing.T) {
	t.Parallel()
	d := New(&Mem{}, nil)
	for _, name := range []string{
		".git", "a/.GIT/hooks/post-commit", ".datafs/config.yml", "x/.datafs-checkout.lock", "GIT~1/config", "a/.svn./b", ".hg ",
		".git::$INDEX_ALLOCATION", ".g\u200cit/config", "a\u202eb", "\u2066x",
	} {
		_, created := d.Create(t.Context(), Archive{Name: name}, nil)
		errs, err := d.ImportAll(t.Context(), []NewArchive{{Archive: Archive{Name: name}, Version: NewVersion{Bump: "patch", AllowEmpty: true}}})
		must(t, err)
		migrated := d.AddMigrated(t.Context(), Archive{Name: name}, nil)
		for how, err := range map[string]error{"Create": created, "ImportAll": errs[0], "AddMigrated": migrated} {
			if !errors.Is(err, fs.ErrInvalid) {
				t.Errorf("%s(%q): got %v, want fs.ErrInvalid", how, name, err)
			}
		}
	}
	for name := range d.Names(t.Context(), "") {
		t.Errorf("archive %q was made", name)
	}
}

// TestAnOlderArchiveWithAReservedNameStays as it was made before such names were
// refused.
func TestAnOlderArchiveWithAReservedNameStays(t *testing.T) {
	t.Parallel()
	m := &Mem{}
	d := New(m, nil)
	const name = "a/.git/config"
	_, err := m.Put(t.Context(), ArchiveKey(name), fmt.Appendf(nil, `{"format":1,"name":%q,"tags":["x\u001b"]}`, name), Absent)
	must(t, err)
	made, err := d.Create(t.Context(), Archive{Name: name}, &CreateOptions{ExistOK: true})
	must(t, err, d.AddTags(t.Context(), name, "x\x1b", "more"), d.UpdateMetadata(t.Context(), name, map[string]*string{"k": nil}))
	if made.Name != name {
		t.Errorf("got %q, want %q", made.Name, name)
	}
	a, err := d.Archive(t.Context(), name)
	if must(t, err); !slices.Equal(a.Tags, []string{"x\x1b", "more"}) {
		t.Errorf("tags: got %q", a.Tags)
	}
	must(t, d.Delete(t.Context(), name))
}

func TestTagsWithControlCharactersAreRefused(t *testing.T) {
	t.Parallel()
	d := New(&Mem{}, nil)
	_, err := d.Create(t.Context(), Archive{Name: "a"}, nil)
	must(t, err)
	for _, tag := range []string{"x\x1b[31m", "\n", "\x7f", "\u009b", "a\u202eb", "\u2069", "\x00"} {
		_, created := d.Create(t.Context(), Archive{Name: "b", Tags: []string{tag}}, nil)
		for how, err := range map[string]error{"Create": created, "AddTags": d.AddTags(t.Context(), "a", "good", tag)} {
			if !errors.Is(err, fs.ErrInvalid) {
				t.Errorf("%s with the tag %+q: got %v, want fs.ErrInvalid", how, tag, err)
			}
		}
	}
	a, err := d.Archive(t.Context(), "a")
	if must(t, err); len(a.Tags) > 0 {
		t.Errorf("tags: got %q", a.Tags)
	}
}

func TestForeignName(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", "../up", "/abs", "x/../../up", "a//b", ".", "nl\nx", "esc\x1b[31m", `..\win`, "a/", "x://y", ".git/hooks/x", "a/DATAFS~1"} {
		if err := ForeignName(name); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("ForeignName(%q): got %v, want fs.ErrInvalid", name, err)
		}
	}
	for _, name := range []string{"a", "a/b.c", ".gitignore", "x y", "a\u202eb"} {
		if err := ForeignName(name); err != nil {
			t.Errorf("ForeignName(%q): %v", name, err)
		}
	}
}
