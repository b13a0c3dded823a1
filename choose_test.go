package datafs

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func chosenTexts(list []Chosen) string {
	var texts []string
	for i := range list {
		texts = append(texts, list[i].String())
	}
	return strings.Join(texts, ", ")
}

// choices has a with three versions, b that depends on a, and an archive
// without versions.
func choices(t *testing.T) *API {
	t.Helper()
	api := newAPI(t)
	a, b := newArchive(t, api, "a"), newArchive(t, api, "b")
	for _, bump := range []string{"minor", "minor", "major"} {
		must(a.UpdateFrom(t.Context(), strings.NewReader(bump+versions(t, a)), &UpdateOptions{Bump: bump}))(t)
	}
	put(t, b, "b")
	noError(t, b.SetDependencies(t.Context(), Dependencies{"a": new("0.1"), "s": nil}))
	put(t, must(api.Create(t.Context(), "s", &CreateOptions{Unversioned: true}))(t), "s")
	newArchive(t, api, "none")
	return api
}

func TestChoose(t *testing.T) {
	api := choices(t)
	file := require(t, api, "a>=0.1,<1.0\n")
	lock := filepath.Join(api.opts.Dir, "x.lock")
	for name, tt := range map[string]struct {
		opts ChooseOptions
		want string
	}{
		"the requirements":                      {ChooseOptions{}, "a 0.2"},
		"a bare name takes their range":         {ChooseOptions{Archives: []string{"s", "a"}}, "a 0.2, s"},
		"a version wins over it":                {ChooseOptions{Archives: []string{"a==1.0"}}, "a 1.0"},
		"so does latest":                        {ChooseOptions{Archives: []string{"a==latest"}}, "a 1.0"},
		"the authority is no version":           {ChooseOptions{Archives: []string{"local://a"}}, "a 0.2"},
		"a name given twice":                    {ChooseOptions{Archives: []string{"a", "/a"}}, "a 0.2"},
		"requirements as text":                  {ChooseOptions{Requirements: "a==0.1;b==0.0.1"}, "a 0.1, b 0.0.1"},
		"what they depend on":                   {ChooseOptions{Requirements: "b==0.0.1", Deps: true}, "a 0.1, b 0.0.1, s"},
		"a lock that is not there is no lock":   {ChooseOptions{Lock: lock}, "a 0.2"},
		"names are looked up in a text as well": {ChooseOptions{Requirements: "a==0.1;b==0.0.1", Archives: []string{"a"}}, "a 0.1"},
	} {
		t.Run(name, func(t *testing.T) {
			tt.opts.Requirements = cmp.Or(tt.opts.Requirements, file)
			equal(t, "chosen", chosenTexts(must(api.Choose(t.Context(), &tt.opts))(t)), tt.want)
		})
	}
}

func TestChooseRefuses(t *testing.T) {
	api := choices(t)
	bad := filepath.Join(api.opts.Dir, "bad.txt")
	noError(t, os.WriteFile(bad, []byte("a\nb==one\n"), 0o644))
	for name, tt := range map[string]struct {
		opts ChooseOptions
		text string
		kind error
	}{
		"a file that is not there":    {ChooseOptions{Requirements: "nowhere.txt"}, "read requirements: open ", fs.ErrNotExist},
		"a malformed file":            {ChooseOptions{Requirements: bad}, ":2: invalid version number 'one'", fs.ErrInvalid},
		"that, where names are given": {ChooseOptions{Requirements: bad, Archives: []string{"a"}}, ":2: invalid version number 'one'", fs.ErrInvalid},
		"no requirements at all":      {ChooseOptions{}, "no archive is named, and there are no requirements", fs.ErrInvalid},
		"no such archive":             {ChooseOptions{Archives: []string{"x"}}, `"x"`, fs.ErrNotExist},
		"another authority":           {ChooseOptions{Archives: []string{"team://a"}}, `Authority "team" not found`, fs.ErrNotExist},
		"two versions":                {ChooseOptions{Archives: []string{"a==0.1", "a==0.2"}}, `"a" is named twice, as "a==0.1" and "a==0.2"`, fs.ErrInvalid},
		"an own version without one":  {ChooseOptions{Archives: []string{"a~local"}}, `"a~local" names no version of one's own`, fs.ErrInvalid},
		"a conflict":                  {ChooseOptions{Requirements: "a==0.2;b==0.0.1", Deps: true}, "a", ErrConflict},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := api.Choose(t.Context(), &tt.opts)
			if err == nil || !strings.Contains(err.Error(), tt.text) || !errors.Is(err, tt.kind) {
				t.Errorf("got %v\nwant %s", err, tt.text)
			}
		})
	}
}

func TestARangePinsReads(t *testing.T) {
	goodLock := string(must(os.ReadFile("refs/lockfile/testdata/good.lock"))(t))
	api := choices(t)
	file := require(t, api, "a>=0.1,<1.0\nb\n")
	opts := testOptions(filepath.Dir(file))
	again := openOnly(t, opts)
	read := func() string { return must(archive(t, again, "a").Version(t.Context(), ""))(t).Label() }
	equal(t, "without a lock", read(), "0.2")
	noError(t, os.WriteFile(again.LockFile(""), []byte(strings.Replace(strings.Replace(goodLock, `"1.0"`, `"0.1"`, 1), `>=1.0`, `>=0.1`, 1)), 0o644))
	equal(t, "with one", read(), "0.1")
	equal(t, "all", fmt.Sprint(must(again.DefaultVersions())(t)), "map[a:0.1]")
	noError(t, os.WriteFile(again.LockFile(""), []byte(goodLock), 0o644))
	equal(t, "with one that does not satisfy", read(), "0.2")
	noError(t, os.WriteFile(again.LockFile(""), []byte("{"), 0o644))
	if _, err := archive(t, again, "a").Version(t.Context(), ""); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("with a broken one: got %v", err)
	}
	noError(t, os.Remove(again.LockFile("")))
	equal(t, "without it again", read(), "0.2")
	third := openOnly(t, &Options{Repo: opts.Repo, Dir: opts.Dir, Getenv: opts.Getenv, Requirements: "a>=7.0"})
	_, err := archive(t, third, "a").Version(t.Context(), "")
	wantError(t, err, `Archive "a" has no version that satisfies "a>=7.0"`, fs.ErrNotExist)
}

func TestFreeze(t *testing.T) {
	api := choices(t)
	for name, tt := range map[string]struct {
		opts FreezeOptions
		want string
	}{
		"without requirements all that has contents": {FreezeOptions{}, "[a==1.0 b==0.0.1 s]"},
		"those of the requirements":                  {FreezeOptions{Requirements: "b==0.0.1"}, "[b==0.0.1]"},
		"with what they depend on":                   {FreezeOptions{Requirements: "b==0.0.1", Deps: true}, "[a==0.1 b==0.0.1 s]"},
		"all in spite of them":                       {FreezeOptions{Requirements: "b==0.0.1", All: true}, "[a==1.0 b==0.0.1 s]"},
		"those that are named":                       {FreezeOptions{Archives: []string{"a"}}, "[a==1.0]"},
	} {
		t.Run(name, func(t *testing.T) {
			equal(t, "frozen", fmt.Sprint(must(api.Freeze(t.Context(), &tt.opts))(t)), tt.want)
		})
	}
	put(t, newArchive(t, api, "odd #1"), "1")
	equal(t, "with an odd name", fmt.Sprint(must(api.Freeze(t.Context(), nil))(t)), `[a==1.0 b==0.0.1 "odd #1"==0.0.1 s]`)
}

func TestWhy(t *testing.T) {
	api := choices(t)
	c := newArchive(t, api, "c")
	put(t, c, "c")
	noError(t, c.SetDependencies(t.Context(), Dependencies{"b": nil, "a": nil, "c": nil}))
	file := require(t, api, "# all\nc\nb==0.0.1\n")
	r := must(api.Why(t.Context(), "a", &WhyOptions{Requirements: file}))(t)
	equal(t, "version", r.Version, "0.1")
	equal(t, "chains", fmt.Sprint(r.Chains, r.More),
		"[[requirements_data.txt:3: b==0.0.1 b 0.0.1: a==0.1] [requirements_data.txt:2: c c 0.0.1: a] "+
			"[requirements_data.txt:2: c c 0.0.1: b b 0.0.1: a==0.1]] false")
	_, err := api.Why(t.Context(), "none", &WhyOptions{Requirements: file})
	wantError(t, err, `nothing in the requirements asks for "none", nor do their dependencies`, fs.ErrNotExist)
}

func TestWhyEndsWhereThereAreVeryManyChains(t *testing.T) {
	api := newAPI(t)
	for i := range 25 { // 2^24 chains
		for _, side := range "lr" {
			h := newArchive(t, api, fmt.Sprintf("%c%02d", side, i))
			put(t, h, "x")
			if i > 0 {
				noError(t, h.SetDependencies(t.Context(), Dependencies{fmt.Sprintf("l%02d", i-1): nil, fmt.Sprintf("r%02d", i-1): nil}))
			}
		}
	}
	r := must(api.Why(t.Context(), "l00", &WhyOptions{Requirements: "l24==0.0.1;r01==0.0.1"}))(t)
	equal(t, "chains", fmt.Sprint(len(r.Chains), r.More), "1 true")
}

func TestOutdated(t *testing.T) {
	api := choices(t)
	a := archive(t, api, "a")
	outdated := func(text string) string {
		file := require(t, api, text)
		return fmt.Sprint(must(api.Outdated(t.Context(), &OutdatedOptions{Requirements: file}))(t))
	}
	equal(t, "what is pinned", outdated("a==0.1\nb\ns\n"), "[{a 0.1 0.1 1.0 }]")
	equal(t, "what is not", outdated("a\nb\ns\n"), "[]")
	require(t, api, "a>=0.1,<1.0\nb\ns\n")
	lockAt(t, api, LockOptions{})
	must(a.UpdateFrom(t.Context(), strings.NewReader("next"), &UpdateOptions{Bump: "major"}))(t)
	put(t, archive(t, api, "s"), "s2")
	equal(t, "within and beyond", outdated("a>=0.1,<1.5\nb\ns\n"), "[{a 0.2 1.0 2.0 } {s #1 #2 #2 }]")
}

func TestAudit(t *testing.T) {
	api := choices(t)
	audit := func(opts AuditOptions) string {
		var texts []string
		for _, f := range must(api.Audit(t.Context(), &opts))(t) {
			texts = append(texts, f.String())
		}
		return strings.Join(texts, "\n")
	}
	file := require(t, api, "b\na<1.0,>=0.1\n")
	equal(t, "nothing", audit(AuditOptions{Requirements: file}), "")
	rep := lockAt(t, api, LockOptions{Deps: new(false)})
	c := newArchive(t, api, "c")
	put(t, c, "c")
	noError(t, c.SetDependencies(t.Context(), Dependencies{"b": nil, "x": new("1.0"), "y": nil, "a": new("0.7"), "c": nil}))
	want := `x 1.0 is not there (named: c --> c 0.0.1: x==1.0)
y is not there (named: c --> c 0.0.1: y)`
	equal(t, "dependencies", audit(AuditOptions{Archives: []string{"c"}}), "a 0.7 is not there (named: c --> c 0.0.1: a==0.7)\n"+want)
	noError(t, archive(t, api, "a").Delete(t.Context()))
	equal(t, "a lock", audit(AuditOptions{Locked: rep.File}), `a 0.2 is not there (lock: a 0.2)
a 0.1 is not there (lock: b 0.0.1 --> b 0.0.1: a==0.1)`)
	noError(t, os.Remove(rep.File))
	equal(t, "requirements without the lock", audit(AuditOptions{Requirements: "b==0.0.1;a==0.2;z==1.0"}), `a 0.2 is not there (requirements:1: a==0.2)
z 1.0 is not there (requirements:1: z==1.0)
a 0.1 is not there (requirements:1: b==0.0.1 --> b 0.0.1: a==0.1)`)
}
