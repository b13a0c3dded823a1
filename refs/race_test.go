package refs_test

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"slices"
	"testing"

	"github.com/datafs/datafs/refs"
)

type (
	ctx     = context.Context
	records = iter.Seq2[refs.Record, error]
)

// interrupted is a manager in which, once, something happens before or after a
// write: what another process would do in between.
type interrupted struct {
	refs.Mem
	before, after func(key string) // called once, for the first write that plan names
	plan          func(op, key string) bool
	reached       bool
}

func (m *interrupted) hook(op, key string) func() {
	if m.reached || m.plan == nil || !m.plan(op, key) {
		return func() {}
	}
	m.reached = true
	if m.before != nil {
		m.before(key)
	}
	return func() {
		if m.after != nil {
			m.after(key)
		}
	}
}

func (m *interrupted) Put(ctx ctx, key string, value []byte, prev refs.Rev) (refs.Rev, error) {
	defer m.hook("put", key)()
	return m.Mem.Put(ctx, key, value, prev)
}

func (m *interrupted) Delete(ctx ctx, key string, prev refs.Rev) error {
	defer m.hook("delete", key)()
	return m.Mem.Delete(ctx, key, prev)
}

func (m *interrupted) List(ctx ctx, prefix string) records {
	defer m.hook("list", prefix)()
	return m.Mem.List(ctx, prefix)
}

func isOp(op, key string) func(string, string) bool {
	return func(o, k string) bool { return o == op && k == key }
}

// planned makes a manager with an archive that has one version, and a second
// view on it, in which the plan does not work.
func planned(t *testing.T, plan func(op, key string) bool) (m *interrupted, d, other *refs.DB) {
	t.Helper()
	m = &interrupted{}
	d, other = refs.New(m, &refs.Options{Now: clock()}), refs.New(&m.Mem, &refs.Options{Now: clock()})
	mustCreate(t, other, versioned("a")[0])
	add(t, other, "a", "1")
	m.plan = plan
	t.Cleanup(func() {
		if plan != nil && !m.reached {
			t.Error("what was planned never happened")
		}
	})
	return m, d, other
}

func nv(contents string) refs.NewVersion {
	return refs.NewVersion{Archive: "a", Hash: content(contents), Size: 1, Bump: "patch"}
}

func wantNothing(t *testing.T, m *interrupted) {
	t.Helper()
	for r, err := range m.Mem.List(t.Context(), "") {
		t.Errorf("left behind: %q, %v", r.Key, err)
	}
}

func TestAnotherTakesTheNumber(t *testing.T) {
	m, d, other := planned(t, isOp("put", `version/a\0.0.2`))
	m.before = func(string) { add(t, other, "a", "theirs") }
	rec, prev, created, err := d.AddVersion(t.Context(), nv("mine"))
	if err != nil || !created || rec.Label() != "0.0.3" || prev.Label() != "0.0.2" {
		t.Errorf("got %s after %v, %v, %v", rec.Label(), prev, created, err)
	}
}

func TestAnotherAddsTheSameContents(t *testing.T) {
	m, d, other := planned(t, isOp("put", `version/a\0.0.2`))
	m.before = func(string) { add(t, other, "a", "same") }
	rec, _, created, err := d.AddVersion(t.Context(), nv("same"))
	if err != nil || created || rec.Label() != "0.0.2" {
		t.Errorf("got %s, %v, %v", rec.Label(), created, err)
	}
}

func TestAnotherDeletesBeforeTheVersionIsWritten(t *testing.T) {
	m, d, other := planned(t, isOp("put", `version/a\0.0.2`))
	m.before = func(string) {
		if err := other.Delete(t.Context(), "a"); err != nil {
			t.Error(err)
		}
	}
	_, _, _, err := d.AddVersion(t.Context(), nv("2"))
	wantText(t, err, `Archive "a" not found`, fs.ErrNotExist)
	wantNothing(t, m)
}

func TestAnotherDeletesAfterTheVersionIsWritten(t *testing.T) {
	m, d, other := planned(t, isOp("put", `version/a\0.0.2`))
	m.after = func(string) {
		if err := other.Delete(t.Context(), "a"); err != nil {
			t.Error(err)
		}
	}
	_, _, _, err := d.AddVersion(t.Context(), nv("2"))
	wantText(t, err, `Archive "a" not found`, fs.ErrNotExist)
	wantNothing(t, m)
}

func TestAnotherDeletesAndMakesAnewWhileTheVersionIsWritten(t *testing.T) {
	m, d, other := planned(t, isOp("put", `version/a\0.0.2`))
	m.before = func(string) {
		if err := other.Delete(t.Context(), "a"); err != nil {
			t.Error(err)
		}
		mustCreate(t, other, versioned("a")[0])
	}
	_, _, _, err := d.AddVersion(t.Context(), nv("2"))
	wantText(t, err, `Archive "a" not found`, fs.ErrNotExist)
	wantList(t, "versions of the new archive", labels(t, d, "a"), []string{})
}

func TestAnotherAddsAVersionDuringDelete(t *testing.T) {
	m, d, other := planned(t, isOp("delete", `version/a\0.0.1`))
	m.before = func(string) {
		_, _, _, err := other.AddVersion(t.Context(), nv("2"))
		wantText(t, err, `Archive "a" is being deleted`, refs.ErrConflict)
	}
	if err := d.Delete(t.Context(), "a"); err != nil {
		t.Error(err)
	}
	wantNothing(t, m)
}

func TestAnotherChangesAVersionDuringDelete(t *testing.T) {
	m, d, _ := planned(t, isOp("delete", `version/a\0.0.1`))
	m.before = func(key string) {
		r, err := m.Mem.Get(t.Context(), key)
		if err == nil {
			_, err = m.Mem.Put(t.Context(), key, r.Value, r.Rev)
		}
		if err != nil {
			t.Error(err)
		}
	}
	if err := d.Delete(t.Context(), "a"); err != nil {
		t.Error(err)
	}
	wantNothing(t, m)
}

func TestAnotherDeletesToo(t *testing.T) {
	for _, op := range []string{"put", "delete"} {
		m, d, other := planned(t, isOp(op, `archive/a`))
		m.before = func(string) {
			if err := other.Delete(t.Context(), "a"); err != nil {
				t.Error(err)
			}
		}
		err := d.Delete(t.Context(), "a")
		if op == "put" {
			wantText(t, err, `Archive "a" not found`, fs.ErrNotExist)
		} else if err != nil {
			t.Error(err)
		}
		wantNothing(t, m)
	}
}

// TestDeleteIsRepeatable breaks off a deletion at each of its writes.
func TestDeleteIsRepeatable(t *testing.T) {
	for _, at := range []string{"put archive/a", `delete version/a\0.0.1`, "delete archive/a"} {
		t.Run(at, func(t *testing.T) {
			broken, cancel := context.WithCancel(t.Context())
			m, d, other := planned(t, func(op, key string) bool { return op+" "+key == at })
			m.before = func(string) { cancel() }
			if err := d.Delete(broken, "a"); !errors.Is(err, context.Canceled) {
				t.Fatalf("broken off with %v", err)
			}
			wantList(t, "names", names(t, other.Names(t.Context(), "")), []string{"a"})
			_, err := other.Create(t.Context(), versioned("a")[0], nil)
			wantText(t, err, `Archive "a" already exists`, fs.ErrExist)
			if err := other.Delete(t.Context(), "a"); err != nil {
				t.Error(err)
			}
			wantNothing(t, m)
		})
	}
}

func TestNothingChangesWhatIsBeingDeleted(t *testing.T) {
	m, d, other := planned(t, isOp("delete", `version/a\0.0.1`))
	m.before = func(string) {
		for _, err := range []error{
			other.UpdateMetadata(t.Context(), "a", map[string]*string{"k": new("v")}),
			other.AddTags(t.Context(), "a", "x"),
			other.DeleteTags(t.Context(), "a", "x"),
			other.SetDependencies(t.Context(), "a", nil, nil, nil),
		} {
			wantText(t, err, `Archive "a" is being deleted`, refs.ErrConflict)
		}
	}
	if err := d.Delete(t.Context(), "a"); err != nil {
		t.Error(err)
	}
}

func TestAnotherAddsAVersionWhileDependenciesAreSet(t *testing.T) {
	m, d, other := planned(t, isOp("put", `version/a\0.0.1`))
	m.before = func(string) {
		if err := other.SetDependencies(t.Context(), "a", refs.Dependencies{"theirs": nil}, nil, nil); err != nil {
			t.Error(err)
		}
	}
	if err := d.SetDependencies(t.Context(), "a", refs.Dependencies{"mine": nil}, nil, nil); err != nil {
		t.Fatal(err)
	}
	h, err := d.History(t.Context(), "a")
	if err != nil || len(h) != 3 || showDeps(h[1].Dependencies) != "{theirs:None}" || showDeps(h[2].Dependencies) != "{mine:None}" {
		t.Errorf("history is %+v, %v", h, err)
	}
}

// stubborn never lets anybody create a record, and shows none.
type stubborn struct{ refs.Mem }

func (m *stubborn) Put(ctx ctx, key string, value []byte, prev refs.Rev) (refs.Rev, error) {
	if key == `version/a\0.0.1` {
		return refs.Absent, refs.ErrConflict
	}
	return m.Mem.Put(ctx, key, value, prev)
}

func TestRetriesEnd(t *testing.T) {
	d := refs.New(&stubborn{}, nil)
	mustCreate(t, d, versioned("a")[0])
	if _, _, _, err := d.AddVersion(t.Context(), nv("1")); !errors.Is(err, refs.ErrConflict) {
		t.Errorf("error is %v", err)
	}
}

func TestImportAll(t *testing.T) {
	eachDB(t, func(t *testing.T, d *refs.DB) {
		mustCreate(t, d, refs.Archive{Name: "old", Versioned: true, Tags: []string{"kept"}})
		add(t, d, "old", "1")
		mustCreate(t, d, versioned("beta")[0])
		add(t, d, "beta", "1", bump("", "beta"))
		item := func(name, contents string) refs.NewArchive {
			v := nv(contents)
			return refs.NewArchive{Archive: refs.Archive{Name: name, Authority: "local", Versioned: true, Tags: []string{"T"}}, Version: v}
		}
		list := []refs.NewArchive{item("/new//1", "x"), item("old", "2"), item("old", "2"), item(`bad\name`, "x"), item("empty", "x"), item("beta", "2"), item("word", "x"), item("new/2", "x"), item("utf", "x")}
		list[4].Version.Size = 0
		list[5].Version.Bump, list[5].Version.Prerelease = "", "alpha"
		list[6].Version.Bump = "huge"
		list[8].Archive.Tags = []string{"\xff"}
		errs, err := d.ImportAll(t.Context(), list)
		if err != nil {
			t.Fatal(err)
		}
		bad := []int{}
		for i, err := range errs {
			if err != nil {
				bad = append(bad, i)
				if !errors.Is(err, fs.ErrInvalid) {
					t.Errorf("element %d: %v", i, err)
				}
			}
		}
		if want := []int{3, 4, 5, 6, 8}; !slices.Equal(bad, want) {
			t.Errorf("refused were %v, want %v: %v", bad, want, errs)
		}
		wantList(t, "names", names(t, d.Names(t.Context(), "")), []string{"beta", "new/1", "new/2", "old"})
		wantList(t, "versions of a new one", labels(t, d, "new/1"), []string{"0.0.1"})
		wantList(t, "versions of the old one", labels(t, d, "old"), []string{"0.0.1", "0.0.2"})
		if a, err := d.Archive(t.Context(), "old"); err != nil || !slices.Equal(a.Tags, []string{"kept"}) {
			t.Errorf("the old one is %+v, %v", a, err)
		}
		if !list[0].Made || !list[0].Created || list[0].Record.Label() != "0.0.1" || list[1].Made || !list[1].Created || list[2].Created || list[2].Record.Label() != "0.0.2" {
			t.Errorf("results are %+v", list[:3])
		}
	})
}

func TestImportAllTakesBackWhatHasNoVersion(t *testing.T) {
	eachDB(t, func(t *testing.T, d *refs.DB) {
		v := nv("x")
		v.Message = new(string(make([]byte, refs.MaxValue)))
		errs, err := d.ImportAll(t.Context(), []refs.NewArchive{{Archive: versioned("a")[0], Version: v}})
		if err != nil || !errors.Is(errs[0], fs.ErrInvalid) {
			t.Errorf("errors are %v, %v", errs, err)
		}
		wantList(t, "names", names(t, d.Names(t.Context(), "")), []string{})
	})
}

// changesOf counts what a manager has been given to write.
func changesOf(t *testing.T, m refs.Manager) []string {
	t.Helper()
	list := []string{}
	for r, err := range m.Changes(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, string(r.Cursor)+" "+r.Key)
	}
	return list
}

func TestWhatChangesNothingWritesNothing(t *testing.T) {
	m := &refs.Mem{}
	d := refs.New(m, nil)
	mustCreate(t, d, refs.Archive{Name: "a", Versioned: true, Tags: []string{"x"}, Metadata: map[string]string{"k": "v"}})
	add(t, d, "a", "1")
	s := refs.Spec{Metadata: map[string]string{"k": "K?"}}
	if err := d.SetSpec(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	want := changesOf(t, m)
	add(t, d, "a", "1")
	for _, err := range []error{
		d.SetSpec(t.Context(), s),
		d.UpdateMetadata(t.Context(), "a", map[string]*string{"k": new("v"), "none": nil}),
		d.AddTags(t.Context(), "a", "X"),
		d.DeleteTags(t.Context(), "a", "none"),
	} {
		if err != nil {
			t.Error(err)
		}
	}
	wantList(t, "changes", changesOf(t, m), want)
}

// reading counts the records that are asked for.
type reading struct {
	refs.Manager
	asked int
}

func (m *reading) Get(ctx ctx, key string) (refs.Record, error) {
	m.asked++
	return m.Manager.Get(ctx, key)
}

// TestAMessageIsNotRetried: that somebody deletes the archive is for the user to
// know, not a race to win.
func TestAMessageIsNotRetried(t *testing.T) {
	m, d, _ := planned(t, isOp("delete", `version/a\0.0.1`))
	m.before = func(string) {
		r := &reading{Manager: &m.Mem}
		wantText(t, refs.New(r, nil).AddTags(t.Context(), "a", "x"), `Archive "a" is being deleted`, refs.ErrConflict)
		if r.asked != 1 {
			t.Errorf("the manager was asked %d times", r.asked)
		}
	}
	if err := d.Delete(t.Context(), "a"); err != nil {
		t.Error(err)
	}
}
