package datafs

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
// may not have. kind is the name of the service or the class of the manager, or
// the scheme of the URL.
func refused(kind, address string, args []any, kwargs map[string]any) (list []string) {
	switch strings.ToLower(kind) {
	case "sftpfs", "sftp":
		list = append(list, kind+", which logs in by your ssh keys and agent")
	case "dynamodbmanager", "dynamodb":
		list = append(list, kind+", which needs your AWS credentials")
	}
	if kind == "S3FS" && len(args) > 2 {
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
	switch s := strings.ToLower(scheme); s {
	case "sftp", "dynamodb":
		list = append(list, s+"://")
	}
	rest, query, _ := strings.Cut(rest, "?")
	if urlSecret(scheme + "://" + rest) {
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

// distrusted marks what a profile of an untrusted configuration names.
func (p *Profile) distrusted() {
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

// allowed refuses a service of a configuration that is not trusted, if it has
// what it may not have.
func (w *whereabouts) allowed(s Service) error {
	if !s.Untrusted {
		return nil
	}
	kind := s.Service
	if s.URL != "" {
		kind, _, _ = strings.Cut(s.URL, "://")
	}
	list := refused(kind, s.URL, s.Args, s.Kwargs)
	if s.hasPath() {
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

// allowedManager is allowed for a manager.
func (w *whereabouts) allowedManager(m *ManagerConfig) error {
	if !m.Untrusted {
		return nil
	}
	kind := m.Class
	if m.URL != "" {
		kind, _, _ = strings.Cut(m.URL, "://")
	}
	return w.refusal(refused(kind, m.URL, m.Args, m.Kwargs))
}

func (w *whereabouts) refusal(list []string) error {
	if len(list) == 0 {
		return nil
	}
	return &HintError{
		Err:  leaf.Errorf(fs.ErrPermission, "%s is not trusted (%v), and may not have %s", w.ConfigFile, w.Distrust, strings.Join(list, "; ")),
		Hint: distrustHint(w.Repo, w.Distrust),
	}
}
