package migrate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/datafs/datafs"
)

func TestMigrateWhatIsBroken(t *testing.T) {
	odd := func(field string, value any) object {
		doc := seedDoc("a", seedRecord("0.0.1", "one", "20160102-000000", nil))
		doc[field] = value
		return doc
	}
	one := func(more object) object { return seedDoc("a", seedRecord("0.0.1", "one", "20160102-000000", more)) }
	tests := []struct {
		name string
		doc  object
		want string // of what is told; the archive itself is told last
	}{
		{"the file is missing", seedDoc("a", seedRecord("0.0.2", "one", "20160102-000000", nil)), "broken: a 0.0.2: its file a/0.0.2 is missing\nmigrated: a 0+0"},
		{"the file is another", one(object{"checksum": md5Of("x")}), "broken: a 0.0.1: its file is not what was recorded: the checksum differs\nmigrated: a 0+0"},
		{"the file is a directory", odd("archive_path", "dir"), "broken: a 0.0.1: its file cannot be read: dir/0.0.1 is no file\nmigrated: a 0+0"},
		{"the path leads out of the directory", odd("archive_path", "../x"), "broken: a 0.0.1: its file cannot be read: statat ../x/0.0.1: path escapes from parent\nmigrated: a 0+0"},
		{"a checksum of an unknown kind", one(object{"algorithm": "crc"}), "broken: a 0.0.1: its checksum is of the kind \"crc\", which is not known\nmigrated: a 0+0"},
		{"no checksum", one(object{"checksum": 5}), "broken: a 0.0.1: there is no checksum in its record\nmigrated: a 0+0"},
		{"a checksum in upper case", one(object{"algorithm": "MD5", "checksum": strings.ToUpper(md5Of("one"))}), "migrated: a 1+0"},
		{"a version that is none", one(object{"version": "1.x"}), "broken: a 1.x: invalid version number '1.x'\nmigrated: a 0+0"},
		{"version 0.0", one(object{"version": "0.0"}), "broken: a 0.0: no version can have this number\nmigrated: a 0+0"},
		{"a version written in another way", one(object{"version": "0.00.1"}), "migrated: a 1+0"},
		{"a version that was written twice", seedDoc("a",
			seedRecord("0.0.1", "one", "20160102-000000", nil), seedRecord("0.0.1", "lost", "20160103-000000", object{"user_config": nil})),
			"broken: a 0.0.1: it was written twice: the file is that of 2016-01-02 00:00:00 by Ann, the one of 2016-01-03 00:00:00 is lost\nmigrated: a 1+0"},
		{"a history that is none", odd("version_history", "x"), "broken: a: its history is no list\nmigrated: a 0+0"},
		{"a record that is none", odd("version_history", []any{1, nil}), "broken: a: record 1 of its history is none\nbroken: a: record 2 of its history is none\nmigrated: a 0+0"},
		{"nothing but a name", object{"_id": "a"}, "migrated: a 0+0"},
		{"no name", object{"_id": 5}, "broken: 5: its name is no text"},
		{"a name that cannot be", object{"_id": "../a"}, "broken: ../a: Too many backrefs in '../a'"},
		{"a name that is written in another way", odd("_id", "/a/"), "changed: a: it was called \"/a/\"\nmigrated: a 1+0"},
		{"a kind that is none", odd("versioned", "yes"), "changed: a: it is taken for versioned, as that field is no boolean\nmigrated: a 1+0"},
		{"metadata that is none", odd("archive_metadata", []any{"x"}), "changed: a: its metadata is no dict, and left out\nmigrated: a 1+0"},
		{"metadata of other types", odd("archive_metadata", object{"n": 1.5, "t": "x", "none": nil}), "changed: a: its metadata \"n\" was no text\nmigrated: a 1+0"},
		{"tags that are none", odd("tags", "x"), "changed: a: its tags are no list, and left out\nmigrated: a 1+0"},
		{"a tag of another type", odd("tags", []any{true, "b"}), "changed: a: its tag \"True\" was no text\nmigrated: a 1+0"},
		{"a creation date that is none", odd("creation_date", "yesterday"), "changed: a: its creation date \"yesterday\" cannot be read\nmigrated: a 1+0"},
		{"a creator's setting of another type", odd("year", json.Number("2015")), "changed: a: its user config \"year\" was no text\nmigrated: a 1+0"},
		{"a time that is none", one(object{"updated": nil}), "changed: a 0.0.1: its time \"<nil>\" cannot be read\nmigrated: a 1+0"},
		{"a message of another type", one(object{"message": int64(5)}), "changed: a 0.0.1: its message was no text\nmigrated: a 1+0"},
		{"a message that is not valid UTF-8", one(object{"message": "\xff"}), "changed: a 0.0.1: its message was no text\nmigrated: a 1+0"},
		{"dependencies that are none", one(object{"dependencies": []any{"b==1.0"}}), "changed: a 0.0.1: its dependencies are no dict, and left out\nmigrated: a 1+0"},
		{"a dependency of another type", one(object{"dependencies": object{"b": 1.5}}), "changed: a 0.0.1: its dependency \"b\" was no text\nmigrated: a 1+0"},
	}
	files := seedDirOf(t, map[string]string{"a/0.0.1": "one", "a/0.00.1": "one", "dir/0.0.1/": ""})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			api := newAPI(t)
			seed := &seedTable{docs: []object{tt.doc}}
			dry := migrated(t, api, seed, files, Options{DryRun: true}, tt.want)
			rep := migrated(t, api, seed, files, Options{}, tt.want)
			equal(t, "the dry run", dry, rep)
			if lines := int64(strings.Count(tt.want, "broken: ")); rep.Broken != lines {
				t.Errorf("got %d broken items counted of %d", rep.Broken, lines)
			}
		})
	}
}

func TestMigrateNamesThatBecomeOne(t *testing.T) {
	seed := &seedTable{docs: []object{seedDoc("a/b"), seedDoc("a//b")}}
	migrated(t, newAPI(t), seed, nil, Options{},
		"changed: a/b: it was called \"a//b\"\nbroken: a//b: it would be called a/b here, as a/b is\nmigrated: a/b 0+0")
}

func TestMigrateAnArchiveOfTheOtherKind(t *testing.T) {
	api := newAPI(t)
	must(api.Create(t.Context(), "a", &datafs.CreateOptions{Unversioned: true}))(t)
	migrated(t, api, &seedTable{docs: []object{seedDoc("a")}}, nil, Options{},
		"broken: a: an archive of this name is here, and one is versioned, the other is not")
}

// breaking are files that fail some times before they can be read.
type breaking struct {
	Files
	times int
}

func (b *breaking) Open(ctx context.Context, path string) (io.ReadCloser, error) {
	if b.times--; b.times >= 0 {
		return io.NopCloser(io.MultiReader(strings.NewReader("o"), iotest.ErrReader(fmt.Errorf("the line is cut: %w", datafs.ErrUnavailable)))), nil
	}
	return b.Files.Open(ctx, path)
}

func TestMigrateWithABadLine(t *testing.T) {
	api := newAPI(t)
	seed := &seedTable{docs: []object{seedDoc("b"), climate()}}
	files := &breaking{seedDirOf(t, climateFiles), migrateTries}
	_, rep, err := migrateFrom(t, api, seed, files, Options{})
	if !errors.Is(err, datafs.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
	equal(t, "report", rep, Report{})
	files.times = migrateTries - 1
	rep = migrated(t, api, seed, files, Options{}, "migrated: b 0+0\nmigrated: climate/tas.csv 3+0")
	equal(t, "report of the second run", rep, Report{Archives: 2, Versions: 3, Size: 11})
}

// failing is a table that cannot be read to its end.
type failing struct{ seedTable }

func (f *failing) Documents(ctx context.Context) iter.Seq2[map[string]any, error] {
	return func(yield func(map[string]any, error) bool) {
		for d := range f.seedTable.Documents(ctx) {
			if !yield(d, nil) {
				return
			}
		}
		yield(nil, datafs.ErrUnavailable)
	}
}

func TestMigrateATableThatBreaksOff(t *testing.T) {
	_, _, err := migrateFrom(t, newAPI(t), &failing{seedTable{docs: []object{seedDoc("a")}}}, nil, Options{})
	if !errors.Is(err, datafs.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
}

// FuzzMigrateDocument reads documents of any form: whatever it is, it is no
// panic, and what is made of it is an archive that can be.
func FuzzMigrateDocument(f *testing.F) {
	for _, doc := range []object{climate(), seedDoc("a", 1, object{"version": 5}), {"_id": "x", "versioned": false, "version_history": []any{object{"checksum": "00"}}}} {
		b, err := json.Marshal(doc)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var doc map[string]any
		if json.Unmarshal(b, &doc) != nil {
			return
		}
		s, odd := readSeedArchive(doc)
		if s.Name == "" && len(odd) == 0 {
			t.Errorf("%s is left out without a word", b)
		}
		for _, v := range s.versions {
			if len(v.contents) == 0 || len(v.contents[0].updates) == 0 || (v.number == 0) != s.Versioned || len(s.paths(&v)) == 0 {
				t.Errorf("%s: got %+v", b, v)
			}
		}
	})
}

func TestMigrateGoesOnAfterAnInterruption(t *testing.T) {
	defer func(n int) { migrateCount = n }(migrateCount)
	migrateCount = 1
	api := newAPI(t)
	ctx, stop := context.WithCancel(t.Context())
	seed := &seedTable{docs: []object{seedDoc("first"), climate()}}
	dir := seedDirOf(t, climateFiles)
	files := &stopping{openCounter{Files: dir}, stop}
	_, err := Run(ctx, api, &Options{Seed: seed, Files: map[string]Files{"": files}})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	rep := migrated(t, api, seed, dir, Options{}, "unchanged: first 0+0\nmigrated: climate/tas.csv 2+1")
	equal(t, "report", rep, Report{Versions: 2, Unchanged: 1, Size: 8})
}

// stopping ends the run when the second file is opened.
type stopping struct {
	openCounter
	stop func()
}

func (s *stopping) Open(ctx context.Context, path string) (io.ReadCloser, error) {
	f, err := s.openCounter.Open(ctx, path)
	if s.opened == 2 {
		s.stop()
	}
	return f, err
}
