package datafs

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/datafs/datafs/objects"
	"github.com/datafs/datafs/refs"
)

// From bulkFrom archives on refs/solve reads through all records, unless there are
// bulkRatio times as many.
const (
	bulkFrom  = 500
	bulkRatio = 20
)

var largeFigures = os.Getenv("DATAFS_TEST_LARGE") != "" // before the environment is emptied

// TestFiguresOfChoosing prints what 100,000 archives take, where
// DATAFS_TEST_LARGE is set; else it sees to it that some of them work.
func TestFiguresOfChoosing(t *testing.T) {
	n := 2 * bulkFrom
	if largeFigures {
		n = 100_000
	}
	api, names := madeUp(t, n)
	file := require(t, api, strings.Join(names, "\n"))
	figure := func(what string, do func()) {
		runtime.GC()
		start := time.Now()
		do()
		took := time.Since(start)
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		t.Logf("%s of %d archives: %.2f s, %d MiB on the heap, %d MiB from the system", what, n, took.Seconds(), m.HeapAlloc>>20, m.Sys>>20)
	}
	for _, size := range []int{n, n / 2, bulkFrom - 1} {
		figure(fmt.Sprintf("choose %d", size), func() {
			equal(t, "chosen", len(must(api.Choose(t.Context(), &ChooseOptions{Archives: names[:size]}))(t)), size)
		})
	}
	var rep LockReport
	figure("lock", func() { rep = must(api.Lock(t.Context(), &LockOptions{Requirements: file}))(t) })
	figure("the same lock", func() {
		equal(t, "written", must(api.Lock(t.Context(), &LockOptions{Requirements: file}))(t).Written, false)
	})
	figure("reading the lock", func() {
		l := must(ReadLock(rep.File))(t)
		equal(t, "locked", len(api.locked(l)), n)
	})
	figure("checking the lock", func() {
		_, problems, err := api.CheckLock(&LockOptions{Requirements: file})
		noError(t, err)
		equal(t, "problems", len(problems), 0)
	})
	figure("outdated", func() {
		equal(t, "outdated", len(must(api.Outdated(t.Context(), &OutdatedOptions{Requirements: file}))(t)), 0)
	})
	figure("freeze", func() { equal(t, "frozen", len(must(api.Freeze(t.Context(), nil))(t)), n) })
	figure("audit", func() {
		equal(t, "findings", len(must(api.Audit(t.Context(), &AuditOptions{Requirements: file}))(t)), 0)
	})
}

// madeUp is a repository with n archives of which there are only the records.
func madeUp(t *testing.T, n int) (*API, []string) {
	t.Helper()
	api := openOnly(t, testOptions(t.TempDir()))
	var list []refs.NewArchive
	var names []string
	for i := range n {
		name := fmt.Sprintf("climate/model-%03d/run-%06d.nc", i%100, i)
		names = append(names, name)
		id := objects.Hash([]byte(name))
		list = append(list, refs.NewArchive{
			Archive: refs.Archive{Name: name, Authority: localAuthority, Versioned: true},
			Version: refs.NewVersion{Archive: name, Tree: id, Hash: id, Size: 1, Files: 1, Bump: "patch"},
		})
	}
	for _, err := range must(api.refs.ImportAll(t.Context(), list))(t) {
		noError(t, err)
	}
	return api, names
}

// TestSomeOfVeryManyAreLookedForOneByOne chooses so few that reading through all
// would take longer.
func TestSomeOfVeryManyAreLookedForOneByOne(t *testing.T) {
	api, names := madeUp(t, bulkRatio*bulkFrom+1)
	list := must(api.Choose(t.Context(), &ChooseOptions{Archives: names[:bulkFrom]}))(t)
	equal(t, "chosen", len(list), bulkFrom)
	for i := range list {
		equal(t, "tree", list[i].Record.Tree, objects.Hash([]byte(list[i].Archive.name)))
	}
}
