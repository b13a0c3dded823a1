package docdb_test

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"strings"
	"testing"

	"github.com/datafs/datafs/refs"
	"github.com/datafs/datafs/refs/docdb"
)

// impatient readers never wait for a writer.
var impatient = &docdb.Options{Patience: -1}

// follower keeps a copy of a table by its changes.
type follower struct {
	docdb.Manager
	cursor refs.Cursor
	seen   map[string]string
	step   bool // come back after each record
}

func newFollower(s docdb.Store, step bool) *follower {
	return &follower{Manager: *docdb.New(s, impatient), seen: map[string]string{}, step: step}
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

// The records of a table: "new" does not exist, "void" does not either but has a
// place-holder, and "old-fenced" and "gone-fenced" keep one if they are deleted.
var table = []string{"new", "new2", "void", "old", "old-fenced", "gone", "gone-fenced"}

func newTable(t *testing.T) *docdb.Mem {
	t.Helper()
	s := &docdb.Mem{}
	m := docdb.New(s, impatient)
	for _, key := range table[3:] {
		set(t, m, key, "first")
	}
	head, _ := s.Head(t.Context())
	err := s.Append(t.Context(), docdb.Entry{N: head + 1, Writer: "who died", Changes: []docdb.EntryChange{
		{Key: "void"}, {Key: "old-fenced"}, {Key: "gone-fenced"}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := newFollower(s, false).follow(t); err != nil {
		t.Fatal(err)
	}
	if d, err := s.Get(t.Context(), []string{"void"}); err != nil || !d["void"].Void {
		t.Fatalf("got %+v, %v, want a place-holder", d, err)
	}
	return s
}

// batch is what the writer under test wants.
func batch(t *testing.T, m refs.Manager) []refs.Change {
	var list []refs.Change
	for _, key := range table {
		c := refs.Change{Key: key, Prev: rev(t, m, key)}
		if key != "gone" && key != "gone-fenced" {
			c.Value = value("written")
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
	store  *docdb.Mem
	writer *faulty
	want   []refs.Change
	errs   []error
	err    error
	done   chan struct{}
}

func start(t *testing.T, at string, m mode) *run {
	s := newTable(t)
	r := &run{t: t, store: s, writer: newFaulty(s, at, m), done: make(chan struct{})}
	r.want = batch(t, docdb.New(s, impatient))
	go func() {
		defer close(r.done)
		r.errs, r.err = docdb.New(r.writer, impatient).PutAll(t.Context(), r.want)
	}()
	select {
	case <-r.done:
	case <-r.writer.reached:
	}
	return r
}

// end lets the writer end, and checks that all followers have what there is, and
// that the writer was told the truth.
func (r *run) end(acted bool, followers ...*follower) {
	t := r.t
	r.writer.finish()
	<-r.done
	got := map[string]string{}
	fresh := newFollower(r.store, false)
	followers = append(followers, fresh)
	for _, f := range followers {
		if err := f.follow(t); err != nil {
			t.Fatal(err)
		}
	}
	for rec, err := range fresh.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		got[rec.Key] = string(rec.Value)
	}
	for i, f := range followers {
		if !maps.Equal(f.seen, got) {
			t.Errorf("follower %d has %v, want %v", i, f.seen, got)
		}
	}
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
			if m == againLate && strings.HasPrefix(at, "insert") {
				continue // a Store must not do that
			}
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

// TestNothingIsMissedWhateverHappensToAReaderThatFinishesAWrite has a writer that
// stalls or dies, and a reader with any fault, while others read and write.
func TestNothingIsMissedWhateverHappensToAReaderThatFinishesAWrite(t *testing.T) {
	cases, unreached := 0, 0
	defer func() {
		if unreached > cases/100 {
			t.Errorf("%d of %d planned faults were not reached", unreached, cases)
		}
	}()
	for _, at := range requests(t) {
		for _, m := range []mode{killBefore, pauseBefore, late} {
			for _, readerAt := range readerRequests(t, at, m) {
				for _, readerMode := range modes {
					if readerMode == againLate && strings.HasPrefix(readerAt, "insert") {
						continue
					}
					for _, other := range []string{"nothing", "writes it", "writes and deletes it"} {
						name := fmt.Sprintf("writer: %s, %s; reader: %s, %s; another one %s", at, m, readerAt, readerMode, other)
						cases++
						if ok := t.Run(name, func(t *testing.T) {
							// What else the writer has on its way when it is held up differs, and
							// with it what a reader does: some of its requests are rare.
							for try := 1; !twoFaults(t, at, m, readerAt, readerMode, others[other]); try++ {
								if try == 100 {
									unreached++
									t.Skip("the planned fault was not reached")
								}
							}
						}); !ok {
							return
						}
					}
				}
			}
		}
	}
}

// readerRequests gives the names of what a reader does after the writer's fault.
func readerRequests(t *testing.T, at string, m mode) []string {
	r := start(t, at, m)
	f := newFaulty(r.store, "", "")
	if err := newFollower(f, false).follow(t); err != nil {
		t.Fatal(err)
	}
	r.end(false)
	return f.names
}

func twoFaults(t *testing.T, at string, m mode, readerAt string, readerMode mode, texts []string) (reached bool) {
	r := start(t, at, m)
	f := newFaulty(r.store, readerAt, readerMode)
	reader, done := newFollower(f, false), make(chan struct{})
	go func() {
		defer close(done)
		_ = reader.follow(t) // it may fail
	}()
	select {
	case <-done:
	case <-f.reached:
	}
	act(t, r.store, texts)
	other := newFollower(r.store, false)
	if err := other.follow(t); err != nil {
		t.Fatal(err)
	}
	f.finish()
	<-done
	restarted := newFollower(r.store, false)
	restarted.cursor, restarted.seen = reader.cursor, reader.seen
	r.end(texts != nil, other, restarted)
	return f.hit
}

func act(t *testing.T, s docdb.Store, texts []string) {
	t.Helper()
	m := docdb.New(s, impatient)
	for _, text := range texts {
		for _, key := range table {
			set(t, m, key, text)
		}
	}
}
