package datafs

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/datafs/datafs/remote"
	"github.com/datafs/datafs/remote/config"
)

// What Doctor says of a thing that it looked at.
const (
	CheckOK      = "ok"
	CheckSkipped = "skipped" // it could not be looked at in this run
	CheckWarning = "warning" // something does not work, but may not be wanted
	CheckProblem = "problem" // something will fail
)

// Check is one thing that Doctor looked at. The texts are for people, each one
// line, without a secret.
type Check struct {
	What   string // such as "repository" or "authority team"
	Status string // CheckOK, CheckSkipped, CheckWarning or CheckProblem
	Detail string // what was found
	Hint   string // what to do about it; "": nothing
	Err    error  // of a problem
}

// doctor is one examination.
type doctor struct {
	*API
	each func(Check)
	skew time.Duration // of the repository's filesystem's clock; 0: not known
}

// Doctor looks at everything that the profile relies on: the configuration, the
// repository and its filesystem, the index, the clock, each authority and the
// manager. It calls each with what it finds, as it finds it, from the caller's
// goroutine. At authorities it writes small files called probe-RANDOM and
// removes them; a database is only read. The error is that of the context: what
// is wrong is told to each.
func (a *API) Doctor(ctx context.Context, each func(Check)) error {
	d := &doctor{API: a, each: func(c Check) {
		if ctx.Err() == nil { // else it tells of the interruption
			each(c)
		}
	}}
	for _, look := range []func(context.Context){
		d.configuration, d.userConfig, d.repository, d.records, d.clock, d.allAuthorities, d.teamManager,
	} {
		look(ctx)
	}
	return ctx.Err()
}

func (d *doctor) ok(what, format string, args ...any) {
	d.each(Check{What: what, Status: CheckOK, Detail: fmt.Sprintf(format, args...)})
}

func (d *doctor) warn(what, hint, format string, args ...any) {
	d.each(Check{What: what, Status: CheckWarning, Detail: fmt.Sprintf(format, args...), Hint: hint})
}

// skipped says that something needs the network, which this run must not touch.
func (d *doctor) skipped(what, location string) {
	d.each(Check{What: what, Status: CheckSkipped, Detail: location + "this run is offline"})
}

// problem reports an error, with the hint that it has, or that is given, or that
// its kind suggests.
func (d *doctor) problem(what string, err error, hint string) {
	var own *HintError
	switch {
	case errors.As(err, &own):
		hint = own.Hint
	case hint == "":
		hint = whatToDo(err)
	}
	d.each(Check{What: what, Status: CheckProblem, Detail: err.Error(), Hint: hint, Err: err})
}

// whatToDo is the hint for a kind of error.
func whatToDo(err error) string {
	switch {
	case errors.Is(err, ErrCorrupt):
		return `"datafs fsck" says what is damaged`
	case errors.Is(err, ErrBusy):
		return "try again later"
	case errors.Is(err, remote.ErrNoStorage):
		return "see whether the configuration names the right place; create: true of a directory makes it with the first push"
	case errors.Is(err, ErrUnavailable):
		return "see whether the network and the server are up; all that is here works without them, and push can be run later"
	case errors.Is(err, fs.ErrPermission):
		return "see whether the credentials are right, and ask who gave them for the permission"
	}
	return ""
}

// configuration says what was configured where, and whether others can read
// secrets in it.
func (d *doctor) configuration(context.Context) {
	const what = "configuration"
	file, p := d.ConfigFile(), d.Profile()
	switch fi, err := os.Stat(file); {
	case file == "":
		d.ok(what, "no file, profile %q", p.Name)
	case err != nil:
		d.problem(what, err, "")
	case runtime.GOOS != "windows" && fi.Mode().Perm()&0o077 != 0 && hasSecret(p):
		d.warn(what, "chmod 600 "+file+", or write env:NAME in the place of the secret and set that variable",
			"%s holds a secret, and others on this machine can read it", file)
	default:
		d.ok(what, "%s, profile %q", file, p.Name)
	}
	if why := d.where.Distrust; why != nil {
		d.warn(what, config.DistrustHint(d.Repo(), why),
			"%s is the repository's own and not trusted (%v): no credentials are used for what it names, and env:, passwords and keys in it are refused", file, why)
	}
}

// hasSecret says that the profile has a password or a key in it.
func hasSecret(p config.Profile) bool {
	for _, s := range p.Authorities {
		if config.URLSecret(s.URL) || secretIn(s.Kwargs) {
			return true
		}
	}
	m := p.Manager
	return m != nil && (config.URLSecret(m.URL) || secretIn(m.Kwargs)) ||
		p.Cache != nil && (config.URLSecret(p.Cache.URL) || secretIn(p.Cache.Kwargs))
}

func secretIn(kwargs map[string]any) bool {
	for key, v := range kwargs {
		switch v := v.(type) {
		case map[string]any:
			if secretIn(v) {
				return true
			}
		case string:
			key = strings.ToLower(key)
			secret := strings.Contains(key, "passw") || strings.Contains(key, "secret") || strings.Contains(key, "token")
			if secret && v != "" && !strings.HasPrefix(v, "env:") || config.URLSecret(v) {
				return true
			}
		}
	}
	return false
}

// userConfig says whether the user has told what is required of users.
func (d *doctor) userConfig(ctx context.Context) {
	const what = "user configuration"
	spec, err := d.Spec(ctx)
	if err != nil || len(spec.UserConfig) == 0 {
		return // other checks say what is wrong
	}
	missing, err := d.MissingUserConfig(ctx, nil)
	if err != nil {
		d.problem(what, err, "")
		return
	}
	keys := make([]string, len(missing))
	for i, m := range missing {
		keys[i] = m.Key
	}
	if len(keys) > 0 {
		d.warn(what, `"datafs configure --helper" asks for it`, "required, and not set: %s", strings.Join(keys, ", "))
		return
	}
	d.ok(what, "all that is required is set")
}

// Bounds of a clock that can be right, and how far two clocks may differ: some
// filesystems keep times in steps of two seconds.
const (
	clockFrom = 2025
	clockTo   = 2125
	clockSkew = 10 * time.Second
)

// clock says whether the machine's clock can be right.
func (d *doctor) clock(context.Context) {
	const what, set = "clock", "set the clock: every version is recorded with its time, and servers refuse requests of another time"
	now := d.opts.Now().UTC()
	text := now.Format("2006-01-02 15:04:05") + " UTC"
	switch {
	case now.Year() < clockFrom || now.Year() > clockTo:
		d.problem(what, errors.New(text+" cannot be"), set)
	case d.skew.Abs() > clockSkew:
		d.warn(what, set, "%s, and the repository's filesystem has a clock that differs by %s", text, d.skew.Abs().Round(time.Second))
	default:
		d.ok(what, "%s; it is compared with no server's", text)
	}
}

// probeName is a name that nobody else uses.
func (d *doctor) probeName() (string, error) {
	id := make([]byte, 8)
	if _, err := io.ReadFull(d.opts.Rand, id); err != nil {
		return "", fmt.Errorf("read random bytes: %w", err)
	}
	return "probe-" + hex.EncodeToString(id), nil
}

// tookText writes how long something took.
func tookText(took time.Duration) string {
	if took < time.Millisecond {
		return "less than 1 ms"
	}
	return fmt.Sprintf("%d ms", took.Milliseconds())
}
