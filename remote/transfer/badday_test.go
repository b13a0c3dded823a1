package transfer_test

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/datafs/datafs/objects"
	"github.com/datafs/datafs/remote"
	"github.com/datafs/datafs/remote/remotetest"
	"github.com/datafs/datafs/remote/transfer"
)

// TestAPushThatFailsAtAnyRequestGoesOn breaks a push at each of its requests,
// before and after it takes effect, and runs it again.
func TestAPushThatFailsAtAnyRequestGoesOn(t *testing.T) {
	content := random(20, 600_000)
	for _, how := range []remotetest.How{remotetest.Before, remotetest.After} {
		failed := 0
		for n := 1; ; n++ {
			var mem remote.Mem
			alice, bob := newStore(t), newStore(t)
			tree := store(t, alice, content)
			faulty := remotetest.NewFaulty(nil, &mem, remotetest.Fault{N: n, How: how})
			_, err := newSite(alice, faulty).Push(t.Context(), []objects.ID{tree}, nil)
			if faulty.Unreached() {
				if failed < 5 {
					t.Errorf("only %d requests could fail", failed)
				}
				break
			}
			failed++
			if err == nil && how == remotetest.Before {
				t.Errorf("request %d failed and the push did not say so", n)
			}
			rep := push(t, newSite(alice, faulty), tree)
			away := newSite(bob, &mem)
			know(t, away, rep, tree)
			if err := away.Pull(t.Context(), tree); err != nil {
				t.Fatalf("after a failure at request %d: %v", n, err)
			}
			wantSame(t, bob, tree, content)
		}
	}
}

func TestAPullThatFailsAtAnyRequestGoesOn(t *testing.T) {
	var mem remote.Mem
	alice := newStore(t)
	content := random(21, 9<<20)
	tree := store(t, alice, content)
	rep := push(t, newSite(alice, &mem), tree)
	for _, fault := range []remotetest.Fault{
		{How: remotetest.Before}, {How: remotetest.Break, At: 1000, Op: remotetest.Get},
		{How: remotetest.Truncate, At: 700, Op: remotetest.Get}, {How: remotetest.Corrupt, At: 100, Op: remotetest.Get},
	} {
		for n := 1; ; n++ {
			fault.N = n
			bob := newStore(t)
			faulty := remotetest.NewFaulty(nil, &mem, fault)
			away := newSite(bob, faulty)
			err := away.Know(t.Context(), map[objects.ID]string{tree: rep.Roots[tree]})
			if err == nil {
				err = away.Pull(t.Context(), tree)
			}
			if faulty.Unreached() {
				break
			}
			if err != nil {
				away = newSite(bob, faulty)
				know(t, away, rep, tree)
				err = away.Pull(t.Context(), tree)
			}
			if err != nil {
				t.Fatalf("%+v: %v", fault, err)
			}
			wantSame(t, bob, tree, content)
		}
	}
}

func TestDamageAtTheAuthorityIsNamed(t *testing.T) {
	var mem remote.Mem
	alice, bob := newStore(t), newStore(t)
	tree := store(t, alice, random(22, 9<<20))
	rep := push(t, newSite(alice, &mem), tree)
	faulty := remotetest.NewFaulty(t, &mem, remotetest.Fault{Op: remotetest.Get, Name: "packs/", Times: -1, How: remotetest.Corrupt, At: 5000})
	away := newSite(bob, faulty)
	know(t, away, rep, tree)
	err := away.Pull(t.Context(), tree)
	if !errors.Is(err, objects.ErrCorrupt) {
		t.Errorf("%v", err)
	}
}

// TestAnInterruptedPushSendsOnePackTwice breaks a push of several packs and
// counts what the next one sends.
func TestAnInterruptedPushSendsOnePackTwice(t *testing.T) {
	var mem remote.Mem
	alice := newStore(t)
	const size = 200 << 20
	tree := store(t, alice, random(23, size))
	faulty := remotetest.NewFaulty(t, &mem, remotetest.Fault{Op: remotetest.Put, Name: "packs/", N: 3, How: remotetest.Before})
	if _, err := newSite(alice, faulty).Push(t.Context(), []objects.ID{tree}, nil); !errors.Is(err, remote.ErrUnavailable) {
		t.Fatalf("%v", err)
	}
	first := faulty.Counts().Up
	push(t, newSite(alice, faulty), tree)
	if total := faulty.Counts().Up; total > size+size/50+64<<20 {
		t.Errorf("%d bytes the first time, %d in all", first, total)
	}
}

func TestTwoPushersAtOnce(t *testing.T) {
	var mem remote.Mem
	alice, bob, carol := newStore(t), newStore(t), newStore(t)
	content := random(24, 12<<20)
	a, b := store(t, alice, content), store(t, bob, content[1<<20:])
	errs := make(chan error, 2)
	var reps [2]*transfer.PushReport
	for i, x := range []struct {
		s    *objects.Store
		tree objects.ID
	}{{alice, a}, {bob, b}} {
		go func() {
			rep, err := newSite(x.s, &mem).Push(t.Context(), []objects.ID{x.tree}, nil)
			reps[i] = rep
			errs <- err
		}()
	}
	if err := errors.Join(<-errs, <-errs); err != nil {
		t.Fatal(err)
	}
	away := newSite(carol, &mem)
	know(t, away, reps[0], a)
	know(t, away, reps[1], b)
	wantSame(t, carol.From(away), a, content)
	wantSame(t, carol.From(away), b, content[1<<20:])
}

// TestTablesAreMerged pushes often, and looks at the number of tables and at
// what one who knows nothing finds in them.
func TestTablesAreMerged(t *testing.T) {
	var mem remote.Mem
	alice, bob := newStore(t), newStore(t)
	var trees []objects.ID
	for i := range 60 {
		trees = append(trees, store(t, alice, fmt.Appendf(nil, "version %d", i)))
		push(t, newSite(alice, &mem), trees[i])
	}
	tables := 0
	for _, err := range mem.List(t.Context(), "index/") {
		if err != nil {
			t.Fatal(err)
		}
		tables++
	}
	if tables > 50 {
		t.Errorf("%d tables are left", tables)
	}
	for i, tree := range trees {
		wantSame(t, bob.From(newSite(bob, &mem)), tree, fmt.Appendf(nil, "version %d", i))
	}
}

func TestAnAuthorityThatWasMadeAnewIsFilledAgain(t *testing.T) {
	alice, bob := newStore(t), newStore(t)
	tree := store(t, alice, []byte("content"))
	site := func(s *objects.Store, a remote.Authority) *transfer.Site {
		return transfer.NewSite(&transfer.SiteOptions{Authority: a, Name: "team", Location: "here", Store: s})
	}
	var first, second remote.Mem
	push(t, site(alice, &first), tree)
	rep := push(t, site(alice, &second), tree)
	away := site(bob, &second)
	know(t, away, rep, tree)
	wantSame(t, bob.From(away), tree, []byte("content"))
}

func TestBrokenTablesAreNamed(t *testing.T) {
	var mem remote.Mem
	alice, bob := newStore(t), newStore(t)
	tree := store(t, alice, []byte("content"))
	push(t, newSite(alice, &mem), tree)
	for f, err := range mem.List(t.Context(), "index/") {
		if err != nil {
			t.Fatal(err)
		}
		if err := mem.Delete(t.Context(), f.Name); err != nil {
			t.Fatal(err)
		}
		if err := mem.Put(t.Context(), f.Name, bytes.NewReader([]byte("DFSINDX\x01nonsense"))); err != nil {
			t.Fatal(err)
		}
	}
	err := newSite(bob, &mem).Pull(t.Context(), tree)
	if !errors.Is(err, objects.ErrCorrupt) {
		t.Errorf("%v", err)
	}
}
