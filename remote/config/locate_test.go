package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// whereWorld is a directory with a home, a project with a repository in it,
// and files that a case asks for.
type whereWorld struct {
	dir string
	env map[string]string
}

func newWhereWorld(t *testing.T, files map[string]string) *whereWorld {
	t.Helper()
	w := &whereWorld{dir: t.TempDir()}
	w.env = map[string]string{"HOME": w.path("home")}
	for _, dir := range []string{"home", "work", "project/.datafs", "project/sub/deep"} {
		w.must(t, os.MkdirAll(w.path(dir), 0o755))
	}
	for name, text := range files {
		w.must(t, os.MkdirAll(filepath.Dir(w.path(name)), 0o755))
		w.must(t, os.WriteFile(w.path(name), []byte(text), 0o644))
	}
	return w
}

func (w *whereWorld) must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (w *whereWorld) path(name string) string { return filepath.Join(w.dir, filepath.FromSlash(name)) }

// fill replaces @ by the world's directory.
func (w *whereWorld) fill(s string) string { return strings.ReplaceAll(s, "@", w.dir+"/") }

// options are those of a case with @ replaced; it works in work unless it says.
func (w *whereWorld) options(o Search, env map[string]string) *Search {
	for _, s := range []*string{&o.ConfigFile, &o.Repo, &o.Dir, &o.Requirements} {
		*s = w.fill(*s)
	}
	if o.Dir == "" {
		o.Dir = w.path("work")
	}
	for k, v := range env {
		w.env[k] = w.fill(v)
	}
	o.Getenv = func(name string) string { return w.env[name] }
	return &o
}

func TestLocate(t *testing.T) {
	const home, data = "home/.config/datafs/config.yml", "@home/.local/share/datafs/"
	two := "default-profile: a\nprofiles: {a: {}, b: {}, default: {}}\n"
	type env = map[string]string
	type files = map[string]string
	for _, c := range []struct {
		name    string
		files   files
		options Search
		env     env
		want    [4]string // config file, profile, repository, requirements
	}{
		{"nothing at all is the profile default", nil, Search{}, nil, [4]string{"", "default", data + "default", ""}},
		{"the XDG variables move both", files{"c/datafs/config.yml": two}, Search{},
			env{"XDG_CONFIG_HOME": "@c", "XDG_DATA_HOME": "@d", "HOME": ""},
			[4]string{"@c/datafs/config.yml", "a", "@d/datafs/a", ""}},
		{"relative XDG variables are ignored", nil, Search{}, env{"XDG_CONFIG_HOME": "c", "XDG_DATA_HOME": "d"},
			[4]string{"", "default", data + "default", ""}},
		{"the home directory's configuration", files{home: two}, Search{}, nil, [4]string{"@" + home, "a", data + "a", ""}},
		{"the environment's profile beats the file's", files{home: two}, Search{}, env{"DATAFS_DEFAULT_PROFILE": "b"},
			[4]string{"@" + home, "b", data + "b", ""}},
		{"the option's profile beats both", files{home: two}, Search{Profile: "default"}, env{"DATAFS_DEFAULT_PROFILE": "b"},
			[4]string{"@" + home, "default", data + "default", ""}},
		{"the environment's file beats the home directory's", files{home: "", "x.yml": two}, Search{}, env{"DATAFS_CONFIG_FILE": "@x.yml"},
			[4]string{"@x.yml", "a", data + "a", ""}},
		{"the option's file beats the environment's", files{"x.yml": "", "y.yml": two}, Search{ConfigFile: "@y.yml"},
			env{"DATAFS_CONFIG_FILE": "@x.yml"}, [4]string{"@y.yml", "a", data + "a", ""}},
		{"a ~ in a variable is the home directory", files{"home/y.yml": two}, Search{}, env{"DATAFS_CONFIG_FILE": "~/y.yml"},
			[4]string{"@home/y.yml", "a", data + "a", ""}},
		{"a configuration instead of a file", files{home: two}, Search{Config: strings.NewReader("store: s\n")}, nil,
			[4]string{"", "default", "@work/s", ""}},
		{"a .datafs above, without a configuration of its own", files{home: two}, Search{Dir: "@project/sub/deep"}, nil,
			[4]string{"@" + home, "a", "@project/.datafs", ""}},
		{"a .datafs above, with its own", files{home: "", "project/.datafs/config.yml": two}, Search{Dir: "@project/sub"}, nil,
			[4]string{"@project/.datafs/config.yml", "a", "@project/.datafs", ""}},
		{"a file named .datafs is no repository", files{"project/sub/.datafs": ""}, Search{Dir: "@project/sub"}, nil,
			[4]string{"", "default", "@project/.datafs", ""}},
		{"a named file beats the repository's own", files{"x.yml": "", "project/.datafs/config.yml": two},
			Search{Dir: "@project", ConfigFile: "@x.yml"}, nil, [4]string{"@x.yml", "default", "@project/.datafs", ""}},
		{"the environment's repository beats the one above", files{"r/config.yml": two}, Search{Dir: "@project"}, env{"DATAFS_REPO": "@r"},
			[4]string{"@r/config.yml", "a", "@r", ""}},
		{"the option's repository beats both", nil, Search{Dir: "@project", Repo: "@s"}, env{"DATAFS_REPO": "@r"},
			[4]string{"", "default", "@s", ""}},
		{"a named directory with a repository inside", nil, Search{Repo: "@project"}, nil,
			[4]string{"", "default", "@project/.datafs", ""}},
		{"a named repository with one inside", files{"project/datafs.json": ""}, Search{Repo: "@project"}, nil,
			[4]string{"", "default", "@project", ""}},
		{"a named repository beats store", files{home: "store: /x\n"}, Search{Repo: "@r"}, nil,
			[4]string{"@" + home, "default", "@r", ""}},
		{"store", files{home: "store: ~/data\n"}, Search{}, nil, [4]string{"@" + home, "default", "@home/data", ""}},
		{"store with variables", files{home: "store: $A/${B}c$$d\n"}, Search{}, env{"A": "@a", "B": "b"},
			[4]string{"@" + home, "default", "@a/bc$d", ""}},
		{"a relative store is beside the file", files{"x/y.yml": "store: ../data\n"}, Search{ConfigFile: "@x/y.yml"}, nil,
			[4]string{"@x/y.yml", "default", "@data", ""}},
		{"a home directory that is none", files{"file": ""}, Search{}, env{"HOME": "@file", "XDG_DATA_HOME": "@d"},
			[4]string{"", "default", "@d/datafs/default", ""}},
		{"no home directory, where none is needed", nil, Search{Repo: "@r"}, env{"HOME": ""}, [4]string{"", "default", "@r", ""}},
		{"requirements in the working directory", files{"work/requirements_data.txt": ""}, Search{}, nil,
			[4]string{"", "default", data + "default", "@work/requirements_data.txt"}},
		{"a directory of that name is none", files{"work/requirements_data.txt/x": ""}, Search{}, nil,
			[4]string{"", "default", data + "default", ""}},
		{"the configuration's requirements, from the working directory", files{home: "requirements: r.txt\n", "work/requirements_data.txt": ""},
			Search{}, nil, [4]string{"@" + home, "default", data + "default", "@work/r.txt"}},
		{"the configuration's requirements as text", files{home: "requirements: |\n  a==1.0\n"}, Search{}, nil,
			[4]string{"@" + home, "default", data + "default", "a==1.0\n"}},
		{"the environment's requirements", files{home: "requirements: r.txt\n"}, Search{}, env{"DATAFS_REQUIREMENTS_FILE": "x.txt"},
			[4]string{"@" + home, "default", data + "default", "x.txt"}},
		{"the option's requirements", nil, Search{Requirements: "~/y.txt"}, env{"DATAFS_REQUIREMENTS_FILE": "x.txt"},
			[4]string{"", "default", data + "default", "@home/y.txt"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			world := newWhereWorld(t, c.files)
			w, err := Locate(world.options(c.options, c.env))
			if err != nil {
				t.Fatal(err)
			}
			got := [4]string{w.ConfigFile, w.Profile.Name, w.Repo, w.Requirements}
			for i, s := range c.want {
				if s = world.fill(s); got[i] != s {
					t.Errorf("got %q, want %q", got[i], s)
				}
			}
		})
	}
}

func TestLocateErrors(t *testing.T) {
	type env = map[string]string
	for _, c := range []struct {
		name    string
		config  string
		options Search
		env     env
		want    string
	}{
		{"a named file that is not there", "", Search{ConfigFile: "@no.yml"}, nil, "config file: open @no.yml: "},
		{"a file named by the environment", "", Search{}, env{"DATAFS_CONFIG_FILE": "@no.yml"}, "config file: open @no.yml: "},
		{"a directory", "", Search{ConfigFile: "@work"}, nil, "config file: @work is a directory, not a file"},
		{"a broken file", "a: [", Search{}, nil, "@home/.config/datafs/config.yml:1: not sound YAML"},
		{"a broken reader", "", Search{Config: strings.NewReader("a: [")}, nil, "configuration:1: not sound YAML"},
		{"a profile without a file", "", Search{Profile: "x"}, nil, `Profile "x" not found`},
		{"the environment's profile without a file", "", Search{}, env{"DATAFS_DEFAULT_PROFILE": "x"}, `Profile "x" not found`},
		{"no home directory", "", Search{}, env{"HOME": ""}, "neither XDG_DATA_HOME nor HOME is set, say with --repo or DATAFS_REPO"},
		{"store in no home directory", "store: ~/x\n", Search{}, env{"HOME": "", "XDG_CONFIG_HOME": "@home/.config"}, `store: "~/x": HOME is not set`},
		{"store in another home directory", "store: ~bob/x\n", Search{}, nil, `store: "~bob/x": only ~/ is understood`},
		{"store with a variable that is not set", "store: $SCRATCH/x\n", Search{}, nil, "store: the variable SCRATCH is not set"},
		{"a profile that is no directory's name", "profiles: {../x: {}}\n", Search{Profile: "../x"}, nil, `profile "../x": cannot name a directory`},
	} {
		t.Run(c.name, func(t *testing.T) {
			files := map[string]string{}
			if c.config != "" {
				files["home/.config/datafs/config.yml"] = c.config
			}
			world := newWhereWorld(t, files)
			_, err := Locate(world.options(c.options, c.env))
			if err == nil || !strings.Contains(err.Error(), world.fill(c.want)) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got  %v\nwant %s", err, world.fill(c.want))
			}
		})
	}
}

func TestLocateWithoutOptions(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	for _, name := range []string{"DATAFS_CONFIG_FILE", "DATAFS_DEFAULT_PROFILE", "XDG_CONFIG_HOME", "DATAFS_REQUIREMENTS_FILE"} {
		t.Setenv(name, "")
	}
	t.Setenv("DATAFS_REPO", t.TempDir())
	w, err := Locate(nil)
	if err != nil || w.Repo != os.Getenv("DATAFS_REPO") || w.Config != nil {
		t.Errorf("got %+v, %v", w, err)
	}
}

func TestConfigureTarget(t *testing.T) {
	const home = "home/.config/datafs/config.yml"
	type env = map[string]string
	for _, c := range []struct {
		name          string
		files         map[string]string
		options       Search
		env           env
		file, profile string
	}{
		{"nothing yet", nil, Search{}, nil, "@" + home, "default"},
		{"a named file that is not there", nil, Search{ConfigFile: "@x/y.yml", Profile: "p"}, nil, "@x/y.yml", "p"},
		{"the file's default profile", map[string]string{home: "default-profile: q\n"}, Search{}, nil, "@" + home, "q"},
		{"the environment", nil, Search{}, env{"DATAFS_CONFIG_FILE": "@z.yml", "DATAFS_DEFAULT_PROFILE": "e"}, "@z.yml", "e"},
		{"a repository's own file only if it is there", nil, Search{Dir: "@project"}, nil, "@" + home, "default"},
		{"a repository's own file", map[string]string{"project/.datafs/config.yml": ""}, Search{Dir: "@project/sub"}, nil,
			"@project/.datafs/config.yml", "default"},
	} {
		t.Run(c.name, func(t *testing.T) {
			world := newWhereWorld(t, c.files)
			file, profile, err := Target(world.options(c.options, c.env))
			if err != nil || file != world.fill(c.file) || profile != c.profile {
				t.Errorf("got %q, %q, %v, want %q, %q", file, profile, err, world.fill(c.file), c.profile)
			}
		})
	}
	o := newWhereWorld(t, nil).options(Search{}, env{"HOME": ""})
	if _, _, err := Target(o); err == nil || !strings.Contains(err.Error(), "--config-file") {
		t.Errorf("without a home directory: got %v", err)
	}
}

func TestNamedFileThatIsNotThereIsNotExist(t *testing.T) {
	world := newWhereWorld(t, nil)
	if _, err := Locate(world.options(Search{ConfigFile: "@no"}, nil)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want fs.ErrNotExist", err)
	}
}
