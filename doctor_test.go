package datafs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// examined gives what the doctor says, by what it is about.
func examined(t *testing.T, api *API) map[string]Check {
	t.Helper()
	all := map[string]Check{}
	noError(t, api.Doctor(t.Context(), func(c Check) {
		if _, twice := all[c.What]; twice || c.What == "" || c.Detail == "" {
			t.Errorf("%+v: twice, or not complete", c)
		}
		all[c.What] = c
	}))
	return all
}

// wantCheck checks the status of a check, and that its texts contain others.
func wantCheck(t *testing.T, all map[string]Check, what, status string, texts ...string) {
	t.Helper()
	c := all[what]
	if c.Status != status {
		t.Errorf("%s: got %+v, want %s", what, c, status)
	}
	for _, text := range texts {
		if !strings.Contains(c.Detail+"\n"+c.Hint, text) {
			t.Errorf("%s: got %+v, want %q in it", what, c, text)
		}
	}
}

// nowOptions are options whose clock is right.
func nowOptions(dir, config string) *Options {
	opts := configured(dir, config)
	opts.Now, opts.RetryTime = time.Now, -1
	return opts
}

func TestDoctorOfARepositoryAlone(t *testing.T) {
	api := openChecked(t, nowOptions(t.TempDir(), ""))
	put(t, newArchive(t, api, "x"), "text")
	all := examined(t, api)
	for _, what := range []string{"configuration", "repository", "index and journal", "clock", "authority local", "manager"} {
		wantCheck(t, all, what, CheckOK)
	}
	equal(t, "checks", len(all), 6)
	wantCheck(t, all, "repository", CheckOK, api.Repo())
}

func TestDoctorSaysWhoCanReadSecrets(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a file's mode does not say there who can read it")
	}
	const secret = "authorities: {a: {service: FTPFS, args: [host], kwargs: {passwd: hunter2}}}"
	for _, c := range []struct {
		name, config string
		mode         fs.FileMode
		want         string
	}{
		{"a password that others can read", secret, 0o644, CheckWarning},
		{"a password that nobody else can read", secret, 0o600, CheckOK},
		{"a password in a URL", "authorities: {a: 'ftp://u:hunter2@host/'}", 0o604, CheckWarning},
		{"a user in a URL", "authorities: {a: 'sftp://u@host:22/'}", 0o644, CheckOK},
		{"a password in a manager's arguments", "manager: {class: mongo, kwargs: {database_name: d, client_kwargs: {password: hunter2}}}", 0o640, CheckWarning},
		{"a variable instead of a password", "authorities: {a: {service: FTPFS, args: [host], kwargs: {passwd: 'env:P'}}}", 0o644, CheckOK},
		{"no secret", "api: {user_config: {username: me}}", 0o644, CheckOK},
	} {
		t.Run(c.name, func(t *testing.T) {
			opts := testOptions(t.TempDir())
			opts.Offline, opts.ConfigFile = true, filepath.Join(opts.Dir, "config.yml")
			noError(t, os.WriteFile(opts.ConfigFile, []byte(c.config), 0o600))
			noError(t, os.Chmod(opts.ConfigFile, c.mode))
			all := examined(t, openOnly(t, opts))
			wantCheck(t, all, "configuration", c.want, opts.ConfigFile)
			if text := fmt.Sprint(all); strings.Contains(text, "hunter2") {
				t.Errorf("it tells the secret: %s", text)
			}
		})
	}
}

func TestDoctorNamesRequiredUserConfigThatIsMissing(t *testing.T) {
	api := openChecked(t, nowOptions(t.TempDir(), "api: {user_config: {username: me}}"))
	noError(t, api.RequireUserConfig(t.Context(), map[string]*string{"username": new("who?")}))
	wantCheck(t, examined(t, api), "user configuration", CheckOK)
	noError(t, api.RequireUserConfig(t.Context(), map[string]*string{"contact": new("where?")}))
	wantCheck(t, examined(t, api), "user configuration", CheckWarning, "contact", "--helper")
}

func TestDoctorOfARepositoryThatCannotBeWritten(t *testing.T) {
	api := openOnly(t, nowOptions(t.TempDir(), ""))
	tmp := filepath.Join(api.Repo(), "tmp")
	noError(t, os.RemoveAll(tmp))
	noError(t, os.WriteFile(tmp, nil, 0o600))
	wantCheck(t, examined(t, api), "repository", CheckProblem, "cannot be written")
}

func TestDoctorNamesANetworkFilesystem(t *testing.T) {
	pretendNetwork(t, true)
	api := openChecked(t, nowOptions(t.TempDir(), ""))
	wantCheck(t, examined(t, api), "repository", CheckOK, "nfs", api.index.Path())
}

func TestDoctorFindsADamagedJournal(t *testing.T) {
	api := openOnly(t, nowOptions(t.TempDir(), ""))
	put(t, newArchive(t, api, "x"), "text")
	noError(t, os.RemoveAll(filepath.Join(api.Repo(), journalName)))
	wantCheck(t, examined(t, api), "index and journal", CheckProblem, "journal", "fsck")
}

func TestDoctorCountsPacks(t *testing.T) {
	api := openOnly(t, nowOptions(t.TempDir(), ""))
	put(t, newArchive(t, api, "x"), "text")
	wantCheck(t, examined(t, api), "index and journal", CheckOK)
	pack := must(filepath.Glob(filepath.Join(api.Repo(), "packs/*/*")))(t)[0]
	noError(t, os.MkdirAll(filepath.Join(api.Repo(), "packs/00"), 0o700))
	noError(t, os.WriteFile(filepath.Join(api.Repo(), "packs/00", strings.Repeat("00", 32)), nil, 0o600))
	noError(t, os.WriteFile(filepath.Join(api.Repo(), "packs/.DS_Store"), nil, 0o600))
	wantCheck(t, examined(t, api), "index and journal", CheckWarning, "knows: 1, that are there: 2")
	noError(t, os.RemoveAll(filepath.Dir(pack)))
	wantCheck(t, examined(t, api), "index and journal", CheckProblem, "knows: 1, that are there: 1", "fsck")
}

func TestDoctorDoubtsTheClock(t *testing.T) {
	for _, c := range []struct {
		name string
		now  time.Time
		want string
	}{
		{"a battery that is empty", time.Unix(0, 0), CheckProblem},
		{"a year that is far off", time.Date(2222, 1, 1, 0, 0, 0, 0, time.UTC), CheckProblem},
		{"another time than the filesystem's", time.Now().Add(time.Hour), CheckWarning},
		{"the time", time.Now(), CheckOK},
	} {
		t.Run(c.name, func(t *testing.T) {
			opts := nowOptions(t.TempDir(), "")
			opts.Now = func() time.Time { return c.now }
			wantCheck(t, examined(t, openChecked(t, opts)), "clock", c.want)
		})
	}
}

func TestDoctorStopsWhenItIsInterrupted(t *testing.T) {
	api := openChecked(t, nowOptions(t.TempDir(), "authorities: {team: 'mem://'}"))
	ctx, cancel := context.WithCancel(t.Context())
	var seen []string
	err := api.Doctor(ctx, func(c Check) {
		seen = append(seen, c.What)
		cancel()
	})
	if !errors.Is(err, context.Canceled) || len(seen) != 1 {
		t.Errorf("got %v after %v", err, seen)
	}
}
