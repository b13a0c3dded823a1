package refs_test

import (
	"errors"
	"io/fs"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/datafs/datafs/refs"
)

// version reads a version number.
func version(t *testing.T, s string) refs.Version {
	t.Helper()
	v, err := refs.ParseVersion(s)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func yank(t *testing.T, d *refs.DB, number, reason string) {
	t.Helper()
	if err := d.Yank(t.Context(), "a", version(t, number), refs.Yank{Reason: reason, Undo: reason == ""}); err != nil {
		t.Fatal(err)
	}
}

// yanks gives the yanks of a version in order, "-" for one that takes back.
func yanks(t *testing.T, d *refs.DB, number string) string {
	t.Helper()
	v, err := d.Version(t.Context(), "a", version(t, number))
	if err != nil {
		t.Fatal(err)
	}
	list := []string{}
	for i, y := range v.Yanks {
		if i > 0 && !y.Time.After(v.Yanks[i-1].Time) {
			t.Errorf("yank %d is of %v, which is not after %v", i, y.Time, v.Yanks[i-1].Time)
		}
		if y.Undo {
			y.Reason += "-"
		}
		list = append(list, y.Reason)
	}
	return strings.Join(list, ",")
}

func TestAYankedVersionIsNotTheLatest(t *testing.T) {
	eachDB(t, func(t *testing.T, d *refs.DB) {
		mustCreate(t, d, versioned("a")[0])
		for _, c := range []string{"1", "2", "3", "4", "5", "6", "7", "8", "9", "10"} {
			add(t, d, "a", c)
		}
		latest := func(want string) {
			t.Helper()
			if got, err := d.Latest(t.Context(), "a"); err != nil || got.Label() != want {
				t.Errorf("latest is %s, %v, want %s", got.Label(), err, want)
			}
			if got, err := d.Highest(t.Context(), "a"); err != nil || got.Label() != "0.0.10" {
				t.Errorf("highest is %s, %v, want 0.0.10", got.Label(), err)
			}
		}
		latest("0.0.10")
		yank(t, d, "0.0.9", "r")
		latest("0.0.10")
		yank(t, d, "0.0.10", "r")
		latest("0.0.8")
		yank(t, d, "0.0.10", "")
		latest("0.0.10")
		for _, label := range labels(t, d, "a") {
			yank(t, d, label, "all")
		}
		_, err := d.Latest(t.Context(), "a")
		wantText(t, err, `all versions of archive "a" are yanked`, fs.ErrNotExist)
		if got := add(t, d, "a", "10"); got != "" {
			t.Errorf("the contents of the yanked latest made %s", got)
		}
		if got := add(t, d, "a", "11"); got != "0.0.11" {
			t.Errorf("after 0.0.10 comes %s", got)
		}
	})
}

func TestYanksAreAdded(t *testing.T) {
	eachDB(t, func(t *testing.T, d *refs.DB) {
		mustCreate(t, d, versioned("a")[0])
		add(t, d, "a", "1")
		for _, s := range []struct{ name, reason, want string }{
			{"to take back what is not yanked is nothing", "", ""},
			{"a yank", "r", "r"},
			{"the same again is nothing", "r", "r"},
			{"another reason is added", "s", "r,s"},
			{"it is taken back", "", "r,s,-"},
			{"and yanked again", "s", "r,s,-,s"},
		} {
			yank(t, d, "0.0.1", s.reason)
			if got := yanks(t, d, "0.0.1"); got != s.want {
				t.Errorf("%s: got %q, want %q", s.name, got, s.want)
			}
		}
	})
}

func TestAYankComesAfterTheOnesBefore(t *testing.T) {
	at := time.Date(2017, 1, 1, 0, 0, 0, 0, time.UTC)
	d := refs.New(&refs.Mem{}, &refs.Options{Now: func() time.Time { at = at.Add(-time.Hour); return at }})
	mustCreate(t, d, versioned("a")[0])
	add(t, d, "a", "1")
	for _, reason := range []string{"r", "", "s"} {
		yank(t, d, "0.0.1", reason)
	}
	if got := yanks(t, d, "0.0.1"); got != "r,-,s" {
		t.Errorf("got %q", got)
	}
}

func TestYankRefuses(t *testing.T) {
	d := refs.New(&refs.Mem{}, nil)
	mustCreate(t, d, versioned("a")[0])
	mustCreate(t, d, refs.Archive{Name: "u"})
	add(t, d, "a", "1")
	add(t, d, "u", "1")
	for _, c := range []struct {
		name, archive, version string
		yank                   refs.Yank
		want                   error
	}{
		{"no reason", "a", "0.0.1", refs.Yank{}, fs.ErrInvalid},
		{"a blank reason", "a", "0.0.1", refs.Yank{Reason: " \n"}, fs.ErrInvalid},
		{"no text", "a", "0.0.1", refs.Yank{Reason: "\xff"}, fs.ErrInvalid},
		{"a reason that is too long", "a", "0.0.1", refs.Yank{Reason: strings.Repeat("r", refs.MaxReason+1)}, fs.ErrInvalid},
		{"user config that is no text", "a", "0.0.1", refs.Yank{Reason: "r", UserConfig: map[string]string{"k": "\xff"}}, fs.ErrInvalid},
		{"an archive without versions", "u", "0.0.1", refs.Yank{Reason: "r"}, fs.ErrInvalid},
		{"no such version", "a", "1.0", refs.Yank{Reason: "r"}, fs.ErrNotExist},
		{"no such archive", "b", "1.0", refs.Yank{Reason: "r"}, fs.ErrNotExist},
	} {
		if err := d.Yank(t.Context(), c.archive, version(t, c.version), c.yank); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, err, c.want)
		}
	}
	if got := yanks(t, d, "0.0.1"); got != "" {
		t.Errorf("yanks are %q", got)
	}
}

func TestAYankedRecordAsItIsKept(t *testing.T) {
	m := &refs.Mem{}
	d := refs.New(m, &refs.Options{Now: clock()})
	mustCreate(t, d, versioned("a")[0])
	add(t, d, "a", "1", func(nv *refs.NewVersion) {
		nv.Dependencies, nv.Resolved = refs.Dependencies{"b": nil}, map[string]string{"b": "1.0"}
	})
	yank(t, d, "0.0.1", "r")
	got := raw(t, m, `version/a\0.0.1`)
	for _, want := range []string{
		`"prerelease":"","resolved":{"b":"1.0"},"time":`,
		`,"version":"0.0.1","yanks":[{"reason":"r","time":"2017-01-01T00:00:03Z","undo":false,"user_config":{}}]}`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("got %s, want %s in it", got, want)
		}
	}
	if err := refs.CheckRecord(`version/a\0.0.1`, []byte(got)); err != nil {
		t.Error(err)
	}
}

func TestAnotherChangesTheVersionWhileItIsYanked(t *testing.T) {
	m, d, other := planned(t, isOp("put", `version/a\0.0.1`))
	m.before = func(string) {
		if err := other.SetDependencies(t.Context(), "a", refs.Dependencies{"theirs": nil}, nil, nil); err != nil {
			t.Error(err)
		}
	}
	yank(t, d, "0.0.1", "r")
	v, err := d.Version(t.Context(), "a", version(t, "0.0.1"))
	if err != nil || len(v.Updates) != 2 || v.Yanked() == nil {
		t.Errorf("got %+v, %v, want both changes", v, err)
	}
}

func TestAnotherDeletesTheArchiveWhileAVersionIsYanked(t *testing.T) {
	m, d, other := planned(t, isOp("put", `version/a\0.0.1`))
	m.before = func(string) {
		if err := other.Delete(t.Context(), "a"); err != nil {
			t.Error(err)
		}
	}
	if err := d.Yank(t.Context(), "a", version(t, "0.0.1"), refs.Yank{Reason: "r"}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error is %v", err)
	}
	wantNothing(t, m)
}

func TestYanksAtOnceAllCount(t *testing.T) {
	eachDB(t, func(t *testing.T, d *refs.DB) {
		mustCreate(t, d, versioned("a")[0])
		add(t, d, "a", "1")
		var all sync.WaitGroup
		for _, reason := range []string{"r", "s", "t", "u"} {
			all.Go(func() {
				if err := d.Yank(t.Context(), "a", refs.Version{Patch: 1}, refs.Yank{Reason: reason}); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if got := strings.Split(yanks(t, d, "0.0.1"), ","); len(got) != 4 {
			t.Errorf("got %q, want four yanks", got)
		}
	})
}
