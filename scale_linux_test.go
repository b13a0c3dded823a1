package datafs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/datafs/datafs/objects"
	"github.com/datafs/datafs/refs"
	"github.com/datafs/datafs/remote/team"
)

// TestFiguresOfManyArchives prints what the command takes among many archives:
// 1,000, 100,000 and 1,000,000 where DATAFS_TEST_LARGE is set, to a directory in
// memory such as /dev/shm. The repositories stay there for the next run.
// DATAFS_TEST_COMMAND may name the program that is measured, instead of one that
// is built for it.
func TestFiguresOfManyArchives(t *testing.T) {
	if largeAt == "" {
		t.Skip("DATAFS_TEST_LARGE is not set")
	}
	command := scaleCommand
	if command == "" {
		command = filepath.Join(t.TempDir(), "datafs")
		if out, err := exec.Command("go", "build", "-o", command, "./cli/datafs").CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	for _, n := range []int{1000, 100_000, 1_000_000} {
		t.Run(strconv.Itoa(n), func(t *testing.T) {
			many := scale{n: n, dir: filepath.Join(largeAt, "many", strconv.Itoa(n))}
			many.make(t)
			for _, f := range many.figures() {
				f.measure(t, command, many)
			}
		})
	}
}

var scaleCommand = os.Getenv("DATAFS_TEST_COMMAND") // before the environment is emptied

// scale is a repository with n archives, pulled from a team, and ten
// changes that are not pushed. The archives lie in directories of a hundred; each
// has three tags, of which the first is that of a thousand.
type scale struct {
	n   int
	dir string
}

func (m scale) config() string {
	return fmt.Sprintf("authorities: {team: {service: OSFS, args: [%q]}}\nmanager: {class: AuthorityManager, kwargs: {authority: team}}\n", filepath.Join(m.dir, "team"))
}

func (m scale) options() *Options {
	opts := configured(m.dir, m.config())
	opts.Offline = true
	return opts
}

func (m scale) name(i int) string {
	return fmt.Sprintf("climate/region-%03d/station-%02d/series-%02d.nc", i/10_000, i/100%100, i%100)
}

func (m scale) rare(i int) string { return fmt.Sprintf("run-%03d", i%max(m.n/1000, 1)) }

// make makes the repository, unless it is there.
func (m scale) make(t *testing.T) {
	t.Helper()
	done := filepath.Join(m.dir, "config.yml") // the last that is written
	if _, err := os.Stat(done); err == nil {
		return
	}
	noError(t, errors.Join(os.RemoveAll(m.dir), os.MkdirAll(filepath.Join(m.dir, "team"), 0o755)))
	begin := time.Now()
	api := openOnly(t, m.options())
	aside := must(api.tableOf(api.Table() + asideSuffix))(t)
	s := team.New(&team.Options{
		Local: api.bolt, Aside: aside, Team: madeUpTeam{many: m}, Space: "team/" + api.Table(), Now: api.opts.Now,
	})
	rep := must(s.Pull(t.Context(), nil))(t)
	equal(t, "archives", rep.NewArchives, m.n)
	for i := range 10 {
		m.change(t, api, i)
	}
	noError(t, os.WriteFile(done, []byte(m.config()), 0o644))
	t.Logf("%d archives are made in %.1f s", m.n, time.Since(begin).Seconds())
}

// change is the i-th of ten.
func (m scale) change(t *testing.T, api *API, i int) {
	t.Helper()
	h := must(api.Archive(t.Context(), m.name(i*m.n/10), nil))(t)
	value := fmt.Sprint(i)
	switch i % 3 {
	case 0:
		noError(t, h.UpdateMetadata(t.Context(), map[string]*string{"checked": &value}))
	case 1:
		noError(t, h.AddTags(t.Context(), "checked"))
	default:
		id := objects.Hash([]byte(h.Name() + value))
		_, _, _, err := api.refs.AddVersion(t.Context(), refs.NewVersion{Archive: h.Name(), Tree: id, Hash: id, Size: 1, Files: 1, Bump: "patch"})
		noError(t, err)
	}
}

// madeUpTeam is a team's manager that makes its records up.
type madeUpTeam struct {
	refs.Manager
	many scale
}

func (t madeUpTeam) Changes(_ context.Context, since refs.Cursor) iter.Seq2[refs.Record, error] {
	from, _ := strconv.Atoi(string(since))
	return func(yield func(refs.Record, error) bool) {
		for i := from; i < t.many.n; i++ {
			for _, r := range t.many.records(i) {
				r.Cursor = refs.Cursor(strconv.Itoa(i)) // so the last archive of a page comes twice
				if !yield(r, nil) {
					return
				}
			}
		}
	}
}

// records are those of the i-th archive: every tenth has three versions.
func (m scale) records(i int) (list []refs.Record) {
	a := refs.Archive{
		Name: m.name(i), Authority: "team", Versioned: true, Created: someTime.Add(time.Duration(i) * time.Second),
		Metadata:   map[string]string{"units": "K", "source": "CMIP6", "description": "near-surface air temperature", "station": strconv.Itoa(i / 100)},
		Tags:       []string{m.rare(i), fmt.Sprintf("variable-%02d", i%20), []string{"daily", "monthly"}[i%2]},
		UserConfig: map[string]string{"username": "My Name", "contact": "me@email.com"},
	}
	value, err := refs.EncodeArchive(a)
	list = append(list, refs.Record{Key: refs.ArchiveKey(a.Name), Value: value, Rev: "1"})
	versions := 1
	if i%10 == 0 {
		versions = 3
	}
	for k := range versions {
		id := objects.Hash(fmt.Append(nil, i, k))
		v := refs.VersionRecord{
			Archive: a.Name, Version: refs.Version{Patch: uint64(k + 1)}, Tree: id, Hash: id, Size: 1, Files: 1,
			Updates: []refs.Update{{Time: a.Created, Bump: "patch", UserConfig: a.UserConfig}},
		}
		value, verr := refs.EncodeVersion(v)
		err = errors.Join(err, verr)
		list = append(list, refs.Record{Key: v.Key(), Value: value, Rev: "1"})
	}
	if err != nil {
		panic(err)
	}
	return list
}

// figure is a run of the command.
type figure struct {
	what  string
	args  []string
	lines int                                 // of its answer, 0 for any number
	first func(t *testing.T, api *API, i int) // what is done before each run
}

func (m scale) figures() []figure {
	dir := filepath.Dir(m.name(m.n / 2))
	return []figure{
		{what: "filter --prefix, 100 names", args: []string{"filter", "--prefix", dir + "/"}, lines: 100},
		{what: "versions", args: []string{"versions", m.name(m.n / 2)}, lines: 1},
		{what: "search TAG, 1,000 names", args: []string{"search", m.rare(1)}, lines: 1000},
		{what: "search of three tags", args: []string{"search", m.rare(1), "monthly", "variable-01"}},
		{what: "search of two that many have", args: []string{"search", "monthly", "variable-01"}, lines: m.n / 20},
		{what: "search of one that half have", args: []string{"search", "daily"}, lines: m.n / 2},
		{what: "search of one that none has", args: []string{"search", "nothing"}},
		{what: "listdir, 100 archives", args: []string{"listdir", dir}, lines: 100},
		{what: "listdir, all regions", args: []string{"listdir", "climate"}},
		{what: "status, 10 changes", args: []string{"status"}},
		{what: "status, after one more", args: []string{"status"}, first: func(t *testing.T, api *API, i int) { m.change(t, api, i%10) }},
		{what: "filter --pattern among all", args: []string{"filter", "--pattern", "*/station-42/series-42.nc"}},
		{what: "add_tags", args: []string{"add_tags", m.name(m.n / 3), "checked"}},
		{what: "create", args: []string{"create", "another"}, first: func(t *testing.T, api *API, _ int) {
			if err := api.Delete(t.Context(), "another"); !errors.Is(err, fs.ErrNotExist) {
				noError(t, err)
			}
		}},
	}
}

// measure runs the command several times, and prints the medians.
func (f figure) measure(t *testing.T, command string, m scale) {
	t.Helper()
	const runs = 21
	var wall, cpu, memory []float64
	for i := range runs {
		if f.first != nil {
			api := openOnly(t, m.options())
			f.first(t, api, i)
			noError(t, api.Close())
		}
		// The child of a large process counts as large; that of time is as large as it is.
		c := exec.Command("time", append([]string{"-f", "%M", command, "--config-file", filepath.Join(m.dir, "config.yml"), "--repo", filepath.Join(m.dir, "repo")}, f.args...)...)
		c.Env = []string{"HOME=" + m.dir}
		var out, peak strings.Builder
		c.Stdout, c.Stderr = &out, &peak
		begin := time.Now()
		err := c.Run()
		took := time.Since(begin)
		if err != nil {
			t.Fatalf("%s: %v: %s", f.what, err, peak.String())
		}
		if got := strings.Count(out.String(), "\n"); f.lines > 0 && got != f.lines {
			t.Fatalf("%s: %d lines, want %d: %.200s", f.what, got, f.lines, out.String())
		}
		kib, err := strconv.ParseFloat(strings.TrimSpace(peak.String()), 64)
		noError(t, err)
		s := c.ProcessState
		wall, cpu, memory = append(wall, took.Seconds()*1e3), append(cpu, (s.UserTime()+s.SystemTime()).Seconds()*1e3), append(memory, kib/1024)
	}
	t.Logf("| %9d | %-30s | %6.1f ms | %6.1f ms CPU | %4.0f MiB |", m.n, f.what, median(wall), median(cpu), median(memory))
}

func median(list []float64) float64 {
	slices.SortFunc(list, cmp.Compare[float64])
	return list[len(list)/2]
}
