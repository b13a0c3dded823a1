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

// refused says by its name what a service or manager of an untrusted
// configuration has and may not have, "" for nothing. kind is the name of the
// service or the class of the manager, or the scheme of the URL.
func refused(kind, address string, args []any, kwargs map[string]any) string {
	switch strings.ToLower(kind) {
	case "sftpfs", "sftp":
		return kind + ", which logs in by your ssh keys and agent"
	case "dynamodbmanager", "dynamodb":
		return kind + ", which needs your AWS credentials"
	}
	if kind == "S3FS" && len(args) > 2 {
		return "aws_access_key"
	}
	if what := refusedText(address); what != "" {
		return what
	}
	for _, v := range args {
		if what := refusedValue(v); what != "" {
			return what
		}
	}
	return refusedValue(kwargs)
}

func refusedValue(v any) string {
	switch v := v.(type) {
	case string:
		return refusedText(v)
	case []any:
		for _, x := range v {
			if what := refusedValue(x); what != "" {
				return what
			}
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			if secretName(key) && v[key] != nil && v[key] != "" {
				return key
			}
			if what := refusedValue(v[key]); what != "" {
				return what
			}
		}
	}
	return ""
}

// refusedText looks at a value, which may be a URL.
func refusedText(text string) string {
	if strings.HasPrefix(text, "env:") {
		return text
	}
	scheme, rest, isURL := strings.Cut(text, "://")
	if !isURL {
		if user, _, ok := strings.Cut(text, "@"); ok && strings.Contains(user, ":") && !strings.ContainsAny(user, `/\`) {
			return "a password before the host"
		}
		if runtime.GOOS == "windows" && strings.HasPrefix(filepath.FromSlash(text), `\\`) {
			return "a path on another computer, to which Windows logs in by your account"
		}
		return ""
	}
	if s := strings.ToLower(scheme); s == "sftp" || s == "dynamodb" {
		return refused(s, "", nil, nil)
	}
	rest, query, _ := strings.Cut(rest, "?")
	if urlSecret(scheme + "://" + rest) {
		return "a password in the URL"
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		return "a query in the URL that cannot be read"
	}
	for _, key := range slices.Sorted(maps.Keys(values)) {
		if secretName(key) {
			return key + " in the URL"
		}
	}
	return ""
}

// distrusted marks what a profile of an untrusted configuration names.
func (p *Profile) distrusted() {
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
	what := refused(kind, s.URL, s.Args, s.Kwargs)
	if what == "" && s.hasPath() {
		what = refusedPath(s)
	}
	return w.refusal(what)
}

// refusedPath refuses paths with variables, which may hold a secret.
func refusedPath(s Service) string {
	values := slices.Clone(s.Args)
	for _, key := range slices.Sorted(maps.Keys(s.Kwargs)) {
		values = append(values, s.Kwargs[key])
	}
	for _, v := range values {
		if text, ok := v.(string); ok && strings.Contains(text, "$") {
			return fmt.Sprintf("the variable in %.200q", text)
		}
	}
	return ""
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

func (w *whereabouts) refusal(what string) error {
	if what == "" {
		return nil
	}
	return &HintError{
		Err:  errorf(fs.ErrPermission, "%s is not trusted (%v), and may not have %s", w.ConfigFile, w.Distrust, what),
		Hint: distrustHint(w.Repo, w.Distrust),
	}
}
