package team

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/refs"
	"github.com/datafs/datafs/remote"
	"github.com/datafs/datafs/remote/catalog"
)

// syncModel drives some repositories at random and knows which trees may be
// missing in the end, as somebody dropped them.
type syncModel struct {
	t       *testing.T
	rnd     *rand.Rand
	repos   []*syncRepo
	trees   uint64
	dropped map[index.ID]bool
	made    map[index.ID]bool
	log     []string
}

func (m *syncModel) logf(format string, a ...any) { m.log = append(m.log, fmt.Sprintf(format, a...)) }

// yank yanks the latest version of an archive, or takes that back.
func (m *syncModel) yank(r *syncRepo, name string) error {
	v, err := r.db.Highest(m.t.Context(), name)
	if err != nil {
		return err
	}
	m.logf("yanks %s of %s", v.Label(), name)
	return r.db.Yank(m.t.Context(), name, v.Version, refs.Yank{Reason: "r", Undo: v.Yanked() != nil})
}

func (m *syncModel) act() {
	i := m.rnd.IntN(len(m.repos))
	r := m.repos[i]
	ctx := m.t.Context()
	name := string(rune('x' + m.rnd.IntN(2)))
	var err error
	n := m.rnd.IntN(100)
	switch {
	case n < 10:
		_, err = r.db.Create(ctx, refs.Archive{Name: name, Versioned: true, Authority: "a"}, &refs.CreateOptions{ExistOK: true})
	case n < 40:
		m.trees++
		var v string
		if v, err = r.tryAdd(name, m.trees, nil); err == nil {
			m.made[treeOf(m.trees)] = true
		}
		m.logf("%d adds %d to %s as %s: %v", i, m.trees, name, v, err)
	case n < 46:
		dep := fmt.Sprint(n)
		err = r.db.SetDependencies(ctx, name, refs.Dependencies{"q": &dep}, nil, nil)
	case n < 49:
		err = m.yank(r, name)
	case n < 58:
		value := fmt.Sprint(m.rnd.IntN(3))
		err = r.db.UpdateMetadata(ctx, name, map[string]*string{fmt.Sprint("k", m.rnd.IntN(2)): &value})
	case n < 64:
		err = r.db.AddTags(ctx, name, fmt.Sprint("t", m.rnd.IntN(3)))
	case n < 68:
		err = r.db.DeleteTags(ctx, name, fmt.Sprint("t", m.rnd.IntN(3)))
	case n < 71:
		m.drop(r, name)
		err = r.db.Delete(ctx, name)
		m.logf("%d deletes %s: %v", i, name, err)
	case n < 84:
		m.logf("%d pulls %s", i, asJSON(m.t, r.pull()))
	default:
		m.logf("%d pushes", i)
		m.push(r)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		m.t.Fatalf("%v\n%s", err, strings.Join(m.log, "\n"))
	}
}

// drop notes that the versions of an archive may be lost from now on.
func (m *syncModel) drop(r *syncRepo, name string) {
	list, err := r.db.Versions(m.t.Context(), name)
	if err == nil {
		for _, v := range list {
			m.dropped[v.Tree] = true
		}
	}
	for rec := range r.opts.Team.List(m.t.Context(), refs.VersionsPrefix(name)) {
		v, err := refs.DecodeVersion(rec)
		r.must(err)
		m.dropped[v.Tree] = true
	}
	aside, err := r.AsideVersions(m.t.Context(), name)
	r.must(err)
	for _, v := range aside {
		m.dropped[v.Tree] = true
	}
}

// push settles all conflicts of a repository and registers what it has.
func (m *syncModel) push(r *syncRepo) bool {
	r.pull()
	for _, p := range r.status() {
		m.settle(r, p)
	}
	pending := r.status()
	rep, err := r.Register(m.t.Context(), pending)
	r.must(err)
	m.logf("registered %+v of %d", rep, len(pending))
	return len(pending) == 0
}

func (m *syncModel) settle(r *syncRepo, p Pending) {
	for _, c := range p.Conflicts {
		if c.Kind != ConflictVersion {
			theirs := m.rnd.IntN(2) == 0
			if c.Kind == ConflictDeleted {
				m.drop(r, p.Archive)
			}
			m.logf("settles %v theirs %v", c, theirs)
			if err := r.Resolve(m.t.Context(), p.Archive, theirs && c.Kind != ConflictVersion, only(c)); err != nil && !errors.Is(err, refs.ErrConflict) && !errors.Is(err, fs.ErrNotExist) {
				r.must(err)
			}
		}
	}
	for _, p := range r.status() {
		if len(p.Conflicts) == 0 {
			continue
		}
		moved, err := r.Renumber(m.t.Context(), p.Archive)
		m.logf("renumbers %v %v", moved, err)
		if errors.Is(err, fs.ErrNotExist) { // the archive is gone
			m.drop(r, p.Archive)
			err = r.Resolve(m.t.Context(), p.Archive, true, nil)
		}
		r.must(err)
	}
}

func only(c Conflict) []string {
	if c.Kind == ConflictMetadata {
		return []string{c.Key}
	}
	return nil
}

func (m *syncModel) converge() {
	for range 20 {
		quiet := true
		for _, r := range m.repos {
			quiet = m.push(r) && quiet
		}
		if quiet {
			return
		}
	}
	m.t.Errorf("no end of pushing")
}

func (m *syncModel) check(team refs.Manager) {
	count := map[index.ID]int{}
	for r, err := range team.List(m.t.Context(), "version/") {
		if err != nil {
			m.t.Fatal(err)
		}
		v, err := refs.DecodeVersion(r)
		if err != nil {
			m.t.Fatal(err)
		}
		count[v.Tree]++
		if _, err := team.Get(m.t.Context(), refs.ArchiveKey(v.Archive)); err != nil {
			m.t.Errorf("version %s of %s has no archive", v.Label(), v.Archive)
		}
	}
	for tree := range m.made {
		if n := count[tree]; n > 1 || n == 0 && !m.dropped[tree] {
			m.t.Errorf("tree %v is registered %d times", tree, n)
		}
	}
	for _, r := range m.repos {
		r.settled()
		wantSame(m.t, r.bolt, team)
	}
}

func TestRepositoriesConverge(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprintf("with seed %d", seed), func(t *testing.T) {
			t.Parallel()
			team, clock := &refs.Mem{}, &syncClock{}
			m := &syncModel{t: t, rnd: rand.New(rand.NewPCG(seed, 7)), dropped: map[index.ID]bool{}, made: map[index.ID]bool{}}
			for range 3 {
				m.repos = append(m.repos, newSyncRepo(t, team, clock))
			}
			for range 150 {
				m.act()
			}
			m.converge()
			m.check(team)
			if t.Failed() {
				t.Log(strings.Join(m.log, "\n"))
			}
		})
	}
}

func TestRepositoriesConvergeThroughACatalog(t *testing.T) {
	authority, clock := &remote.Mem{}, &syncClock{}
	m := &syncModel{t: t, rnd: rand.New(rand.NewPCG(3, 4)), dropped: map[index.ID]bool{}, made: map[index.ID]bool{}}
	for range 2 {
		r := newSyncRepo(t, nil, clock)
		r.opts.Team = catalogOf(t, authority, r.index)
		m.repos = append(m.repos, r)
	}
	for range 120 {
		m.act()
	}
	m.converge()
	m.check(catalogOf(t, authority, nil))
}

func catalogOf(t *testing.T, a remote.Authority, db *index.DB) *catalog.Catalog {
	c, err := catalog.Open(a, &catalog.Options{Index: db, Space: "team", Probed: true})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestALargePullThroughACatalogInTheSameIndex(t *testing.T) {
	authority, clock := &remote.Mem{}, &syncClock{}
	a, b := newSyncRepo(t, nil, clock), newSyncRepo(t, nil, clock)
	a.opts.Team, b.opts.Team = catalogOf(t, authority, a.index), catalogOf(t, authority, b.index)
	for i := range 3 {
		a.importMany(1000*i, 1000)
		a.push()
	}
	if rep := b.pull(); rep.NewVersions != 3000 {
		t.Errorf("got %d versions, want 3000", rep.NewVersions)
	}
	wantSame(t, b.bolt, a.bolt)
	b.settled()
}

// batchManager is a Batcher that breaks after some changes of the batch.
type batchManager struct {
	*refs.Mem
	left int
}

func (b *batchManager) PutAll(ctx context.Context, changes []refs.Change) ([]error, error) {
	errs := make([]error, len(changes))
	for i, c := range changes {
		if b.left--; b.left == 0 {
			return errs, errFlaky
		}
		if c.Value == nil {
			errs[i] = b.Delete(ctx, c.Key, c.Prev)
		} else {
			_, errs[i] = b.Put(ctx, c.Key, c.Value, c.Prev)
		}
	}
	return errs, nil
}

func TestABatchThatIsBrokenOffGoesOn(t *testing.T) {
	for n := 1; n <= 4; n++ {
		team, clock := &batchManager{Mem: &refs.Mem{}}, &syncClock{}
		a, b := newSyncRepo(t, team, clock), newSyncRepo(t, team, clock)
		a.create("x")
		a.add("x", 1, nil)
		a.create("y")
		a.add("y", 2, nil)
		team.left = n
		if _, err := a.Register(t.Context(), a.status()); !errors.Is(err, errFlaky) {
			t.Fatalf("got %v, want a broken connection", err)
		}
		if rep := a.push(); len(rep.Refused) > 0 {
			t.Errorf("got %+v, want no refusal", rep)
		}
		b.pull()
		wantSame(t, b.bolt, team)
		a.settled()
	}
}

// deletingManager deletes an archive just before a version of it comes in.
type deletingManager struct {
	*refs.Mem
	delete func()
}

func (d *deletingManager) Put(ctx context.Context, key string, value []byte, prev refs.Rev) (refs.Rev, error) {
	if d.delete != nil {
		do := d.delete
		d.delete = nil
		do()
	}
	return d.Mem.Put(ctx, key, value, prev)
}

func TestAVersionWhoseArchiveIsDeletedMeanwhileIsTakenBack(t *testing.T) {
	team, clock := &deletingManager{Mem: &refs.Mem{}}, &syncClock{}
	a, b := newSyncRepo(t, team, clock), newSyncRepo(t, team, clock)
	a.create("x")
	a.add("x", 1, nil)
	a.push()
	b.pull()
	b.add("x", 2, nil)
	pending := b.status()
	team.delete = func() {
		a.must(a.db.Delete(t.Context(), "x"))
		a.push()
	}
	rep, err := b.Register(t.Context(), pending)
	if err != nil || len(rep.Registered) > 0 || len(rep.Refused) != 1 || !errors.Is(rep.Refused[0].Err, refs.ErrConflict) {
		t.Errorf("got %+v, %v, want a refusal", rep, err)
	}
	if got := records(t, team); len(got) > 0 {
		t.Errorf("got %v, want nothing at the team", got)
	}
	v, err := b.db.Latest(t.Context(), "x")
	if err != nil || v.Tree != treeOf(2) {
		t.Errorf("got %v, %v, want one's own version still here", v, err)
	}
	b.must(b.Resolve(t.Context(), "x", false, nil))
	b.push()
	a.pull()
	wantSame(t, a.bolt, team)
	wantSame(t, b.bolt, team)
	b.settled()
}

// flakyManager fails at the n-th write, before it or after it was made.
type flakyManager struct {
	*refs.Mem
	n     atomic.Int64
	after bool
}

var errFlaky = errors.New("the connection broke")

func (f *flakyManager) Put(ctx context.Context, key string, value []byte, prev refs.Rev) (refs.Rev, error) {
	fail := f.n.Add(-1) == 0
	if fail && !f.after {
		return refs.Absent, errFlaky
	}
	rev, err := f.Mem.Put(ctx, key, value, prev)
	if fail {
		return refs.Absent, errFlaky
	}
	return rev, err
}

func (f *flakyManager) Delete(ctx context.Context, key string, prev refs.Rev) error {
	fail := f.n.Add(-1) == 0
	if fail && !f.after {
		return errFlaky
	}
	err := f.Mem.Delete(ctx, key, prev)
	if fail {
		return errFlaky
	}
	return err
}

func TestAPushThatIsBrokenOffGoesOn(t *testing.T) {
	for _, after := range []bool{false, true} {
		for n := int64(1); n <= 6; n++ {
			t.Run(fmt.Sprintf("at write %d, made %v", n, after), func(t *testing.T) {
				team, clock := &flakyManager{Mem: &refs.Mem{}, after: after}, &syncClock{}
				a, b := newSyncRepo(t, team, clock), newSyncRepo(t, team, clock)
				a.create("old")
				a.create("gone")
				a.add("gone", 9, nil)
				a.push()
				a.set("old", "k", "v")
				a.must(a.db.Delete(t.Context(), "gone"))
				a.create("x")
				a.add("x", 1, nil)
				a.add("x", 2, nil)
				pending := a.status()
				team.n.Store(n)
				if _, err := a.Register(t.Context(), pending); !errors.Is(err, errFlaky) {
					t.Fatalf("got %v, want a broken connection", err)
				}
				if rep := a.push(); len(rep.Refused) > 0 {
					t.Errorf("got %+v, want no refusal", rep)
				}
				a.settled()
				b.pull()
				wantSame(t, a.bolt, team)
				wantSame(t, b.bolt, team)
			})
		}
	}
}

func TestManyRegisterVersionsOfOneArchive(t *testing.T) {
	const writers, each = 8, 25
	const others = (writers - 1) * each
	team, clock := &refs.Mem{}, &syncClock{}
	first := newSyncRepo(t, team, clock)
	first.create("x")
	first.push()
	var wg sync.WaitGroup
	errs := make([]error, writers)
	for w := range writers {
		r := newSyncRepo(t, team, clock)
		wg.Go(func() {
			for i := range each {
				if errs[w] == nil {
					errs[w] = r.publish(uint64(1000*w+i), others)
				}
			}
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	first.pull()
	list, err := first.db.Versions(t.Context(), "x")
	if err != nil {
		t.Fatal(err)
	}
	trees := map[index.ID]bool{}
	for i, v := range list {
		trees[v.Tree] = true
		if v.Version.Patch != uint64(i+1) {
			t.Errorf("got %s at place %d", v.Label(), i)
		}
	}
	if len(list) != writers*each || len(trees) != writers*each {
		t.Errorf("got %d versions of %d trees, want %d", len(list), len(trees), writers*each)
	}
}

// publish adds a version to x and pushes it, behind those of the others. A push
// is refused only when another version came first, so no more than others times.
func (r *syncRepo) publish(tree uint64, others int) error {
	ctx := r.t.Context()
	if _, err := r.Pull(ctx, nil); err != nil {
		return err
	}
	if _, err := r.tryAdd("x", tree, nil); err != nil {
		return err
	}
	for range others + 1 {
		out, err := r.Status(ctx, nil)
		if err != nil {
			return err
		}
		rep, err := r.Register(ctx, out.Pending)
		if err != nil || len(rep.Refused) == 0 {
			return err
		}
		if _, err := r.Renumber(ctx, "x"); err != nil {
			return err
		}
	}
	return errors.New("no end of conflicts")
}

func TestProcessesPullAtOnce(t *testing.T) {
	team, clock := &refs.Mem{}, &syncClock{}
	a, b := newSyncRepo(t, team, clock), newSyncRepo(t, team, clock)
	for i := range 30 {
		a.create(fmt.Sprint("x", i))
	}
	a.push()
	var wg sync.WaitGroup
	var made atomic.Int64
	for range 4 {
		other := New(&b.opts)
		wg.Go(func() {
			rep, err := other.Pull(t.Context(), nil)
			if err != nil {
				t.Error(err)
			}
			made.Add(int64(rep.NewArchives))
		})
	}
	wg.Wait()
	if made.Load() != 30 {
		t.Errorf("got %d new archives in all, want 30", made.Load())
	}
	wantSame(t, b.bolt, team)
}

func TestALargePullComesInPages(t *testing.T) {
	team, clock := &refs.Mem{}, &syncClock{}
	a, b := newSyncRepo(t, team, clock), newSyncRepo(t, team, clock)
	a.importMany(0, 1500)
	if rep := a.push(); len(rep.Registered) != 1500 {
		t.Errorf("got %d versions, want 1500", len(rep.Registered))
	}
	if rep := b.pull(); rep.NewVersions != 1500 || len(rep.Changed) != maxChanged {
		t.Errorf("got %d versions and %d names", rep.NewVersions, len(rep.Changed))
	}
	wantSame(t, b.bolt, team)
	a.settled()
}

// importMany makes archives with a version each.
func (r *syncRepo) importMany(first, n int) {
	r.t.Helper()
	var list []refs.NewArchive
	for i := range n {
		tree := treeOf(uint64(first + i))
		list = append(list, refs.NewArchive{
			Archive: refs.Archive{Name: fmt.Sprintf("x%05d", first+i), Versioned: true},
			Version: refs.NewVersion{Tree: tree, Hash: tree, Size: 1, Files: 1},
		})
	}
	errs, err := r.db.ImportAll(r.t.Context(), list)
	r.must(errors.Join(slices.Concat(errs, []error{err})...))
}

func FuzzDecodeBase(f *testing.F) {
	f.Add(baseEntry{gone: true}.encode())
	f.Add(baseEntry{there: true, rev: "12", value: []byte("{}")}.encode())
	f.Fuzz(func(t *testing.T, p []byte) {
		b, err := decodeBase("archive/x", p)
		if err != nil {
			if !errors.Is(err, index.ErrCorrupt) {
				t.Errorf("got %v, want ErrCorrupt", err)
			}
			return
		}
		again, err := decodeBase("archive/x", b.encode())
		if err != nil || again.rev != b.rev || again.sum != b.sum || string(again.value) != string(b.value) {
			t.Errorf("got %+v, %v, want %+v", again, err, b)
		}
	})
}
