// Package config finds and reads a configuration: which profile, repository, authorities
// and manager a user wants, and whether a repository's own configuration is trusted to
// say so. It has the table of all kinds of authorities and managers that can be named.
//
// It is not for what is done with them: it opens one when it is asked to, and keeps
// nothing open. Its invariant: what is not trusted gets no secret and no credentials.
package config

import (
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/datafs/datafs/index/leaf"
)

// Limits of a configuration file. A file is written by hand, so what exceeds
// them is not a configuration, or means harm (aliases that multiply).
const (
	maxSize         = 1 << 20 // bytes
	maxConfigValues = 10000   // values below args and kwargs, aliases expanded
	maxConfigDepth  = 50      // levels below args and kwargs, and of merges
	maxProbedLines  = 1000    // up to here the line of a syntax error is searched for
)

// Keys at the two upper levels of a configuration file.
var (
	fileKeys    = []string{"default-profile", "requirements", "profiles"}
	profileKeys = []string{"api", "authorities", "default-authority", "manager", "cache", "store", "sync", "checksums", "gc"}
)

// Config is a parsed configuration file. A nil *Config is that of a machine
// without one: the profile "default" and nothing else. It is never changed
// after Parse, so any number of goroutines may use it.
type Config struct {
	DefaultProfile string // as the file says; "" where it says nothing
	Requirements   string // as the file says: a file's name or the text itself

	file     string
	whole    confNode            // a file without profiles: the profile "default"
	profiles map[string]confNode // nil where the file has none
	names    []string            // of profiles, in the file's order
}

// Service says where contents lie: an authority or a cache, as configured.
// Either URL is set, or Service (spelled as in the list of services) with its
// arguments. Args and Kwargs hold string, int, float64, bool, nil, []any and
// map[string]any; a number with a leading zero and a date stay text, so that
// account numbers, passwords and file modes arrive as they were written.
type Service struct {
	Service string
	Args    []any
	Kwargs  map[string]any
	URL     string

	// Untrusted is set when the service is opened and comes from a repository's
	// own configuration that the user does not trust: then no credentials of the
	// user's are to be taken from the environment or from files.
	Untrusted bool
}

// IsZero reports whether the service is none but the repository itself.
func (s Service) IsZero() bool { return s.Service == "" && s.URL == "" }

// NamedService is an authority: a service and the name it has in its profile.
type NamedService struct {
	Name string
	Service
}

// Manager says which database keeps the archives' records. Either URL is
// set, or Class (MongoDBManager, DynamoDBManager, AuthorityManager or
// EmbeddedManager) with its arguments, whose types are those of Service.
type Manager struct {
	Class  string
	Args   []any
	Kwargs map[string]any
	URL    string

	Untrusted bool // as that of Service
}

// Profile is a named set of settings.
type Profile struct {
	Name             string
	UserConfig       map[string]string
	Authorities      []NamedService // in the file's order; none: the repository itself
	DefaultAuthority string         // default-authority
	Manager          *Manager       // nil: none is configured
	Cache            *Service       // nil: none is configured
	Store            string         // where the repository lies, as written
	Sync             string         // "manual" (the default) or "auto"
	Checksums        []string       // "md5", "sha256": recorded besides BLAKE3
	Grace            *time.Duration // gc: grace: how long gc keeps what was deleted; nil: DefaultGrace
}

// Parse reads a configuration. What belongs to a profile is only checked
// when the profile is asked for, since others may name what is out of reach;
// YAML must be sound throughout. file is what errors name, as file:line. Kinds
// are what it can name; nil: those that With(nil) returns.
func Parse(data []byte, file string, kinds Kinds) (*Config, error) {
	if file == "" {
		file = "configuration"
	}
	if kinds == nil {
		kinds = builtin
	}
	doc, err := parseYAML(data, file)
	if err != nil {
		return nil, err
	}
	c := &Config{file: file}
	if doc == nil {
		return c, nil
	}
	if err := checkYAML(doc, file); err != nil {
		return nil, err
	}
	return c, c.read(confNode{file: file, line: doc.Line, node: doc, kinds: kinds})
}

// read takes the upper level of the file.
func (c *Config) read(root confNode) error {
	known := append(slices.Clone(fileKeys), profileKeys...)
	top, err := root.fields(known...)
	if err != nil {
		return err
	}
	if c.DefaultProfile, err = top.get("default-profile").scalar(); err != nil {
		return err
	}
	if c.Requirements, err = top.get("requirements").text(); err != nil {
		return err
	}
	if err := c.readProfiles(top.get("profiles")); err != nil {
		return err
	}
	if c.profiles == nil {
		c.whole = root
		return nil
	}
	return top.noProfileKeys()
}

// readProfiles notes the profiles without looking into them.
func (c *Config) readProfiles(n confNode) error {
	profiles, err := n.fields()
	if err != nil || len(profiles.list) == 0 {
		return err
	}
	c.profiles = make(map[string]confNode)
	for _, p := range profiles.list {
		if err := p.wantMapping(); err != nil {
			return err
		}
		c.names = append(c.names, p.key)
		c.profiles[p.key] = p
	}
	return nil
}

// noProfileKeys refuses settings that stand beside profiles instead of in one.
func (f confFields) noProfileKeys() error {
	for _, n := range f.list {
		if slices.Contains(profileKeys, n.key) {
			return n.errorf("belongs into one of the profiles")
		}
	}
	return nil
}

// profileName is the profile that counts when nobody names one.
func (c *Config) profileName() string {
	if c != nil && c.DefaultProfile != "" {
		return c.DefaultProfile
	}
	return "default"
}

// Profile returns the profile of that name, checked in depth, or with "" the
// one that default-profile names, else "default". A profile that is not there
// is an error of the kind fs.ErrNotExist.
func (c *Config) Profile(name string) (Profile, error) {
	if name == "" {
		name = c.profileName()
	}
	n, err := c.profileNode(name)
	if err != nil {
		return Profile{}, err
	}
	p := Profile{Name: name, Sync: "manual"}
	known := slices.Clone(profileKeys)
	if n.key == "" {
		known = append(known, fileKeys...)
	}
	f, err := n.fields(known...)
	if err != nil {
		return Profile{}, err
	}
	return p, p.read(f)
}

// profileNode finds a profile in the file. The zero confNode is one without
// settings.
func (c *Config) profileNode(name string) (confNode, error) {
	if c == nil || c.profiles == nil {
		if name == "default" {
			return c.wholeNode(), nil
		}
		return confNode{}, leaf.Errorf(fs.ErrNotExist, "Profile %q not found", name)
	}
	n, ok := c.profiles[name]
	if !ok {
		return confNode{}, leaf.Errorf(fs.ErrNotExist, "Profile %q not found in %s, which has %s", name, c.file, strings.Join(c.names, ", "))
	}
	n.path = "" // errors name the key inside the profile; the line tells which profile
	return n, nil
}

func (c *Config) wholeNode() confNode {
	if c == nil {
		return confNode{}
	}
	return c.whole
}

// read takes all settings of a profile.
func (p *Profile) read(f confFields) (err error) {
	if p.UserConfig, err = f.get("api").userConfig(); err != nil {
		return err
	}
	if err := p.readServices(f); err != nil {
		return err
	}
	if p.Manager, err = f.get("manager").manager(); err != nil {
		return err
	}
	if p.Store, err = f.get("store").text(); err != nil {
		return err
	}
	if p.Checksums, err = f.get("checksums").checksums(); err != nil {
		return err
	}
	if err := p.readGC(f.get("gc")); err != nil {
		return err
	}
	return p.readSync(f.get("sync"))
}

func (p *Profile) readGC(n confNode) error {
	f, err := n.fields("grace")
	if err != nil {
		return err
	}
	grace := f.get("grace")
	text, err := grace.scalar()
	if err != nil || text == "" {
		return err
	}
	d, err := ParseTime(text)
	if err != nil {
		return grace.errorf("%v", err)
	}
	p.Grace = &d
	return nil
}

// readServices takes the authorities, which of them is the default, and the cache.
func (p *Profile) readServices(f confFields) (err error) {
	if p.Authorities, err = f.get("authorities").authorities(); err != nil {
		return err
	}
	n := f.get("default-authority")
	if p.DefaultAuthority, err = n.scalar(); err != nil {
		return err
	}
	is := func(s NamedService) bool { return s.Name == p.DefaultAuthority }
	if p.DefaultAuthority != "" && len(p.Authorities) > 0 && !slices.ContainsFunc(p.Authorities, is) {
		return n.errorf("Authority %q not found", p.DefaultAuthority)
	}
	cache := f.get("cache")
	if cache.empty() {
		return nil
	}
	s, err := cache.service()
	p.Cache = &s
	return err
}

func (p *Profile) readSync(n confNode) error {
	s, err := n.text()
	switch {
	case err != nil:
		return err
	case s == "":
		return nil
	case s != "manual" && s != "auto":
		return n.errorf("want manual or auto, got %q", s)
	}
	p.Sync = s
	return nil
}

// userConfig reads the mapping api, which holds nothing but user_config. Its
// values count as written; a key without a value is one that was not given.
func (n confNode) userConfig() (map[string]string, error) {
	api, err := n.fields("user_config")
	if err != nil {
		return nil, err
	}
	f, err := api.get("user_config").fields()
	if err != nil || len(f.list) == 0 {
		return nil, err
	}
	m := make(map[string]string)
	for _, v := range f.list {
		s, err := v.scalar()
		if err != nil {
			return nil, err
		}
		if !v.null() {
			m[v.key] = s
		}
	}
	return m, nil
}

// authorityName is what an authority may be called, so that NAME://archive can
// be taken apart.
func authorityName(s string) bool {
	ok := func(r rune) bool {
		return r == '_' || r == '-' || r < 128 && (r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z')
	}
	return s != "" && strings.IndexFunc(s, func(r rune) bool { return !ok(r) }) < 0
}

func (n confNode) authorities() ([]NamedService, error) {
	f, err := n.fields()
	if err != nil {
		return nil, err
	}
	var list []NamedService
	for _, a := range f.list {
		if !authorityName(a.key) {
			return nil, a.atf("%q not a valid authority name", a.key)
		}
		s, err := a.service()
		if err != nil {
			return nil, err
		}
		list = append(list, NamedService{Name: a.key, Service: s})
	}
	return list, nil
}

// service reads a mapping with service, args and kwargs, or a URL.
func (n confNode) service() (Service, error) {
	if scheme, ok := n.urlScheme(); ok {
		if !slices.Contains(n.kinds.schemes(false), scheme) {
			return Service{}, n.noService(scheme)
		}
		return Service{URL: n.target().Value}, nil
	}
	f, err := n.orURL("s3://bucket/prefix").fields("service", "args", "kwargs")
	if err != nil {
		return Service{}, err
	}
	name, err := f.get("service").text()
	if err != nil {
		return Service{}, err
	}
	if name == "" {
		return Service{}, n.errorf("service is missing, e.g. service: OSFS")
	}
	names := n.kinds.names(false)
	i := slices.IndexFunc(names, func(s string) bool { return strings.EqualFold(s, name) })
	if i < 0 {
		return Service{}, f.get("service").noService(name)
	}
	s := Service{Service: names[i]}
	s.Args, s.Kwargs, err = f.arguments()
	return s, err
}

func (n confNode) noService(name string) error {
	return n.atf("Filesystem %q not found, there are %s and the URLs %s://", strings.ToLower(name),
		strings.Join(n.kinds.names(false), ", "), strings.Join(n.kinds.schemes(false), "://, "))
}

// manager reads a mapping with class, args and kwargs, or a URL. No manager at
// all, null and {} are the same.
func (n confNode) manager() (*Manager, error) {
	if n.empty() {
		return nil, nil
	}
	if scheme, ok := n.urlScheme(); ok {
		if !slices.Contains(n.kinds.schemes(true), scheme) {
			return nil, n.noManager(scheme)
		}
		return &Manager{URL: n.target().Value}, nil
	}
	f, err := n.orURL("mongodb://host/database").fields("class", "args", "kwargs")
	if err != nil {
		return nil, err
	}
	class, err := f.get("class").text()
	if err != nil {
		return nil, err
	}
	if class == "" {
		return nil, n.atf(`Manager not fully specified. Give "class:manager_name", e.g. "class:MongoDBManager".`)
	}
	names := n.kinds.names(true)
	i := slices.IndexFunc(names, func(s string) bool { return strings.HasPrefix(strings.ToLower(class), managerStart(s)) })
	if i < 0 {
		return nil, f.get("class").noManager(class)
	}
	m := &Manager{Class: names[i]}
	m.Args, m.Kwargs, err = f.arguments()
	return m, err
}

// managerStart returns how the class of a manager must begin, in lower case: the rest
// may be missing.
func managerStart(class string) string {
	return strings.TrimSuffix(strings.TrimSuffix(strings.ToLower(class), "manager"), "db")
}

func (n confNode) noManager(class string) error {
	return n.atf("Manager class %q not recognized. Choose from %s", class, strings.Join(n.kinds.names(true), ", "))
}

// checksums reads a list of md5 and sha256. BLAKE3 is always recorded, so
// naming it is no mistake and changes nothing.
func (n confNode) checksums() ([]string, error) {
	items, err := n.items()
	if err != nil {
		return nil, err
	}
	var list []string
	for _, i := range items {
		s, err := i.text()
		if err != nil {
			return nil, err
		}
		switch s = strings.ToLower(s); {
		case s == "blake3" || slices.Contains(list, s):
		case s == "md5" || s == "sha256":
			list = append(list, s)
		default:
			return nil, i.errorf("want md5 or sha256, got %q", s)
		}
	}
	return list, nil
}
