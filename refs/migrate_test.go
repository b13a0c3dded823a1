package refs_test

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/datafs/datafs/refs"
)

var longAgo = time.Date(2016, 5, 4, 3, 2, 1, 0, time.UTC)

func oldArchive() refs.Archive {
	return refs.Archive{
		Name: "old/a", Authority: "local", Versioned: true, Tags: []string{"X", "x"}, Created: longAgo,
		Metadata: map[string]string{"k": "v"}, UserConfig: map[string]string{"username": "Ann"},
	}
}

// oldVersion is a version as it was recorded elsewhere; the messages are those
// of its updates.
func oldVersion(t *testing.T, number string, messages ...string) refs.VersionRecord {
	t.Helper()
	v, err := refs.ParseVersion(number)
	if err != nil {
		t.Fatal(err)
	}
	rec := refs.VersionRecord{Version: v, Tree: content("tree " + number), Hash: content(number), Size: 3, Files: 1, Checksums: map[string]string{"md5": "00"}}
	for i, m := range messages {
		rec.Updates = append(rec.Updates, refs.Update{Message: &m, Time: longAgo.Add(time.Duration(i) * time.Hour), Bump: "patch"})
	}
	return rec
}

func messages(t *testing.T, d *refs.DB, archive string) string {
	t.Helper()
	history, err := d.History(t.Context(), archive)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, h := range history {
		all = append(all, h.Label()+" "+*h.Message+" "+h.Time.Format("15"))
	}
	return strings.Join(all, ", ")
}

func TestMigratedRecordsStayAsTheyWere(t *testing.T) {
	eachDB(t, func(t *testing.T, d *refs.DB) {
		ctx := t.Context()
		required := refs.Spec{Metadata: map[string]string{"needed": "?"}, UserConfig: map[string]string{"needed": "?"}, Patterns: []string{"^never$"}}
		if err := d.SetSpec(ctx, required); err != nil {
			t.Fatal(err)
		}
		first := []refs.VersionRecord{oldVersion(t, "0.1", "one", "dependencies"), oldVersion(t, "0.0.1", "first")}
		for range 2 { // again: nothing more
			if err := d.AddMigrated(ctx, oldArchive(), first); err != nil {
				t.Fatal(err)
			}
		}
		if got, want := messages(t, d, "old/a"), "0.0.1 first 03, 0.1 one 03, 0.1 dependencies 04"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		a, err := d.Archive(ctx, "old/a")
		if err != nil || !a.Created.Equal(longAgo) || len(a.Tags) != 1 || a.UserConfig["username"] != "Ann" {
			t.Errorf("got %+v, %v", a, err)
		}

		if err := d.AddTags(ctx, "old/a", "mine"); err != nil {
			t.Fatal(err)
		}
		more := []refs.VersionRecord{oldVersion(t, "0.1", "one", "dependencies", "later"), oldVersion(t, "1.0", "two")}
		if err := d.AddMigrated(ctx, oldArchive(), more); err != nil {
			t.Fatal(err)
		}
		want := "0.0.1 first 03, 0.1 one 03, 0.1 dependencies 04, 0.1 later 05, 1.0 two 03"
		if got := messages(t, d, "old/a"); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if a, _ := d.Archive(ctx, "old/a"); len(a.Tags) != 2 {
			t.Errorf("the archive that was here has the tags %v", a.Tags)
		}
	})
}

func TestMigratedRecordsThatCannotBe(t *testing.T) {
	type edit = func(*refs.Archive, *refs.VersionRecord)
	tests := []struct {
		name string
		edit edit
		kind error
	}{
		{"a name with a backslash", func(a *refs.Archive, _ *refs.VersionRecord) { a.Name = `a\b` }, fs.ErrInvalid},
		{"version 0.0", func(_ *refs.Archive, v *refs.VersionRecord) { v.Version = refs.Version{} }, fs.ErrInvalid},
		{"a number of a versioned archive", func(_ *refs.Archive, v *refs.VersionRecord) { v.Number = 1 }, fs.ErrInvalid},
		{"a version of an unversioned archive", func(a *refs.Archive, _ *refs.VersionRecord) { a.Versioned = false }, fs.ErrInvalid},
		{"no content", func(_ *refs.Archive, v *refs.VersionRecord) { v.Tree = content("") }, fs.ErrInvalid},
		{"no updates", func(_ *refs.Archive, v *refs.VersionRecord) { v.Updates = nil }, fs.ErrInvalid},
		{"a message that is no text", func(_ *refs.Archive, v *refs.VersionRecord) { v.Updates[0].Message = new("\xff") }, fs.ErrInvalid},
		{"a bump that nobody understands", func(_ *refs.Archive, v *refs.VersionRecord) { v.Updates[0].Bump = "up" }, fs.ErrInvalid},
		{"a version twice", func(_ *refs.Archive, v *refs.VersionRecord) { v.Version = refs.Version{Patch: 2} }, fs.ErrInvalid},
		{"a version with other contents", func(a *refs.Archive, v *refs.VersionRecord) {
			a.Name, v.Version, v.Hash = "here", refs.Version{Patch: 1}, content("else")
		}, refs.ErrConflict},
		{"an archive of the other kind", func(a *refs.Archive, _ *refs.VersionRecord) { a.Name = "unversioned" }, refs.ErrConflict},
	}
	eachDB(t, func(t *testing.T, d *refs.DB) {
		mustCreate(t, d, refs.Archive{Name: "unversioned", Authority: "local"})
		here := oldArchive()
		here.Name = "here"
		if err := d.AddMigrated(t.Context(), here, []refs.VersionRecord{oldVersion(t, "0.0.1", "x")}); err != nil {
			t.Fatal(err)
		}
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				a, list := oldArchive(), []refs.VersionRecord{oldVersion(t, "0.0.2", "x"), oldVersion(t, "0.0.1", "x")}
				tt.edit(&a, &list[1])
				if err := d.AddMigrated(t.Context(), a, list); !errors.Is(err, tt.kind) {
					t.Errorf("got %v, want an error of the kind %v", err, tt.kind)
				}
				names := []string{}
				for v, err := range d.AllVersions(t.Context()) {
					names = append(names, v.Archive+" "+v.Label())
					if err != nil {
						t.Fatal(err)
					}
				}
				if got := strings.Join(names, ", "); got != "here 0.0.1" {
					t.Errorf("got the versions %s afterwards", got)
				}
			})
		}
	})
}

func TestMigratedUnversionedArchives(t *testing.T) {
	eachDB(t, func(t *testing.T, d *refs.DB) {
		a, v := oldArchive(), oldVersion(t, "0.0", "third")
		a.Versioned, v.Number = false, 3
		if err := d.AddMigrated(t.Context(), a, []refs.VersionRecord{v}); err != nil {
			t.Fatal(err)
		}
		rec, _, _, err := d.AddVersion(t.Context(), refs.NewVersion{Archive: "old/a", Tree: content("t"), Hash: content("h"), Size: 1})
		if err != nil || rec.Number != 4 {
			t.Errorf("got number %d after 3, %v", rec.Number, err)
		}
	})
}
