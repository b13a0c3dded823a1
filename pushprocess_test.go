package datafs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// pushOften makes n versions of one archive, and pushes each.
func pushOften(ctx context.Context, api *API, who string, n int) error {
	for i := range n {
		h, err := api.Create(ctx, "shared", &CreateOptions{ExistOK: true})
		if err != nil {
			return err
		}
		text := fmt.Sprintf("contents %d of %s", i, who)
		if _, err := h.UpdateFrom(ctx, strings.NewReader(text), nil); err != nil {
			return err
		}
		for {
			_, err := api.Push(ctx, &PushOptions{Renumber: true})
			if err == nil {
				break
			}
			if !errors.Is(err, ErrConflict) {
				return err
			}
		}
	}
	return nil
}

// TestEightProcessesPushToOneDirectory has a reader look all the while: it never
// sees a version whose contents it cannot read.
func TestEightProcessesPushToOneDirectory(t *testing.T) {
	shared := t.TempDir()
	const processes, each = 8, 25
	var running []*process
	for i := range processes {
		dir := t.TempDir()
		noError(t, os.MkdirAll(filepath.Join(dir, "repo"), 0o755))
		noError(t, os.WriteFile(filepath.Join(dir, "repo", "config.yml"), []byte("authorities: {team: 'file://"+shared+"'}\n"), 0o644))
		running = append(running, start(t, "push often", dir, fmt.Sprint(i), fmt.Sprint(each)))
	}
	reader := member(t, shared, "")
	seen := map[string]bool{}
	look := func() {
		pull(t, reader)
		h, err := reader.Archive(t.Context(), "shared", nil)
		if errors.Is(err, fs.ErrNotExist) {
			return
		}
		noError(t, err)
		for _, v := range must(h.Versions(t.Context()))(t) {
			if !seen[v] {
				seen[v] = true
				text(t, h, v)
			}
		}
	}
	done := make(chan struct{})
	go func() {
		for _, p := range running {
			for p.out.Scan() {
			}
		}
		close(done)
	}()
	for ended := false; !ended; {
		select {
		case <-done:
			ended = true
		default:
		}
		look()
	}
	for _, p := range running {
		p.finish(t)
	}
	look()
	texts := map[string]bool{}
	h := archive(t, reader, "shared")
	list := must(h.Versions(t.Context()))(t)
	for _, v := range list {
		texts[text(t, h, v)] = true
	}
	if len(list) != processes*each || len(texts) != processes*each {
		t.Errorf("%d versions with %d contents, want %d", len(list), len(texts), processes*each)
	}
}

// TestAPusherIsKilled kills a pusher again and again; what the team sees is
// always whole, and in the end all is there.
func TestAPusherIsKilled(t *testing.T) {
	shared, dir := t.TempDir(), t.TempDir()
	noError(t, os.MkdirAll(filepath.Join(dir, "repo"), 0o755))
	noError(t, os.WriteFile(filepath.Join(dir, "repo", "config.yml"), []byte("authorities: {team: 'file://"+shared+"'}\n"), 0o644))
	reader := member(t, shared, "")
	for i := range 12 {
		p := start(t, "push often", dir, fmt.Sprint(i), "1000")
		// Kill it when it has got on, each time at another moment.
		for packs := 0; packs <= 3*i; {
			list, _ := filepath.Glob(filepath.Join(shared, "packs", "*", "*"))
			packs = len(list)
		}
		p.kill()
		pull(t, reader)
		h, err := reader.Archive(t.Context(), "shared", nil)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		noError(t, err)
		for _, v := range must(h.Versions(t.Context()))(t) {
			text(t, h, v)
		}
	}
	alice := openChecked(t, testOptions(dir))
	must(alice.Push(t.Context(), &PushOptions{Renumber: true}))(t)
	pull(t, reader)
	equal(t, "versions", versions(t, archive(t, reader, "shared")), versions(t, archive(t, alice, "shared")))
	must(alice.GC(t.Context(), noGrace(false)))(t) // what killed pushers left in tmp
}
