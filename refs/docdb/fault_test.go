package docdb_test

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"strings"
	"testing"

	"github.com/datafs/datafs/fixtures/docmem"
	"github.com/datafs/datafs/refs"
	"github.com/datafs/datafs/refs/docdb"
)

// follower keeps a copy of a table by its changes.
type follower struct {
	*docdb.Manager
	cursor refs.Cursor
	seen   map[string]string
	step   bool // come back after each record
}

func newFollower(s docdb.Store, step bool) *follower {
	return &follower{Manager: docdb.New(s, nil), seen: map[string]string{}, step: step}
}

func (f *follower) follow(t *testing.T) error {
	for more := true; more; {
		more = false
		for r, err := range f.Changes(t.Context(), f.cursor) {
			if err != nil {
				return err
			}
			before := f.cursor
			if f.cursor = r.Cursor; r.Deleted {
				delete(f.seen, r.Key)
			} else {
				f.seen[r.Key] = string(r.Value)
			}
			if f.step && before != r.Cursor {
				more = true
				break
			}
		}
	}
	return nil
}

func value(text string) []byte { return fmt.Appendf(nil, `{"v":%q}`, text) }

// rev gives the revision of a record; Absent if there is none.
func rev(t *testing.T, m refs.Manager, key string) refs.Rev {
	t.Helper()
	r, err := m.Get(t.Context(), key)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return r.Rev
}

// set changes or creates a record, or deletes it if there is one and text is "".
func set(t *testing.T, m refs.Manager, key, text string) {
	t.Helper()
	for err := error(refs.ErrConflict); errors.Is(err, refs.ErrConflict); { // with a writer under test
		prev := rev(t, m, key)
		switch err = nil; {
		case text != "":
			_, err = m.Put(t.Context(), key, value(text), prev)
		case prev != refs.Absent:
			err = m.Delete(t.Context(), key, prev)
		}
		if err != nil && !refused(err) {
			t.Fatalf("setting %q to %q: %v", key, text, err)
		}
	}
}

// The records of a table: those that begin with "new" do not exist.
var table = []string{"new", "new2", "old", "gone", "spec/new", "spec/old", "spec/gone"}

func newTable(t *testing.T) *docmem.Store {
	t.Helper()
	s := &docmem.Store{}
	m := docdb.New(s, nil)
	for _, key := range table {
		if !strings.Contains(key, "new") {
			set(t, m, key, "first")
		}
	}
	return s
}

// batch is what the writer under test wants.
func batch(t *testing.T, m refs.Manager, text string) []refs.Change {
	var list []refs.Change
	for _, key := range table {
		c := refs.Change{Key: key, Prev: rev(t, m, key)}
		if !strings.Contains(key, "gone") {
			c.Value = value(text)
		}
		list = append(list, c)
	}
	return list
}

// others are what the rest of the world does to each record while the writer is
// held up.
var others = map[string][]string{
	"nothing":                        nil,
	"writes it":                      {"other"},
	"deletes it":                     {""},
	"writes and deletes it":          {"other", ""},
	"deletes it and makes it anew":   {"", "other"},
	"makes it anew after a deletion": {"other", "", "another"},
}

// run is one writer with a fault, while others read and write.
type run struct {
	t      *testing.T
	store  *docmem.Store
	writer *faulty
	want   []refs.Change
	errs   []error
	err    error
	done   chan struct{}
}

func start(t *testing.T, at string, m mode) *run {
	s := newTable(t)
	r := &run{t: t, store: s, writer: newFaulty(s, at, m), done: make(chan struct{})}
	r.want = batch(t, docdb.New(s, nil), "written")
	go func() {
		defer close(r.done)
		r.errs, r.err = docdb.New(r.writer, nil).PutAll(t.Context(), r.want)
	}()
	select {
	case <-r.done:
	case <-r.writer.reached:
	}
	return r
}

// end lets the writer end, and checks that all followers have what there is, that
// the writer was told the truth, and that the documents are what there is as soon as
// somebody has written again.
func (r *run) end(acted bool, followers ...*follower) {
	t := r.t
	r.writer.finish()
	<-r.done
	fresh := newFollower(r.store, false)
	followers = append(followers, fresh)
	for _, f := range followers {
		if err := f.follow(t); err != nil {
			t.Fatal(err)
		}
	}
	got := contents(t, fresh)
	for i, f := range followers {
		if !maps.Equal(f.seen, got) {
			t.Errorf("follower %d has %v, want %v", i, f.seen, got)
		}
	}
	r.documents(fresh)
	if r.err != nil {
		return
	}
	for i, c := range r.want {
		took := got[c.Key] == string(c.Value)
		if err := r.errs[i]; took && c.Value != nil && refused(err) || !acted && took != (err == nil) {
			t.Errorf("%q was told %v, but is %q", c.Key, err, got[c.Key])
		}
	}
}

func contents(t *testing.T, m refs.Manager) map[string]string {
	t.Helper()
	got := map[string]string{}
	for rec, err := range m.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		got[rec.Key] = string(rec.Value)
	}
	return got
}

// documents writes once more and looks at the documents. A request that arrived after
// its sender had given up may leave a document until its record changes.
func (r *run) documents(m *follower) {
	for _, key := range []string{"last", "spec/last"} {
		set(r.t, m, key, "x")
	}
	if strings.Contains(string(r.writer.mode), "late") && strings.Contains(r.writer.at, "show") {
		for _, key := range table {
			set(r.t, m, key, "again")
		}
	}
	got := map[string]string{}
	for _, p := range []docdb.Part{docdb.Records, docdb.Requirements} {
		for key, d := range r.store.Docs(p) {
			got[key] = d.Value
		}
	}
	if want := contents(r.t, m); !maps.Equal(got, want) {
		r.t.Errorf("the documents are %v, want %v", got, want)
	}
}

// requests gives the names of the requests that a writer makes.
func requests(t *testing.T) []string {
	r := start(t, "", "")
	r.end(false)
	if r.err != nil || errors.Join(r.errs...) != nil {
		t.Fatalf("without a fault: %v, %v", r.err, r.errs)
	}
	return r.writer.names
}

func TestNothingIsMissedWhateverHappensToARequestOfAWriter(t *testing.T) {
	for _, at := range requests(t) {
		for _, m := range modes {
			for other, texts := range others {
				for _, reads := range []string{"at the end", "in between", "before, and in between"} {
					name := fmt.Sprintf("%s, %s, and another one %s, read %s", at, m, other, reads)
					t.Run(name, func(t *testing.T) { oneFault(t, at, m, texts, reads) })
				}
			}
		}
	}
}

func oneFault(t *testing.T, at string, m mode, texts []string, reads string) {
	r := start(t, at, m)
	whole, stepwise := newFollower(r.store, false), newFollower(r.store, true)
	read := func() {
		if err := errors.Join(whole.follow(t), stepwise.follow(t)); err != nil {
			t.Fatal(err)
		}
	}
	if strings.HasPrefix(reads, "before") {
		read()
	}
	act(t, r.store, texts)
	if strings.HasSuffix(reads, "in between") {
		read()
	}
	r.end(texts != nil, whole, stepwise)
	if !r.writer.hit {
		t.Error("the planned fault was not reached")
	}
}

// TestNothingIsMissedWhateverHappensToTwoWriters has a writer that stalls or dies, and
// another one of the same records with any fault, while others read and write.
func TestNothingIsMissedWhateverHappensToTwoWriters(t *testing.T) {
	first, _ := split(requests(t)) // the parts do not touch each other
	for _, at := range first {
		for _, m := range []mode{killAfter, pauseBefore, late} {
			second, _ := split(secondRequests(t, at, m))
			for _, secondAt := range second {
				for _, secondMode := range modes {
					for _, other := range []string{"nothing", "writes and deletes it"} {
						name := fmt.Sprintf("first: %s, %s; second: %s, %s; another one %s", at, m, secondAt, secondMode, other)
						t.Run(name, func(t *testing.T) { twoFaults(t, at, m, secondAt, secondMode, others[other]) })
					}
				}
			}
		}
	}
}

// split tells the requests to the records from those to the requirements.
func split(names []string) (records, requirements []string) {
	for _, name := range names {
		if strings.HasPrefix(name, "records") {
			records = append(records, name)
		} else {
			requirements = append(requirements, name)
		}
	}
	return records, requirements
}

// secondRequests gives the names of what a second writer does after the first one's fault.
func secondRequests(t *testing.T, at string, m mode) []string {
	r := start(t, at, m)
	f := newFaulty(r.store, "", "")
	if _, err := docdb.New(f, nil).PutAll(t.Context(), batch(t, docdb.New(r.store, nil), "second")); err != nil {
		t.Fatal(err)
	}
	r.end(true)
	return f.names
}

func twoFaults(t *testing.T, at string, m mode, secondAt string, secondMode mode, texts []string) {
	r := start(t, at, m)
	f := newFaulty(r.store, secondAt, secondMode)
	reader, done := newFollower(r.store, true), make(chan struct{})
	changes := batch(t, docdb.New(r.store, nil), "second")
	go func() {
		defer close(done)
		_, _ = docdb.New(f, nil).PutAll(t.Context(), changes) // it may fail
	}()
	select {
	case <-done:
	case <-f.reached:
	}
	if err := reader.follow(t); err != nil {
		t.Fatal(err)
	}
	act(t, r.store, texts)
	r.writer.finish()
	<-r.done
	f.finish()
	<-done
	if strings.Contains(string(secondMode), "late") && strings.Contains(secondAt, "show") {
		r.writer.mode, r.writer.at = secondMode, secondAt
	}
	r.end(true, reader)
	if !f.hit {
		t.Error("the planned fault was not reached")
	}
}

func act(t *testing.T, s docdb.Store, texts []string) {
	t.Helper()
	m := docdb.New(s, nil)
	for _, text := range texts {
		for _, key := range table {
			set(t, m, key, text)
		}
	}
}
