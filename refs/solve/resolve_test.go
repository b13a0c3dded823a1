package solve_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/datafs/datafs/refs"
	"github.com/datafs/datafs/refs/solve"
)

// universe has versions and dependencies, "x 1.0" -> requirements. A version
// that is yanked has a '!' behind it; "-" alone makes the archive unversioned.
type universe struct {
	versions map[string][]string
	deps     map[string][]string
}

func (u universe) Candidates(_ context.Context, name string) (list []solve.Candidate, versioned bool, err error) {
	texts, ok := u.versions[name]
	if !ok {
		return nil, false, fmt.Errorf("archive %q: %w", name, fs.ErrNotExist)
	}
	for _, text := range texts {
		if text == "-" {
			return nil, false, nil
		}
		v, err := refs.ParseVersion(strings.TrimSuffix(text, "!"))
		if err != nil {
			return nil, false, err
		}
		list = append(list, solve.Candidate{Version: v, Yanked: strings.HasSuffix(text, "!")})
	}
	return list, true, nil
}

func (u universe) Dependencies(_ context.Context, name string, v refs.Version) ([]solve.Requirement, error) {
	key := name
	if !v.IsZero() {
		key += " " + v.String()
	}
	return solve.ParseRequirements(strings.Join(u.deps[key], ";"), "")
}

func choose(t *testing.T, u universe, text string, prefer map[string]refs.Version) (string, error) {
	t.Helper()
	list, err := solve.ParseRequirements(text, "")
	if err != nil {
		t.Fatal(err)
	}
	choices, err := solve.Resolve(t.Context(), u, list, &solve.Options{Deps: true, Prefer: prefer})
	return printed(choices), err
}

func printed(choices []solve.Choice) string {
	var b strings.Builder
	for _, c := range choices {
		fmt.Fprintf(&b, "%s %s;", c.Name, c.Version)
	}
	return b.String()
}

var small = universe{
	map[string][]string{"x": {"1.0", "2.0", "3.0b1"}, "y": {"1.0", "1.2"}, "w": {"1.0!", "1.1!"}, "u": {"-"}, "empty": {}, "m": {"1.0"}, "z": {"1.0"}},
	map[string][]string{"y 1.2": {"x==1.0"}, "y 1.0": {"x==1.0"}, "m 1.0": {"gone"}, "z 1.0": {"y>=1.2"}, "x 3.0b1": {"u"}},
}

func TestResolve(t *testing.T) {
	cases := []struct{ name, text, want string }{
		{"a bare name takes the highest, pre-releases too", "x", "u 0.0;x 3.0b1;"},
		{"a range leaves pre-releases out", "x>=1.0", "x 2.0;"},
		{"a dependency holds a requirement back", "z;x", "x 1.0;y 1.2;z 1.0;"},
		{"a yanked version is chosen where it is pinned", "w==1.0", "w 1.0;"},
		{"an unversioned archive has no number", "u", "u 0.0;"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got, err := choose(t, small, c.text, nil); err != nil || got != c.want {
				t.Errorf("got %q, %v, want %q", got, err, c.want)
			}
		})
	}
}

func TestResolveExplains(t *testing.T) {
	cases := []struct {
		text string
		kind error
		want string
	}{
		{"gone", fs.ErrNotExist, `Archive "gone" not found: line 1 of the requirements wants gone`},
		{"m", fs.ErrNotExist, `Archive "gone" not found: m 1.0 wants gone, m is wanted by line 1 of the requirements`},
		{"empty", fs.ErrNotExist, `Archive "empty" has no versions: line 1 of the requirements wants empty`},
		{"u==1.0", fs.ErrInvalid, `Cannot specify version on an unversioned archive. "u": line 1 of the requirements wants u==1.0`},
		{"x==9.0", fs.ErrNotExist, `no version of "x" is as wanted: line 1 of the requirements wants x==9.0; there is 3.0b1, 2.0, 1.0`},
		{"x>2.0", refs.ErrConflict, `no version of "x" is as wanted: line 1 of the requirements wants x>2.0; there is 2.0, 1.0; pre-releases, left out unless the range names one: 3.0b1`},
		{"w", fs.ErrNotExist, `no version of "w" is as wanted: line 1 of the requirements wants w; there is none; yanked, so left out: 1.1, 1.0`},
		{"x>=2.0\nz", refs.ErrConflict, `no version of "x" satisfies both: line 1 of the requirements wants x>=2.0; y 1.2 wants x==1.0, y is wanted by z 1.0, z is wanted by line 2 of the requirements`},
	}
	for _, c := range cases {
		_, err := choose(t, small, c.text, nil)
		var resolve *solve.Error
		if err == nil || err.Error() != c.want || !errors.Is(err, c.kind) || !errors.As(err, &resolve) {
			t.Errorf("%q: got %v, want %s", c.text, err, c.want)
		}
	}
}

func TestResolveTakesTimeInProportion(t *testing.T) {
	u := universe{map[string][]string{}, map[string][]string{}}
	var lines []string
	for i := range 20_000 {
		name := fmt.Sprint("a", i)
		u.versions[name] = []string{"1.0", "1.1", "2.0!"}
		lines = append(lines, name)
	}
	u.versions["bad"], u.versions["zbad"], u.deps["zbad 1.0"] = []string{"1.0", "2.0"}, []string{"1.0"}, []string{"bad==1.0"}
	text := strings.Join(lines, "\n")
	if _, err := choose(t, u, text, nil); err != nil {
		t.Error(err)
	}
	if _, err := choose(t, u, text+"\nbad\nzbad", nil); err != nil {
		t.Error(err)
	}
	if _, err := choose(t, u, text+"\nbad>=2.0\nzbad", nil); !errors.Is(err, refs.ErrConflict) {
		t.Errorf("got %v, want a conflict", err)
	}
}

// randomUniverse has at most four archives and four versions of each.
func randomUniverse(r *rand.Rand) universe {
	u := universe{map[string][]string{}, map[string][]string{}}
	for _, name := range []string{"a", "b", "c", "d"}[:1+r.IntN(4)] {
		u.versions[name] = []string{}
		for _, v := range []string{"1.0", "1.1", "2.0b1", "2.0"}[r.IntN(2):] {
			if r.IntN(5) == 0 {
				continue
			}
			u.deps[name+" "+v] = randomRequirements(r, r.IntN(3))
			if r.IntN(4) == 0 {
				v += "!"
			}
			u.versions[name] = append(u.versions[name], v)
		}
		if r.IntN(15) == 0 {
			u.versions[name], u.deps[name] = []string{"-"}, randomRequirements(r, 1)
		}
	}
	return u
}

func randomRequirements(r *rand.Rand, n int) []string {
	tails := []string{"", "", "==1.0", "==1.1", "==2.0", "==latest", ">=1.1", "<2.0", "~=1.0", "!=1.1", ">=2.0b1", "==1.0,<2.0"}
	var list []string
	for _, i := range r.Perm(4)[:n] {
		list = append(list, []string{"", "", "", "", "p://", "q://"}[r.IntN(6)]+"abcd"[i:i+1]+tails[r.IntN(len(tails))])
	}
	return list
}

// bruteForce goes through all ways to take one version, or none, of each archive
// and keeps those that are right; of these it takes the first.
func bruteForce(t *testing.T, u universe, roots []solve.Requirement, prefer map[string]refs.Version) string {
	names := slices.Sorted(func(yield func(string) bool) {
		for n := range u.versions {
			if !yield(n) {
				return
			}
		}
	})
	solutions := []map[string]solve.Candidate{}
	var fill func(int, map[string]solve.Candidate)
	fill = func(i int, m map[string]solve.Candidate) {
		if i == len(names) {
			if right(t, u, roots, prefer, m) {
				c := map[string]solve.Candidate{}
				for k, v := range m {
					c[k] = v
				}
				solutions = append(solutions, c)
			}
			return
		}
		delete(m, names[i])
		fill(i+1, m)
		for _, c := range candidates(u, names[i]) {
			m[names[i]] = c
			fill(i+1, m)
		}
		delete(m, names[i])
	}
	fill(0, map[string]solve.Candidate{})
	return first(u, roots, prefer, solutions)
}

func candidates(u universe, name string) []solve.Candidate {
	list, versioned, _ := u.Candidates(context.Background(), name)
	if !versioned {
		return []solve.Candidate{{}}
	}
	return list
}

// wanted are the requirements of a set of versions, starting from the first.
func wanted(u universe, roots []solve.Requirement, m map[string]solve.Candidate) (list []solve.Requirement, names map[string]bool) {
	list, names = slices.Clone(roots), map[string]bool{}
	for i := 0; i < len(list); i++ {
		if c, ok := m[list[i].Name]; ok && !names[list[i].Name] {
			deps, _ := u.Dependencies(context.Background(), list[i].Name, c.Version)
			list = append(list, deps...)
		}
		names[list[i].Name] = true
	}
	return list, names
}

func right(t *testing.T, u universe, roots []solve.Requirement, prefer map[string]refs.Version, m map[string]solve.Candidate) bool {
	t.Helper()
	list, names := wanted(u, roots, m)
	if len(names) != len(m) {
		return false
	}
	authority, pinned := map[string]string{}, map[string]bool{}
	for _, r := range list {
		c, ok := m[r.Name]
		_, versioned, _ := u.Candidates(context.Background(), r.Name)
		text := strings.TrimPrefix(r.String()[strings.Index(r.String(), r.Name):], r.Name)
		if !ok || !versioned && text != "" || versioned && !r.Allows(c.Version) {
			return false
		}
		for _, o := range candidates(u, r.Name) {
			if r.Latest && (c.Yanked || !o.Yanked && o.Version.Compare(c.Version) > 0) {
				return false
			}
		}
		if a := authority[r.Name]; a != "" && r.Authority != "" && a != r.Authority {
			return false
		}
		authority[r.Name] = cmp.Or(authority[r.Name], r.Authority)
		if strings.HasPrefix(text, "=="+c.Version.String()) {
			pinned[r.Name] = true
		}
	}
	for name, c := range m {
		if p, ok := prefer[name]; c.Yanked && !pinned[name] && (!ok || p != c.Version) {
			return false
		}
	}
	return true
}

// first takes, name after name as they come to be wanted, the best version that
// some solution has.
func first(u universe, roots []solve.Requirement, prefer map[string]refs.Version, solutions []map[string]solve.Candidate) string {
	taken := map[string]solve.Candidate{}
	for len(solutions) > 0 {
		_, names := wanted(u, roots, taken)
		next := ""
		for n := range names {
			if _, ok := taken[n]; !ok && (next == "" || n < next) {
				next = n
			}
		}
		if next == "" {
			break
		}
		rank := func(m map[string]solve.Candidate) [2]int {
			c := m[next]
			above := 0
			for _, o := range candidates(u, next) {
				if o.Version.Compare(c.Version) > 0 {
					above++
				}
			}
			switch p, ok := prefer[next]; {
			case ok && p == c.Version:
				return [2]int{0, above}
			case !c.Yanked:
				return [2]int{1, above}
			}
			return [2]int{2, above}
		}
		best := slices.MinFunc(solutions, func(a, b map[string]solve.Candidate) int {
			x, y := rank(a), rank(b)
			return slices.Compare(x[:], y[:])
		})[next]
		taken[next] = best
		solutions = slices.DeleteFunc(solutions, func(m map[string]solve.Candidate) bool { return m[next] != best })
	}
	if len(solutions) == 0 {
		return "none"
	}
	var choices []solve.Choice
	for n, c := range taken {
		choices = append(choices, solve.Choice{Name: n, Version: c.Version})
	}
	slices.SortFunc(choices, func(a, b solve.Choice) int { return strings.Compare(a.Name, b.Name) })
	return printed(choices)
}

func TestResolveAgreesWithBruteForce(t *testing.T) {
	solved := 0
	for seed := range uint64(4000) {
		r := rand.New(rand.NewPCG(seed, 5))
		u := randomUniverse(r)
		lines := randomRequirements(r, 1+r.IntN(3))
		prefer := map[string]refs.Version{}
		for _, n := range []string{"a", "b"} {
			if r.IntN(3) == 0 {
				prefer[n] = parse(t, []string{"1.0", "1.1", "2.0"}[r.IntN(3)])
			}
		}
		roots, err := solve.ParseRequirements(strings.Join(lines, "\n"), "r")
		if err != nil {
			t.Fatal(err)
		}
		want := bruteForce(t, u, roots, prefer)
		for range 2 {
			r.Shuffle(len(lines), func(i, j int) { lines[i], lines[j] = lines[j], lines[i] })
			got, err := choose(t, u, strings.Join(lines, "\n"), prefer)
			if err != nil {
				got = "none"
			} else {
				solved++
			}
			if got != want {
				t.Fatalf("seed %d: got %q, %v, want %q: %v of %v, prefer %v", seed, got, err, want, lines, u, prefer)
			}
		}
	}
	t.Logf("%d of 8000 solved", solved)
}
