package datafs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/refs"
	"github.com/datafs/datafs/remote"
	"github.com/datafs/datafs/remote/config"
)

// sick is an authority that keeps its promises but for those that a test takes
// away.
type sick struct {
	remote.Mem
	put, get, list, putNew, remove error // nil: the promise holds

	garble   bool // reads give something else
	lazy     bool // deletes nothing
	blind    bool // lists nothing
	careless bool // takes no notice of conditions
}

func (s *sick) Put(ctx context.Context, name string, r io.ReadSeeker) error {
	if err := s.put; err != nil {
		return err
	}
	return s.Mem.Put(ctx, name, r)
}

func (s *sick) PutNew(ctx context.Context, name string, r io.ReadSeeker) error {
	if err := s.putNew; err != nil {
		return err
	}
	if s.careless {
		return s.Mem.Put(ctx, name, r)
	}
	return s.Mem.PutNew(ctx, name, r)
}

func (s *sick) Get(ctx context.Context, name string, off, n int64) (io.ReadCloser, error) {
	if err := s.get; err != nil {
		return nil, err
	}
	if s.garble && strings.HasPrefix(name, "probe-") {
		return io.NopCloser(bytes.NewReader([]byte("else"))), nil
	}
	return s.Mem.Get(ctx, name, off, n)
}

func (s *sick) List(ctx context.Context, prefix string) iter.Seq2[remote.Info, error] {
	if err := s.list; err != nil {
		return func(yield func(remote.Info, error) bool) { yield(remote.Info{}, err) }
	}
	if s.blind {
		return func(func(remote.Info, error) bool) {}
	}
	return s.Mem.List(ctx, prefix)
}

func (s *sick) Delete(ctx context.Context, name string) error {
	if err := s.remove; err != nil || s.lazy {
		return err
	}
	return s.Mem.Delete(ctx, name)
}

func (s *sick) files(t *testing.T) string {
	var names []string
	for _, info := range collect(t, s.Mem.List(t.Context(), "")) {
		names = append(names, info.Name)
	}
	return strings.Join(names, " ")
}

// patient opens a repository whose team is at an authority of the test's own.
func patient(t *testing.T, auth remote.Authority) *API {
	t.Helper()
	opts := nowOptions(t.TempDir(), "authorities: {team: 'mem://'}")
	opts.Kinds = authorityKinds(func(context.Context, config.Service) (remote.Authority, error) { return auth, nil })
	return openChecked(t, opts)
}

func TestDoctorTriesWhatAnAuthorityPromises(t *testing.T) {
	denied := fmt.Errorf("not yours: %w", fs.ErrPermission)
	down := fmt.Errorf("connection refused: %w", ErrUnavailable)
	for _, c := range []struct {
		name    string
		sick    *sick
		status  string
		text    string
		manager string
		left    bool // something stays behind
	}{
		{"all is well", &sick{}, CheckOK, "exclusive writes", CheckOK, false},
		{"it cannot be reached", &sick{get: down}, CheckProblem, "see whether the network", CheckProblem, false},
		{"writing is not permitted", &sick{put: denied, putNew: denied}, CheckWarning, "push does not", CheckWarning, false},
		{"writing fails", &sick{put: down}, CheckProblem, "writing: ", CheckOK, false},
		{"a read gives something else", &sick{garble: true}, CheckProblem, "reading: ", CheckOK, false},
		{"a listing is not permitted", &sick{list: denied}, CheckWarning, "listing: ", CheckOK, false},
		{"a listing has not all", &sick{blind: true}, CheckProblem, "does not list", CheckOK, false},
		{"a second writer is not refused", &sick{careless: true}, CheckOK, "no exclusive writes", CheckProblem, false},
		{"there are no exclusive writes", &sick{putNew: errors.ErrUnsupported}, CheckOK, "no exclusive writes", CheckProblem, false},
		{"deleting is not permitted", &sick{remove: denied}, CheckWarning, "deleting: ", CheckWarning, true},
		{"a file that was deleted is there", &sick{lazy: true}, CheckProblem, "still has", CheckOK, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			all := examined(t, patient(t, c.sick))
			wantCheck(t, all, "authority team", c.status, c.text)
			wantCheck(t, all, "manager", c.manager)
			if left := c.sick.files(t); (left != "") != c.left {
				t.Errorf("left behind: %s", left)
			}
		})
	}
}

func TestDoctorOfATeamsDirectory(t *testing.T) {
	shared := t.TempDir()
	api := openChecked(t, nowOptions(t.TempDir(), "authorities: {team: {service: OSFS, args: ["+shared+"]}, gone: {service: OSFS, args: [nowhere]}}\ndefault-authority: team"))
	all := examined(t, api)
	wantCheck(t, all, "authority team", CheckOK, shared, "nothing has been pushed", "exclusive writes")
	wantCheck(t, all, "authority gone", CheckProblem, "is not there")
	wantCheck(t, all, "manager", CheckOK, `"team"`, "empty yet")

	newArchive(t, api, "x")
	push(t, api)
	all = examined(t, api)
	wantCheck(t, all, "authority team", CheckOK, "in use")
	wantCheck(t, all, "manager", CheckOK, `table "datafs" can be read`)

	for name := range readTree(t, shared) {
		if strings.Contains(name, "probe") {
			t.Errorf("left behind: %s", name)
		}
	}
}

func TestDoctorKnowsAnAuthorityAgain(t *testing.T) {
	shared := t.TempDir()
	config := "authorities: {team: {service: OSFS, args: [" + shared + "]}}"
	api := openChecked(t, nowOptions(t.TempDir(), config))
	newArchive(t, api, "x")
	push(t, api)
	later := func(want, text string) {
		t.Helper()
		again := nowOptions(t.TempDir(), config)
		again.Repo = api.Repo()
		wantCheck(t, examined(t, openOnly(t, again)), "authority team", want, text)
	}
	later(CheckOK, "in use")
	noError(t, os.RemoveAll(shared))
	noError(t, os.Mkdir(shared, 0o700))
	later(CheckWarning, "empty, and was not")
	other := openChecked(t, nowOptions(t.TempDir(), config))
	newArchive(t, other, "y")
	push(t, other)
	later(CheckWarning, "another one")
}

type readOnly struct{ remote.Mem }

func (*readOnly) ReadOnly() {}

func TestDoctorWritesNothingWhereNothingCanBeWritten(t *testing.T) {
	opts := nowOptions(t.TempDir(), "authorities: {team: 'mem://', web: {service: HTTPFS, args: ['http://host/']}}\ndefault-authority: team")
	opts.Kinds = authorityKinds(func(_ context.Context, s config.Service) (remote.Authority, error) {
		if s.Service == "HTTPFS" {
			return &readOnly{}, nil
		}
		return &remote.Mem{}, nil
	})
	wantCheck(t, examined(t, openChecked(t, opts)), "authority web", CheckWarning, "can only be read")
}

func TestDoctorFindsADamagedCatalogue(t *testing.T) {
	auth := &sick{}
	alice := patient(t, auth)
	newArchive(t, alice, "x")
	push(t, alice)
	for _, info := range collect(t, auth.Mem.List(t.Context(), "catalog/")) {
		noError(t, auth.Mem.Put(t.Context(), info.Name, strings.NewReader("garbage")))
	}
	wantCheck(t, examined(t, patient(t, auth)), "manager", CheckProblem, "catalog")
}

func TestDoctorWithoutOneToKeepTheCatalogue(t *testing.T) {
	api := openChecked(t, nowOptions(t.TempDir(), "authorities: {a: 'mem://', b: 'mem://'}"))
	wantCheck(t, examined(t, api), "manager", CheckProblem, "default-authority")
}

func TestDoctorOfAnAuthorityThatCannotBeOpened(t *testing.T) {
	api := openChecked(t, nowOptions(t.TempDir(), "authorities: {team: {service: FTPFS, args: [host], kwargs: {passwd: 'env:NONE'}}}"))
	all := examined(t, api)
	wantCheck(t, all, "authority team", CheckProblem, "the variable NONE is not set", "set the variable")
	if strings.Contains(all["authority team"].Detail, "authority") {
		t.Errorf("the authority is named twice: %s", all["authority team"].Detail)
	}
}

func TestDoctorOfflineAsksNobody(t *testing.T) {
	for _, manager := range []string{"", "manager: {class: mongo, kwargs: {database_name: d}}"} {
		opts := nowOptions(t.TempDir(), "authorities: {team: 'mem://'}\n"+manager)
		opts.Offline = true
		opts.Kinds = databaseKinds(func(context.Context, config.Manager) (config.Database, error) { return &ward{}, nil })
		all := examined(t, openChecked(t, opts))
		wantCheck(t, all, "authority team", CheckSkipped, "offline")
		wantCheck(t, all, "manager", CheckSkipped, "offline")
	}
}

// ward is a database with one table, where there is none if fail says so.
type ward struct {
	config.Database // for what the doctor must not call
	mem             refs.Mem
	fail            error // of the records and the log
	noSpec          error // of what is required
}

func (w *ward) String() string { return "mongodb://host/d" }
func (w *ward) Table() string  { return "things" }
func (w *ward) Close() error   { return nil }

func (w *ward) Manager(string, *index.DB) (refs.Manager, error) { return &wardManager{&w.mem, w}, nil }

type wardManager struct {
	refs.Manager
	ward *ward
}

func (m *wardManager) Get(ctx context.Context, key string) (refs.Record, error) {
	if m.ward.fail != nil {
		return refs.Record{}, m.ward.fail
	}
	return m.Manager.Get(ctx, key)
}

func (m *wardManager) List(ctx context.Context, prefix string) iter.Seq2[refs.Record, error] {
	return m.unless(m.ward.noSpec, m.Manager.List(ctx, prefix))
}

func (m *wardManager) Changes(ctx context.Context, since refs.Cursor) iter.Seq2[refs.Record, error] {
	return m.unless(m.ward.fail, m.Manager.Changes(ctx, since))
}

func (m *wardManager) unless(err error, seq iter.Seq2[refs.Record, error]) iter.Seq2[refs.Record, error] {
	if err == nil {
		return seq
	}
	return func(yield func(refs.Record, error) bool) { yield(refs.Record{}, err) }
}

func (m *wardManager) Put(context.Context, string, []byte, refs.Rev) (refs.Rev, error) {
	panic("the doctor writes into a database")
}

func TestDoctorOfADatabase(t *testing.T) {
	missing := leaf.Errorf(fs.ErrNotExist, `Table "things" not found`)
	denied := leaf.Errorf(fs.ErrPermission, "user ann may not find in things.log")
	for _, c := range []struct {
		name   string
		ward   *ward
		status string
		text   string
	}{
		{"all is well", &ward{}, CheckOK, `mongodb://host/d, table "things"`},
		{"there is no table", &ward{fail: missing, noSpec: missing}, CheckProblem, "create-table"},
		{"there is no table of archives", &ward{fail: missing}, CheckProblem, "create-table"},
		{"the requirements must not be read", &ward{noSpec: denied}, CheckProblem, "docs/managers.md"},
		{"the log must not be read", &ward{fail: denied}, CheckProblem, "ann may not"},
		{"it is down", &ward{noSpec: leaf.Errorf(ErrUnavailable, "no server")}, CheckProblem, "the server are up"},
		{"a variable is not set", &ward{}, CheckProblem, "set the variable"},
		{"this program does not know it", nil, CheckProblem, "built without MongoDBManager"},
	} {
		t.Run(c.name, func(t *testing.T) {
			variable := map[bool]string{true: ", client_kwargs: {password: 'env:NONE'}"}[c.text == "set the variable"]
			opts := nowOptions(t.TempDir(), "manager: {class: mongo, kwargs: {database_name: d"+variable+"}}")
			if c.ward != nil {
				opts.Kinds = databaseKinds(func(context.Context, config.Manager) (config.Database, error) { return c.ward, nil })
			}
			wantCheck(t, examined(t, openChecked(t, opts)), "manager", c.status, c.text)
		})
	}
}

func TestDoctorOfTheEmbeddedManager(t *testing.T) {
	api := openChecked(t, nowOptions(t.TempDir(), "manager: {class: embedded}"))
	wantCheck(t, examined(t, api), "manager", CheckOK, "no team")
	if left, _ := filepath.Glob(filepath.Join(api.Repo(), "tmp", "*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
