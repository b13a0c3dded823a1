package datafs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/datafs/datafs/remote"
	"github.com/datafs/datafs/remote/config"
	"github.com/datafs/datafs/remote/dir"
)

// TestOnlyWhatIsDamagedIsNotPushed names the version whose content is damaged.
func TestOnlyWhatIsDamagedIsNotPushed(t *testing.T) {
	mem := &remote.Mem{}
	alice, bob := throughOnly(t, mem), through(t, mem)
	for _, name := range []string{"a", "b", "c"} {
		put(t, newArchive(t, alice, name), "of "+name)
	}
	h := archive(t, alice, "b")
	put(t, h, "more of b")
	before := packsOf(t, alice)
	put(t, h, "damaged")
	for _, name := range packsOf(t, alice) {
		if !strings.Contains(fmt.Sprint(before), name) {
			overwrite(t, name)
		}
	}
	put(t, h, "the last of b")
	needs := newArchive(t, alice, "needs")
	must(needs.UpdateFrom(t.Context(), strings.NewReader("x"), &UpdateOptions{Dependencies: Dependencies{"b": new("0.0.2")}}))(t)

	for _, dry := range []bool{true, false} {
		rep, err := alice.Push(t.Context(), &PushOptions{DryRun: dry})
		if !errors.Is(err, ErrCorrupt) || !strings.HasPrefix(err.Error(), "push b version 0.0.3: its content here is damaged: ") {
			t.Errorf("dry %v: got %v, want the damaged version", dry, err)
		}
		if dry {
			continue
		}
		equal(t, "pushed", fmt.Sprint(rep.Versions), "[{a 0.0.1} {c 0.0.1}]")
		if len(rep.Refused) != 2 || rep.Refused[0].Archive != "b" || !errors.Is(rep.Refused[1].Err, ErrConflict) {
			t.Errorf("refused: %v", rep.Refused)
		}
	}
	pull(t, bob)
	equal(t, "c", text(t, archive(t, bob, "c"), ""), "of c")
	if _, err := bob.Archive(t.Context(), "b", nil); err == nil {
		t.Error("b was registered")
	}
}

func throughOnly(t *testing.T, auth remote.Authority) *API {
	t.Helper()
	opts := configured(t.TempDir(), "authorities: {team: 'mem://'}\n")
	opts.Now = clock(someTime)
	opts.Kinds = authorityKinds(func(context.Context, config.Service) (remote.Authority, error) { return auth, nil })
	return openOnly(t, opts)
}

func packsOf(t *testing.T, api *API) []string {
	t.Helper()
	return must(filepath.Glob(filepath.Join(api.Repo(), "packs/*/*")))(t)
}

// overwrite damages the first chunk of a pack.
func overwrite(t *testing.T, name string) {
	t.Helper()
	f := must(os.OpenFile(name, os.O_RDWR, 0))(t)
	must(f.WriteAt(make([]byte, 12), 8))(t)
	noError(t, f.Close())
}

// TestWhatIsDeletedMeanwhileIsNotPushed: gc frees the content after the push has
// listed what there is to push.
func TestWhatIsDeletedMeanwhileIsNotPushed(t *testing.T) {
	first, second := t.TempDir(), t.TempDir()
	opts := configured(t.TempDir(), fmt.Sprintf("authorities: {a: 'file://%s', b: 'file://%s'}\ndefault-authority: a\n", first, second))
	opts.Now = clock(someTime)
	var alice *API
	meanwhile := func() {}
	opts.Kinds = authorityKinds(func(_ context.Context, s config.Service) (remote.Authority, error) {
		if strings.Contains(fmt.Sprint(s), second) {
			meanwhile()
			return dir.Open(&dir.Options{Root: second})
		}
		return dir.Open(&dir.Options{Root: first})
	})
	alice = openChecked(t, opts)
	for _, name := range []string{"x", "y", "z"} {
		put(t, must(alice.Create(t.Context(), name, &CreateOptions{Authority: "b"}))(t), "in "+name)
	}
	y := archive(t, alice, "y")
	put(t, y, "more")
	reached := false
	meanwhile = func() {
		if !reached {
			reached = true
			noError(t, y.Delete(t.Context()))
			must(alice.GC(t.Context(), noGrace(false)))(t)
		}
	}
	rep := push(t, alice)
	if !reached {
		t.Fatal("nothing was deleted meanwhile")
	}
	equal(t, "pushed", fmt.Sprint(rep.Versions), "[{x 0.0.1} {z 0.0.1}]")
	equal(t, "then", fmt.Sprint(push(t, alice)), nothingToPush)
}

// TestADamagedPackIsNotSentAsItIs when there is another copy of its chunk.
func TestADamagedPackIsNotSentAsItIs(t *testing.T) {
	mem := &remote.Mem{}
	alice, bob := throughOnly(t, mem), through(t, mem)
	random := string(must(io.ReadAll(io.LimitReader(newRandom(5), 24<<20)))(t))
	x := newArchive(t, alice, "x")
	put(t, x, random)
	spoil(t, alice, 16<<20)
	if err := x.Cat(t.Context(), io.Discard, nil); !errors.Is(err, ErrCorrupt) { // notes the chunk
		t.Fatalf("got %v, want damage", err)
	}
	put(t, newArchive(t, alice, "y"), random) // stores it again
	push(t, alice)
	pull(t, bob)
	if got := text(t, archive(t, bob, "x"), ""); got != random {
		t.Error("the team's contents are others")
	}
	for name, data := range packsAt(t, mem) {
		if bytes.Contains(data, make([]byte, 90)) {
			t.Errorf("%s is damaged at the authority", name)
		}
	}
}

func packsAt(t *testing.T, auth remote.Authority) map[string][]byte {
	t.Helper()
	packs := map[string][]byte{}
	for f, err := range auth.List(t.Context(), "packs/") {
		noError(t, err)
		r := must(auth.Get(t.Context(), f.Name, 0, -1))(t)
		packs[f.Name] = must(io.ReadAll(r))(t)
		noError(t, r.Close())
	}
	return packs
}
