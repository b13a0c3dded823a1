package config

import (
	"fmt"
	"io/fs"
	"maps"
	"net/url"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/datafs/datafs/index/leaf"
)

// What a configuration that is not trusted may not have: it would send what this
// user can read, or is known by, to a place that somebody else has chosen.

// secretWords are parts of the names of arguments that hold or name a secret, or
// say by which of the user's credentials to log in, or what to run.
var secretWords = []string{
	"passw", "passphrase", "pwd", "secret", "token", "credential", "key", "certfile", "profile", "authmech", "command",
}

// harmlessNames are arguments whose names only look so.
var harmlessNames = []string{"key_sync_timeout", "hostkey"}

func secretName(name string) bool {
	name = strings.ToLower(name)
	in := func(word string) bool { return strings.Contains(name, word) }
	return !slices.Contains(harmlessNames, name) && slices.ContainsFunc(secretWords, in)
}

// refused names what a service or manager of an untrusted configuration has and
// may not have. It is named by the service or the class, or by the scheme of the URL.
func refused(k Kind, named, address string, args []any, kwargs map[string]any) (list []string) {
	if k.LogsIn != "" {
		list = append(list, named+", which "+k.LogsIn)
	}
	if named == "S3FS" && len(args) > 2 {
		list = append(list, "aws_access_key") // and what follows it: S3FS takes them by their places, too
	}
	if len(list) == 0 {
		list = refusedText(address)
	}
	return slices.Concat(list, refusedValue(args), refusedValue(kwargs))
}

func refusedValue(v any) (list []string) {
	switch v := v.(type) {
	case string:
		return refusedText(v)
	case []any:
		for _, x := range v {
			list = append(list, refusedValue(x)...)
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			below := refusedValue(v[key])
			switch secret := secretName(key) && v[key] != nil && v[key] != ""; {
			case secret && len(below) > 0:
				list = append(list, key+": "+strings.Join(below, ", "))
			case secret:
				list = append(list, key)
			default:
				list = append(list, below...)
			}
		}
	}
	return list
}

// refusedText looks at a value, which may be a URL.
func refusedText(text string) []string {
	if strings.HasPrefix(text, "env:") {
		return []string{text}
	}
	scheme, rest, isURL := strings.Cut(text, "://")
	if !isURL {
		return refusedPlain(text)
	}
	var list []string
	if s := strings.ToLower(scheme); slices.ContainsFunc(builtin, func(k Kind) bool { return k.LogsIn != "" && slices.Contains(k.Schemes, s) }) {
		list = append(list, s+"://")
	}
	rest, query, _ := strings.Cut(rest, "?")
	if URLSecret(scheme + "://" + rest) {
		list = append(list, "a password in the URL")
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		list = append(list, "a query in the URL that cannot be read")
	}
	for _, key := range slices.Sorted(maps.Keys(values)) {
		if secretName(key) {
			list = append(list, key+" in the URL")
		}
	}
	return list
}

// refusedPlain looks at a value that is no URL.
func refusedPlain(text string) []string {
	user, _, ok := strings.Cut(text, "@")
	switch {
	case ok && strings.Contains(user, ":") && !strings.ContainsAny(user, `/\`):
		return []string{"a password before the host"}
	case runtime.GOOS == "windows" && strings.HasPrefix(filepath.FromSlash(text), `\\`):
		return []string{"a path on another computer, to which Windows logs in by your account"}
	}
	return nil
}

// Distrusted marks what a profile of an untrusted configuration names.
func (p *Profile) Distrusted() {
	if p.Grace != nil && *p.Grace < DefaultGrace {
		p.Grace = nil
	}
	p.Authorities = slices.Clone(p.Authorities)
	for i := range p.Authorities {
		p.Authorities[i].Untrusted = true
	}
	if p.Manager != nil {
		m := *p.Manager
		m.Untrusted, p.Manager = true, &m
	}
	if p.Cache != nil {
		s := *p.Cache
		s.Untrusted, p.Cache = true, &s
	}
}

// Allow refuses a service of a configuration that is not trusted, if it has
// what it may not have.
func (w *Found) Allow(s Service) error {
	if !s.Untrusted {
		return nil
	}
	k, _ := w.kinds.find(s.URL, s.Service, false)
	list := refused(k, named(s.URL, s.Service), s.URL, s.Args, s.Kwargs)
	if k.Path {
		list = append(list, refusedPath(s)...)
	}
	return w.refusal(list)
}

// refusedPath refuses paths with variables, which may hold a secret.
func refusedPath(s Service) (list []string) {
	values := slices.Clone(s.Args)
	for _, key := range slices.Sorted(maps.Keys(s.Kwargs)) {
		values = append(values, s.Kwargs[key])
	}
	for _, v := range values {
		if text, ok := v.(string); ok && strings.Contains(text, "$") {
			list = append(list, fmt.Sprintf("the variable in %.200q", text))
		}
	}
	return list
}

// AllowManager is Allow for a manager.
func (w *Found) AllowManager(m *Manager) error {
	if !m.Untrusted {
		return nil
	}
	k, _ := w.kinds.find(m.URL, m.Class, true)
	return w.refusal(refused(k, named(m.URL, m.Class), m.URL, m.Args, m.Kwargs))
}

// named returns the scheme of a URL, if there is one, or else the name.
func named(address, name string) string {
	if scheme, _, ok := strings.Cut(address, "://"); ok {
		return scheme
	}
	return name
}

func (w *Found) refusal(list []string) error {
	if len(list) == 0 {
		return nil
	}
	return &leaf.HintError{
		Err:  leaf.Errorf(fs.ErrPermission, "%s is not trusted (%v), and may not have %s", w.ConfigFile, w.Distrust, strings.Join(list, "; ")),
		Hint: DistrustHint(w.Repo, w.Distrust),
	}
}

// URLSecret reports whether there is a password in the user's part of a URL.
func URLSecret(text string) bool {
	_, rest, _ := strings.Cut(text, "://")
	host, _, _ := strings.Cut(rest, "/")
	user, _, found := strings.Cut(host, "@")
	return found && strings.Contains(user, ":")
}
