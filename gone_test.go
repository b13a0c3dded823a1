package datafs

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestContentWithoutAJournalIsDamageAndNoGarbage(t *testing.T) {
	dir := t.TempDir()
	o := testOptions(dir)
	api := must(Open(t.Context(), o))(t)
	defer api.Close()
	put(t, newArchive(t, api, "a"), "contents")
	repo := api.Repo()
	for _, name := range []string{"journal", "index.db"} {
		noError(t, os.RemoveAll(filepath.Join(repo, name)))
	}
	if _, err := api.GC(t.Context(), noGrace(false)); !errors.Is(err, ErrCorrupt) {
		t.Errorf("gc: got %v", err)
	}
	rep := must(api.Check(t.Context(), nil))(t)
	if len(rep.Problems) == 0 {
		t.Error("check found nothing")
	}
	if packs := must(filepath.Glob(filepath.Join(repo, "packs", "*", "*")))(t); len(packs) == 0 {
		t.Error("the packs are gone")
	}
}
