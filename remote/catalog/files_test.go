package catalog

import (
	"testing"

	"github.com/datafs/datafs/refs/commitlog"
	"github.com/datafs/datafs/remote"
)

func TestRunNames(t *testing.T) {
	c, err := Open(&remote.Mem{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	files := runFiles{c}
	for _, want := range []commitlog.Run{{Level: 1, First: 1}, {Level: 1, First: 33}, {Level: 2, First: 1025}, {Level: 6, First: 1}} {
		if got, ok := files.parse(files.name(want)); !ok || got != want {
			t.Errorf("%s is %v", files.name(want), got)
		}
	}
	for _, name := range []string{"", "1-000000000001-000000000031", "1-000000000002-000000000033", "1-1-32", "0-000000000001-000000000001",
		"7-000000000001-034359738368", "1-000000000001-000000000032x", "+1-000000000001-000000000032", "-1-000000000001-000000000032"} {
		if r, ok := files.parse(c.dir + "run/" + name); ok {
			t.Errorf("%q is run %v", name, r)
		}
	}
}
