package config

import (
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
)

// seedProfile is what the documentation writes in its example.
func seedProfile() Profile {
	return Profile{
		Name:        "my-api",
		UserConfig:  map[string]string{"username": "My Name", "contact": "me@demo.com"},
		Authorities: []NamedService{{"local", Service{Service: "TempFS"}}},
		Cache:       &Service{Service: "TempFS"},
		Manager: &Manager{Class: "MongoDBManager", Kwargs: map[string]any{
			"client_kwargs": map[string]any{}, "database_name": "MyDatabase", "table_name": "DataFiles",
		}},
		Sync: "manual",
	}
}

const seedProfileText = `default-profile: my-api
profiles:
  my-api:
    api:
      user_config: {contact: me@demo.com, username: My Name}
    authorities:
      local:
        args: []
        service: TempFS
        kwargs: {}
    cache:
      args: []
      service: TempFS
      kwargs: {}
    manager:
      args: []
      class: MongoDBManager
      kwargs:
        client_kwargs: {}
        database_name: MyDatabase
        table_name: DataFiles
`

func TestMarshalProfile(t *testing.T) {
	below := strings.TrimPrefix(seedProfileText, "default-profile: my-api\n")
	for _, c := range []struct {
		name, text string
		profile    Profile
		want       string
	}{
		{"the documentation's example", "", seedProfile(), seedProfileText},
		{"twice is once", seedProfileText, seedProfile(), seedProfileText},
		{"comments stay", "# mine\n", seedProfile(), "# mine\n" + seedProfileText},
		{"nothing but a name", "", Profile{}, "default-profile: default\nprofiles:\n  default:\n    api:\n      user_config: {}\n"},
		{"beside another profile", "profiles:\n  a: {store: x} # a\n", seedProfile(),
			"profiles:\n  a: {store: x} # a\n" + strings.TrimPrefix(below, "profiles:\n")},
		{"in the place of null", "profiles:\n  my-api:\n", seedProfile(), below},
		{"in the place of {}", "profiles:\n  my-api: {}\n", Profile{Name: "my-api", Store: "/x"}, "profiles:\n  my-api:\n    store: /x\n"},
		{"what is there wins, authorities as a whole",
			"profiles:\n  my-api:\n    api:\n      user_config:\n        contact: x\n    authorities:\n      local: s3://b\n    manager: {class: dynamo}\n    sync: auto\n",
			Profile{
				Name:       "my-api",
				UserConfig: map[string]string{"contact": "y", "username": "z"},
				Authorities: []NamedService{
					{"local", Service{Service: "TempFS", Kwargs: map[string]any{"a": 1}}}, {"new", Service{URL: "s3://c"}},
				},
				DefaultAuthority: "new",
				Manager:          &Manager{URL: "mongodb://h"},
			},
			"profiles:\n  my-api:\n    api:\n      user_config:\n        contact: x\n        username: z\n" +
				"    authorities:\n      local: s3://b\n      new: s3://c\n    manager: {class: dynamo}\n    sync: auto\n    default-authority: new\n"},
		{"a file that is the profile default", "store: x\n", Profile{Name: "default", Checksums: []string{"md5"}, Store: "y"},
			"store: x\nchecksums: [md5]\n"},
		{"an alias is there, too", "profiles:\n  a: {cache: &c mem://}\n  my-api:\n    cache: *c\n",
			Profile{Name: "my-api", Cache: &Service{URL: "zip://"}}, "profiles:\n  a: {cache: &c mem://}\n  my-api:\n    cache: *c\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := MarshalProfile([]byte(c.text), c.profile)
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

func TestMarshalledProfileReadsBack(t *testing.T) {
	want := Profile{
		Name:       "p",
		UserConfig: map[string]string{"a": "1", "b": "yes", "c": "x\ny", "d": "", "null": "null", "<<": "<<"},
		Authorities: []NamedService{
			{"z", Service{URL: "s3://b/p?region=x#y"}},
			{"a", Service{Service: "FTPFS", Args: []any{"h", 21, -1, 0.5, 2.0, 1e30, true, nil, "0123", "089", "2020-01-01", "0x1", "~", "é: #"},
				Kwargs: map[string]any{"l": []any{[]any{}, map[string]any{"k": "v"}}, "m": map[string]any{"x": []any{1}}}}},
		},
		DefaultAuthority: "a",
		Manager:          &Manager{Class: "AuthorityManager"},
		Cache:            &Service{Service: "OSFS", Args: []any{"C:\\x y"}},
		Store:            "~/x: y", Sync: "auto", Checksums: []string{"md5", "sha256"},
	}
	text, err := MarshalProfile(nil, want)
	if err != nil {
		t.Fatal(err)
	}
	if got := profileOf(t, string(text), ""); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %#v\nwant %#v\nin\n%s", got, want, text)
	}
}

func TestMarshalProfileErrors(t *testing.T) {
	bad := func(v any) Profile { return Profile{Cache: &Service{Service: "OSFS", Args: []any{v}}} }
	for _, c := range []struct {
		name, text string
		profile    Profile
		want       string
	}{
		{"a value without a form", "", bad(t), `profile "default": cache: args: [0]: a *testing.T cannot stand in a configuration`},
		{"no number", "", bad(math.NaN()), "NaN cannot stand in a configuration"},
		{"unsound YAML", "a: [", Profile{}, "configuration:1: not sound YAML"},
		{"beside the profile default", "store: x", Profile{Name: "x"}, "all of it is the profile"},
		{"text that is not UTF-8", "", Profile{Store: "\xff"}, "cannot be edited by a program"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := MarshalProfile([]byte(c.text), c.profile)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}

func TestWriteProfileMakesPrivateFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "datafs")
	file := filepath.Join(dir, "config.yml")
	if err := WriteProfile(file, seedProfile()); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := WriteProfile(file, Profile{Name: "b"}); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(file)
	if got, want := string(data), seedProfileText+"  b:\n    api:\n      user_config: {}\n"; err != nil || got != want {
		t.Errorf("%v, got\n%s\nwant\n%s", err, got, want)
	}
	if runtime.GOOS == "windows" {
		return
	}
	for path, want := range map[string]fs.FileMode{dir: 0o700, file: 0o600} {
		if fi, err := os.Stat(path); err != nil || fi.Mode().Perm() != want {
			t.Errorf("%s: got %v, %v, want %v", path, fi.Mode(), err, want)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".*")); left != nil {
		t.Errorf("left behind: %v", left)
	}
}

func TestWriteProfileKeepsLinks(t *testing.T) {
	dir := t.TempDir()
	link, target := filepath.Join(dir, "config.yml"), filepath.Join(dir, "dotfiles", "datafs.yml")
	if err := os.Symlink(filepath.Join("dotfiles", "datafs.yml"), link); err != nil {
		t.Skip(err)
	}
	for _, name := range []string{"my-api", "my-api"} { // first the target is not there, then it is
		p := seedProfile()
		p.Name = name
		if err := WriteProfile(link, p); err != nil {
			t.Fatal(err)
		}
		if fi, err := os.Lstat(link); err != nil || fi.Mode()&fs.ModeSymlink == 0 {
			t.Errorf("the link is gone: %v, %v", fi, err)
		}
		if data, err := os.ReadFile(target); err != nil || string(data) != seedProfileText {
			t.Errorf("%v, got\n%s", err, data)
		}
	}
}

func TestWriteProfileRefusals(t *testing.T) {
	dir := t.TempDir()
	loop := filepath.Join(dir, "loop")
	if err := os.Symlink(loop, loop); err != nil {
		t.Skip(err)
	}
	for _, c := range []struct{ name, file, want string }{
		{"a directory", dir, "config file: " + dir + " is a directory, not a file"},
		{"a link to itself", loop, "config file: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := WriteProfile(c.file, seedProfile())
			if err == nil || !strings.Contains(err.Error(), c.want) || errors.Is(err, fs.ErrNotExist) {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}

// TestOnlyRegularFilesAreReplaced never hands a device to what writes: with the
// guard broken, and as root, that would take the machine's device away.
func TestOnlyRegularFilesAreReplaced(t *testing.T) {
	if got, err := configTarget(os.DevNull); err == nil {
		t.Errorf("a device: got %s, want an error", got)
	}
	dir := t.TempDir()
	err := WriteFile(dir, nil)
	if err == nil || !strings.Contains(err.Error(), "is not a regular file") {
		t.Errorf("a directory: got %v", err)
	}
}
