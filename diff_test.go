package datafs

import (
	"fmt"
	"io"
	"io/fs"
	"strings"
	"testing"
)

func changes(t *testing.T, d *Diff) string {
	t.Helper()
	var lines []string
	for _, c := range collect(t, d.Files(t.Context())) {
		size := func(e *Entry) string {
			if e == nil {
				return "-"
			}
			return fmt.Sprint(e.Size)
		}
		lines = append(lines, fmt.Sprintf("%s %s>%s", c.Path, size(c.Old), size(c.New)))
	}
	return strings.Join(lines, ", ")
}

func TestDiff(t *testing.T) {
	api := newAPI(t)
	h := newArchive(t, api, "x")
	put(t, h, "a")
	put(t, h, "bcd")
	for _, files := range []map[string]string{
		{"same": "1", "changed": "2", "gone": "3", "dir/x": "4", "becomes/dir": "5"},
		{"same": "1", "changed": "22", "new": "333", "dir/x": "4", "becomes": "55"},
	} {
		must(h.Update(t.Context(), writeTree(t, files), nil))(t)
	}
	noError(t, api.SetDefaultVersions(map[string]string{"x": "0.0.2"}))
	for _, c := range []struct {
		name, from, to string
		want           string
		sides          string
	}{
		{"files", "0.0.1", "0.0.2", " 1>3", "0.0.1 0.0.2"},
		{"nothing", "0.0.2", "0.0.2", "", "0.0.2 0.0.2"},
		{"trees, to the latest", "0.0.3", "", "becomes ->2, becomes/dir 1>-, changed 1>2, gone 1>-, new ->3", "0.0.3 0.0.4"},
		{"backwards", "0.0.4", "0.0.3", "becomes 2>-, becomes/dir ->1, changed 2>1, gone ->1, new 3>-", "0.0.4 0.0.3"},
		{"from the pin", "", "0.0.1", " 3>1", "0.0.2 0.0.1"},
		{"a file and a tree", "0.0.1", "0.0.3",
			" 1>-, becomes/dir ->1, changed ->1, dir/x ->1, gone ->1, same ->1", "0.0.1 0.0.3"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := must(h.Diff(t.Context(), c.from, c.to))(t)
			equal(t, "changes", changes(t, d), c.want)
			equal(t, "versions", d.Old.Version.String()+" "+d.New.Version.String(), c.sides)
		})
	}
	_, err := h.Diff(t.Context(), "0.0.1", "9.0")
	wantError(t, err, `Version "9.0" not found in archive history`, fs.ErrNotExist)
	_, err = h.Diff(t.Context(), "8.0", "")
	wantError(t, err, `Version "8.0" not found in archive history`, fs.ErrNotExist)
}

func TestDiffSaysHowMuchIsShared(t *testing.T) {
	api := newAPI(t)
	h := newArchive(t, api, "x")
	old := string(must(io.ReadAll(io.LimitReader(newRandom(1), 4<<20)))(t))
	more := string(must(io.ReadAll(io.LimitReader(newRandom(2), 1<<20)))(t))
	put(t, h, old)
	put(t, h, old+more)
	d := must(h.Diff(t.Context(), "0.0.1", ""))(t)
	if d.Shared+d.Added != 5<<20 || d.Shared < 4<<20-1<<19 || d.Added < 1<<20 || d.SharedChunks == 0 || d.AddedChunks == 0 {
		t.Errorf("got %+v", d)
	}
}
