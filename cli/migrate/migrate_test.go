package migrate

import (
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"maps"
	"strings"
	"testing"

	"github.com/datafs/datafs"
)

type object = map[string]any

// seedTable is a table of the original in memory.
type seedTable struct {
	docs []object
	spec object
}

func (s *seedTable) Documents(context.Context) iter.Seq2[map[string]any, error] {
	return func(yield func(map[string]any, error) bool) {
		for _, d := range s.docs {
			if !yield(d, nil) {
				return
			}
		}
	}
}

func (s *seedTable) Spec(context.Context) (map[string]any, error) { return s.spec, nil }
func (s *seedTable) Close() error                                 { return nil }

func md5Of(text string) string { return fmt.Sprintf("%x", md5.Sum([]byte(text))) }

// seedRecord is one of a history; more are fields in its place.
func seedRecord(version any, text, updated string, more object) object {
	r := object{
		"version": version, "algorithm": "md5", "checksum": md5Of(text), "updated": updated,
		"message": nil, "dependencies": object{}, "user_config": object{"username": "Ann"},
	}
	maps.Copy(r, more)
	return r
}

func seedDoc(name string, history ...any) object {
	return object{
		"_id": name, "authority_name": "remote", "archive_path": name, "versioned": true, "version_history": history,
		"archive_metadata": object{}, "tags": []any{}, "creation_date": "20160101-000000",
	}
}

// migrateFrom runs Migrate, and gives what it tells, a line each.
func migrateFrom(t *testing.T, api *datafs.API, seed Seed, files Files, opts Options) (string, Report, error) {
	t.Helper()
	var lines []string
	opts.Seed, opts.Files = seed, map[string]Files{"": files}
	opts.Each = func(i Item) {
		line := strings.TrimSpace(fmt.Sprintf("%s: %s %s", i.Status, i.Archive, i.Version))
		switch i.Status {
		case Changed, Broken:
			line += ": " + i.Why
		default:
			line += fmt.Sprintf(" %d+%d", i.Taken, i.Unchanged)
		}
		lines = append(lines, line)
	}
	rep, err := Run(t.Context(), api, &opts)
	return strings.Join(lines, "\n"), rep, err
}

func migrated(t *testing.T, api *datafs.API, seed Seed, files Files, opts Options, want string) Report {
	t.Helper()
	got, rep, err := migrateFrom(t, api, seed, files, opts)
	noError(t, err)
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	return rep
}

func seedDirOf(t *testing.T, files map[string]string) Files {
	t.Helper()
	dir := must(OpenDir(writeTree(t, files)))(t)
	t.Cleanup(func() { noError(t, dir.Close()) })
	return dir
}

// climate is an archive as the original would have left it, with all there is.
func climate() object {
	doc := seedDoc("climate/tas.csv",
		seedRecord("0.0.1", "one", "20160102-030405", object{"message": "first"}),
		seedRecord("0.1b1", "two", "20160103-030405", object{"dependencies": object{"/grid": "0.1.0", "other": nil}}),
		seedRecord("0.1b1", "two", "20160104-030405", object{"dependencies": object{"grid": "1.0"}, "user_config": object{"username": "Bob"}}),
		seedRecord("0.1", "three", "20160105-030405", nil))
	doc["tags"] = []any{"CMIP5", "monthly"}
	doc["archive_metadata"] = object{"description": "temperature"}
	doc["username"], doc["contact"] = "Ann", "ann@example.com"
	return doc
}

var climateFiles = map[string]string{"climate/tas.csv/0.0.1": "one", "climate/tas.csv/0.1b1": "two", "climate/tas.csv/0.1": "three"}

func TestMigrate(t *testing.T) {
	api, ctx := newAPI(t), t.Context()
	seed := &seedTable{docs: []object{climate()}, spec: object{
		"required_user_config": object{"username": "Your name"}, "required_archive_metadata": object{},
		"required_archive_patterns": []any{"^climate", "(?!x)"},
	}}
	files := seedDirOf(t, climateFiles)

	patterns := "\nbroken: requirements: the required pattern \"(?!x)\" is not understood"
	rep := migrated(t, api, seed, files, Options{DryRun: true}, "migrated: climate/tas.csv 3+0"+patterns)
	equal(t, "what it would do", rep, Report{Archives: 1, Versions: 3, Size: 11, Broken: 1, Required: true})
	equal(t, "archives after a dry run", archives(t, api), "")

	again := migrated(t, api, seed, files, Options{}, "migrated: climate/tas.csv 3+0"+patterns)
	equal(t, "what it does", again, rep)

	h := must(api.Archive(ctx, "climate/tas.csv", nil))(t)
	equal(t, "versions", versions(t, h), "0.0.1 0.1b1 0.1")
	for version, want := range map[string]string{"0.0.1": "one", "0.1b1": "two", "0.1": "three"} {
		equal(t, version, text(t, h, version), want)
	}
	a := must(h.Record(ctx))(t)
	equal(t, "archive", fmt.Sprint(a.Authority, a.Tags, a.Metadata, a.UserConfig, a.Created),
		"local[cmip5 monthly] map[description:temperature] map[contact:ann@example.com username:Ann] 2016-01-01 00:00:00 +0000 UTC")
	var lines []string
	for _, e := range must(h.History(ctx))(t) {
		deps := ""
		for _, name := range []string{"grid", "other"} {
			if v, ok := e.Dependencies[name]; ok {
				deps += name
				if v != nil {
					deps += *v
				}
			}
		}
		lines = append(lines, strings.TrimSpace(fmt.Sprint(e.Version, " ", e.Time.Format(seedTime), " ", e.UserConfig["username"], " ", e.Bump, e.Prerelease, " ", deps)))
	}
	equal(t, "history", strings.Join(lines, "\n"), `0.0.1 20160102-030405 Ann patch
0.1b1 20160103-030405 Ann minorbeta grid0.1other
0.1b1 20160104-030405 Bob minorbeta grid1.0
0.1 20160105-030405 Ann minor`)
	rec := must(h.Version(ctx, "0.0.1"))(t)
	equal(t, "message", *rec.Last().Message, "first")
	equal(t, "checksums", fmt.Sprint(rec.Checksums), "map[md5:"+md5Of("one")+"]")
	spec := must(api.Spec(ctx))(t)
	equal(t, "requirements", fmt.Sprint(spec.UserConfig, spec.Metadata, spec.Patterns), "map[username:Your name] map[] [^climate]")
}

// openCounter counts the files that are opened.
type openCounter struct {
	Files
	opened int
}

func (o *openCounter) Open(ctx context.Context, path string) (io.ReadCloser, error) {
	o.opened++
	return o.Files.Open(ctx, path)
}

func TestMigrateAgain(t *testing.T) {
	api, ctx := newAPI(t), t.Context()
	seed := &seedTable{docs: []object{climate()}}
	files := &openCounter{Files: seedDirOf(t, climateFiles)}
	migrated(t, api, seed, files, Options{}, "migrated: climate/tas.csv 3+0")
	equal(t, "files read", files.opened, 3)

	h := must(api.Archive(ctx, "climate/tas.csv", nil))(t)
	noError(t, h.AddTags(ctx, "mine"))
	put(t, h, "four")
	rep := migrated(t, api, seed, files, Options{}, "unchanged: climate/tas.csv 0+3")
	equal(t, "report", rep, Report{Unchanged: 3})
	equal(t, "files read again", files.opened, 3)
	equal(t, "tags", fmt.Sprint(must(h.Tags(ctx))(t)), "[cmip5 monthly mine]")

	// At the source, too, it went on: a change of dependencies, and a version.
	doc := climate()
	doc["version_history"] = append(doc["version_history"].([]any),
		seedRecord("0.1", "three", "20170105-030405", object{"dependencies": object{"grid": "2.0"}}),
		seedRecord("0.1.1", "another", "20170106-030405", nil))
	seed.docs = []object{doc}
	migrated(t, api, seed, files, Options{},
		"broken: climate/tas.csv 0.1.1: other contents are here under this number\nmigrated: climate/tas.csv 0+3")
	equal(t, "dependencies of 0.1", dependenciesOf(t, h, "0.1"), "grid==2.0")
	equal(t, "contents of 0.1.1", text(t, h, "0.1.1"), "four")
}

func TestMigrateKnowsContentsWithoutTheirMD5(t *testing.T) {
	api := newAPI(t)
	put(t, must(api.Create(t.Context(), "climate/tas.csv", nil))(t), "one")
	migrated(t, api, &seedTable{docs: []object{climate()}}, seedDirOf(t, climateFiles), Options{}, "migrated: climate/tas.csv 2+1")
}

func TestMigrateUnversioned(t *testing.T) {
	api, ctx := newAPI(t), t.Context()
	doc := seedDoc("dir/data",
		seedRecord(nil, "one", "20160102-000000", nil), seedRecord("None", "two", "20160103-000000", nil),
		seedRecord(nil, "two", "20160104-000000", object{"message": "dependencies"}))
	doc["versioned"] = false
	seed := &seedTable{docs: []object{doc}}
	gone := "changed: dir/data: the contents before update 2 are gone, and their records left out: the original replaced them\n"
	migrated(t, api, seed, seedDirOf(t, map[string]string{"dir/data": "two"}), Options{}, gone+"migrated: dir/data 1+0")
	h := must(api.Archive(ctx, "dir/data", nil))(t)
	equal(t, "versioned", h.Versioned(), false)
	equal(t, "contents", text(t, h, ""), "two")
	equal(t, "records", len(must(h.History(ctx))(t)), 2)
	migrated(t, api, seed, nil, Options{}, "broken: dir/data: it is on the authority \"remote\", which the profile does not have")
	files := seedDirOf(t, map[string]string{"dir/data": "three"})
	migrated(t, api, seed, files, Options{}, gone+"unchanged: dir/data 0+1")

	doc["version_history"] = append(doc["version_history"].([]any), seedRecord(nil, "three", "20170101-000000", nil))
	next := strings.Replace(gone, "update 2", "update 3", 1)
	migrated(t, api, seed, files, Options{}, next+"migrated: dir/data 1+0")
	equal(t, "contents afterwards", text(t, h, ""), "three")

	put(t, h, "mine")
	doc["version_history"] = append(doc["version_history"].([]any), seedRecord(nil, "theirs", "20170102-000000", nil))
	last := strings.Replace(gone, "update 2", "update 4", 1)
	migrated(t, api, seed, files, Options{}, last+"broken: dir/data: other contents are here under this number\nunchanged: dir/data 0+0")
	equal(t, "contents of one's own", text(t, h, ""), "mine")
}

func TestMigrateAnUnversionedArchiveThatHasLostRecords(t *testing.T) {
	api := newAPI(t)
	doc := seedDoc("a", seedRecord(nil, "one", "20160102-000000", nil), seedRecord(nil, "two", "20160103-000000", nil))
	doc["versioned"] = false
	seed, files := &seedTable{docs: []object{doc}}, seedDirOf(t, map[string]string{"a": "two"})
	_, _, err := migrateFrom(t, api, seed, files, Options{})
	noError(t, err)
	doc["version_history"] = doc["version_history"].([]any)[1:]
	migrated(t, api, seed, files, Options{}, "broken: a: other contents are here under this number\nunchanged: a 0+0")
}

func TestMigrateKeepsWhatIsRequiredHere(t *testing.T) {
	api, ctx := newAPI(t), t.Context()
	noError(t, api.RequireUserConfig(ctx, map[string]*string{"mine": new("?")}))
	seed := &seedTable{spec: object{"required_user_config": object{"theirs": "?"}, "required_archive_metadata": object{"theirs": "?"}}}
	rep := migrated(t, api, seed, nil, Options{}, "")
	spec := must(api.Spec(ctx))(t)
	equal(t, "requirements", fmt.Sprint(rep.Required, spec.UserConfig, spec.Metadata), "true map[mine:?] map[theirs:?]")
}

func TestMigrateSome(t *testing.T) {
	api := newAPI(t)
	seed := &seedTable{docs: []object{seedDoc("a"), seedDoc("b")}, spec: object{"required_archive_patterns": []any{"x"}}}
	got, _, err := migrateFrom(t, api, seed, nil, Options{Archives: []string{"/b", "c"}})
	wantError(t, err, "migrate: not found at the source: c", fs.ErrNotExist)
	equal(t, "told", got, "migrated: b 0+0")
	equal(t, "names", archives(t, api), "b")
	equal(t, "requirements", len(must(api.Spec(t.Context()))(t).Patterns), 0)
}

func TestMigrateToAnAuthority(t *testing.T) {
	const config = "authorities: {one: 'mem://', two: 'mem://'}"
	docs := []object{seedDoc("a"), seedDoc("b")}
	docs[1]["authority_name"] = "two"
	for option, want := range map[string]string{"one": "one one", "": ""} {
		api := openConfigured(t, config)
		_, _, err := migrateFrom(t, api, &seedTable{docs: docs}, nil, Options{Authority: option})
		if option == "" {
			if !errors.Is(err, fs.ErrInvalid) || !strings.Contains(err.Error(), "Authority ambiguous") {
				t.Errorf("got %v", err)
			}
			_, _, err = migrateFrom(t, api, &seedTable{docs: docs[1:]}, nil, Options{})
			noError(t, err)
			equal(t, "the document's", must(api.Archive(t.Context(), "b", nil))(t).Authority(), "two")
			continue
		}
		noError(t, err)
		got := must(api.Archive(t.Context(), "a", nil))(t).Authority() + " " + must(api.Archive(t.Context(), "b", nil))(t).Authority()
		equal(t, "authorities", got, want)
	}
	_, _, err := migrateFrom(t, newAPI(t), &seedTable{}, nil, Options{Authority: "none"})
	wantError(t, err, `Authority "none" not found`, fs.ErrNotExist)
}

func TestMigrateInSmallSteps(t *testing.T) {
	defer func(n int) { migrateCount = n }(migrateCount)
	migrateCount = 1
	api := newAPI(t)
	seed := &seedTable{docs: []object{climate(), seedDoc("empty")}}
	rep := migrated(t, api, seed, seedDirOf(t, climateFiles), Options{}, "migrated: climate/tas.csv 3+0\nmigrated: empty 0+0")
	equal(t, "report", rep, Report{Archives: 2, Versions: 3, Size: 11})
}
