package datafs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/datafs/datafs/remote"
	"github.com/datafs/datafs/remote/config"
	"github.com/datafs/datafs/remote/remotetest"
)

// through opens a new repository of a user who reaches the team's directory
// through an authority of the test's own.
func through(t *testing.T, auth remote.Authority) *API {
	t.Helper()
	opts := configured(t.TempDir(), "authorities: {team: 'mem://'}\n")
	opts.Now = clock(someTime)
	opts.RetryTime = -1
	opts.Kinds = authorityKinds(func(context.Context, config.Service) (remote.Authority, error) { return auth, nil })
	return openChecked(t, opts)
}

// TestAConnectionThatBreaksAtAnyRequest breaks a push at each of its requests in
// turn, before or after it takes effect. Whatever the team sees then can be
// read; and pushing again completes it, with each version once.
func TestAConnectionThatBreaksAtAnyRequest(t *testing.T) {
	for _, how := range []remotetest.How{remotetest.Before, remotetest.After} {
		broken := 0
		for n := 1; ; n++ {
			mem := &remote.Mem{}
			faulty := remotetest.NewFaulty(nil, mem)
			alice, bob := through(t, faulty), through(t, mem)
			h := newArchive(t, alice, "x")
			put(t, h, "one")
			push(t, alice)
			put(t, h, "two")
			noError(t, h.AddTags(t.Context(), "red"))
			put(t, newArchive(t, alice, "y"), "new")
			faulty.Plan(remotetest.Fault{N: n, How: how})
			_, err := alice.Push(t.Context(), nil)
			if faulty.Unreached() {
				break
			}
			if broken++; err != nil && !errors.Is(err, ErrUnavailable) {
				t.Fatalf("request %d: %v", n, err)
			}
			pull(t, bob)
			readAll(t, bob)
			push(t, alice)
			pull(t, bob)
			equal(t, "x", versions(t, archive(t, bob, "x")), "0.0.1 0.0.2")
			equal(t, "y", text(t, archive(t, bob, "y"), ""), "new")
			readAll(t, bob)
		}
		if broken < 10 {
			t.Errorf("only %d requests could break", broken)
		}
	}
}

// readAll reads all versions of all archives.
func readAll(t *testing.T, api *API) {
	t.Helper()
	for rec, err := range api.everything(t.Context()) {
		noError(t, err)
		if rec.version != nil {
			text(t, archive(t, api, rec.archive), rec.version.Label())
		}
	}
}

func TestAPullThatBreaksAtAnyRequest(t *testing.T) {
	mem := &remote.Mem{}
	alice := through(t, mem)
	for i := range 3 {
		put(t, newArchive(t, alice, fmt.Sprint("a", i)), strings.Repeat(fmt.Sprint(i), 1000))
		push(t, alice)
	}
	for n := 1; ; n++ {
		faulty := remotetest.NewFaulty(nil, mem, remotetest.Fault{N: n})
		bob := through(t, faulty)
		_, err := bob.Pull(t.Context(), &PullOptions{All: true})
		if faulty.Unreached() {
			noError(t, err)
			return
		}
		if !errors.Is(err, ErrUnavailable) {
			t.Errorf("request %d: %v", n, err)
		}
		equal(t, "contents", len(must(bob.Pull(t.Context(), &PullOptions{All: true}))(t).Contents), 3)
	}
}

func TestAPlainWebServerIsReadAndNotWritten(t *testing.T) {
	shared := t.TempDir()
	alice := member(t, shared, "")
	put(t, newArchive(t, alice, "x"), "one")
	push(t, alice)
	web := httptest.NewServer(http.FileServer(http.Dir(shared)))
	defer web.Close()
	opts := configured(t.TempDir(), "authorities: {team: '"+web.URL+"'}\n")
	bob := openChecked(t, opts)
	pull(t, bob)
	h := archive(t, bob, "x")
	equal(t, "x", text(t, h, ""), "one")
	put(t, h, "two")
	if _, err := bob.Push(t.Context(), nil); !errors.Is(err, fs.ErrPermission) && !errors.Is(err, ErrReadOnly) {
		t.Errorf("push: %v", err)
	}
}

func TestAZipFileServesATeam(t *testing.T) {
	file := filepath.Join(t.TempDir(), "team.zip")
	member := func() *API {
		return openChecked(t, configured(t.TempDir(), "authorities: {team: {service: ZipFS, args: ['"+file+"'], kwargs: {mode: a}}}\n"))
	}
	alice, bob := member(), member()
	put(t, newArchive(t, alice, "x"), "one")
	push(t, alice)
	pull(t, bob)
	equal(t, "x", text(t, archive(t, bob, "x"), ""), "one")
}
