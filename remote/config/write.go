package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/datafs/datafs/index/leaf"
)

// maxConfigLinks bounds how many symbolic links lead to a configuration file.
const maxConfigLinks = 40

// WriteProfile writes a profile into a configuration file, as MarshalProfile
// does. The file, mode 0600, and its directory, mode 0700, are made if needed;
// a symbolic link stays one. A reader sees the old file or the new one.
func WriteProfile(file string, p Profile) error {
	data, err := ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	merged, err := marshalProfile(data, file, p)
	if err != nil || bytes.Equal(data, merged) {
		return err
	}
	return WriteFile(file, merged)
}

// MarshalProfile adds a profile to the text of a configuration file, which may
// be empty. What the file has already wins: single entries of user_config,
// whole authorities, the cache, the manager and so on. A file without profiles
// gets default-profile, too.
func MarshalProfile(existing []byte, p Profile) ([]byte, error) {
	return marshalProfile(existing, "", p)
}

func marshalProfile(existing []byte, file string, p Profile) ([]byte, error) {
	if p.Name == "" {
		p.Name = "default"
	}
	settings, err := p.yaml()
	if err != nil {
		return nil, fmt.Errorf("profile %q: %w", p.Name, err)
	}
	c, err := Parse(existing, file, nil)
	if err != nil {
		return nil, err
	}
	e := newConfigEdit(existing, c.file)
	at, err := c.settingsPath(p.Name)
	if err != nil {
		return nil, err
	}
	if c.profiles == nil && at != nil {
		if err := e.add([]string{"default-profile"}, textNode(p.Name)); err != nil {
			return nil, err
		}
	}
	if err := e.addProfile(at, settings); err != nil {
		return nil, err
	}
	return e.bytes(), nil
}

// addProfile adds the settings that the file does not have.
func (e *configEdit) addProfile(at []string, settings *yaml.Node) error {
	if there, err := e.there(at); err != nil || !there {
		return errors.Join(err, e.set(at, settings))
	}
	for i := 0; i < len(settings.Content); i += 2 {
		path := append(slices.Clone(at), settings.Content[i].Value)
		value, levels := settings.Content[i+1], 0
		switch path[len(path)-1] {
		case "api":
			levels = 2
		case "authorities":
			levels = 1
		}
		if err := e.addEach(path, value, levels); err != nil {
			return err
		}
	}
	return nil
}

// there holds when the path leads to something other than null.
func (e *configEdit) there(path []string) (bool, error) {
	root, err := parseYAML([]byte(e.text), e.file)
	if err != nil || len(path) == 0 {
		return true, err
	}
	p, err := e.find(root, path)
	if p.value == nil || isNull(p.value) {
		return false, err
	}
	if len(p.rest) == 1 {
		return true, nil // an alias is there, too
	}
	return false, err
}

// addEach adds a value, or instead what lies that many levels below it.
func (e *configEdit) addEach(path []string, value *yaml.Node, levels int) error {
	if levels == 0 {
		return e.add(path, value)
	}
	for i := 0; i < len(value.Content); i += 2 {
		below := append(slices.Clone(path), value.Content[i].Value)
		if err := e.addEach(below, value.Content[i+1], levels-1); err != nil {
			return err
		}
	}
	return nil
}

// yaml returns a profile's settings as they stand in a file.
func (p Profile) yaml() (*yaml.Node, error) {
	users, err := valueNode(p.UserConfig)
	if err != nil {
		return nil, err
	}
	list := confList{m: &yaml.Node{Kind: yaml.MappingNode}}
	list.put("api", nested([]string{"user_config"}, users), nil)
	if len(p.Authorities) > 0 {
		names := confList{m: &yaml.Node{Kind: yaml.MappingNode}}
		for _, a := range p.Authorities {
			names.service(a.Name, a.Service)
		}
		list.put("authorities", names.m, names.err)
	}
	list.text("default-authority", p.DefaultAuthority)
	if p.Cache != nil {
		list.service("cache", *p.Cache)
	}
	if m := p.Manager; m != nil {
		list.call("manager", m.URL, "class", m.Class, m.Args, m.Kwargs)
	}
	list.text("store", p.Store)
	if p.Sync != "manual" {
		list.text("sync", p.Sync)
	}
	if len(p.Checksums) > 0 {
		sums, err := valueNode(p.Checksums)
		list.put("checksums", sums, err)
	}
	if p.Grace != nil {
		list.put("gc", nested([]string{"grace"}, textNode(FormatTime(*p.Grace))), nil)
	}
	return list.m, list.err
}

// confList collects the entries of a mapping, and the first error.
type confList struct {
	m   *yaml.Node
	err error
}

func (l *confList) put(key string, value *yaml.Node, err error) {
	if l.err == nil && err != nil {
		l.err = fmt.Errorf("%s: %w", key, err)
	}
	l.m.Content = append(l.m.Content, textNode(key), value)
}

func (l *confList) text(key, value string) {
	if value != "" {
		l.put(key, textNode(value), nil)
	}
}

func (l *confList) service(key string, s Service) {
	l.call(key, s.URL, "service", s.Service, s.Args, s.Kwargs)
}

// call puts a URL, or a name with its arguments.
func (l *confList) call(key, url, kind, name string, args []any, kwargs map[string]any) {
	if url != "" {
		l.text(key, url)
		return
	}
	argsNode, err := valueNode(args)
	kwargsNode, kwargsErr := valueNode(kwargs)
	c := confList{m: &yaml.Node{Kind: yaml.MappingNode}}
	c.put("args", argsNode, err)
	c.put(kind, textNode(name), nil)
	c.put("kwargs", kwargsNode, kwargsErr)
	l.put(key, c.m, c.err)
}

// textNode is a text that reads back as the same text, also with programs that
// take yes and no for true and false.
func textNode(s string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s}
	switch strings.ToLower(s) {
	case "y", "n", "yes", "no", "on", "off":
		n.Style = yaml.SingleQuotedStyle
	}
	if strings.ContainsAny(s, "\r\n\t") {
		n.Style = yaml.DoubleQuotedStyle
	}
	return n
}

// valueNode writes a value of Args or Kwargs. Lists and mappings of single
// values take one line, others a line for each entry.
func valueNode(v any) (*yaml.Node, error) {
	switch v := v.(type) {
	case nil:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Value: "null"}, nil
	case string:
		return textNode(v), nil
	case bool:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: strconv.FormatBool(v)}, nil
	case int, int32, int64, uint, uint32, uint64:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!int", Value: fmt.Sprint(v)}, nil
	case float64:
		return floatNode(v)
	case []string:
		return listNode(v)
	case []any:
		return listNode(v)
	case map[string]string:
		return mappingNode(v)
	case map[string]any:
		return mappingNode(v)
	}
	return nil, fmt.Errorf("a %T cannot stand in a configuration", v)
}

func floatNode(v float64) (*yaml.Node, error) {
	if math.IsInf(v, 0) || math.IsNaN(v) {
		return nil, fmt.Errorf("%v cannot stand in a configuration", v)
	}
	s := strconv.FormatFloat(v, 'g', -1, 64)
	if !strings.ContainsAny(s, ".e") {
		s += ".0"
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!float", Value: s}, nil
}

func listNode[T any](list []T) (*yaml.Node, error) {
	n := &yaml.Node{Kind: yaml.SequenceNode}
	for i, v := range list {
		c, err := valueNode(v)
		if err != nil {
			return nil, fmt.Errorf("[%d]: %w", i, err)
		}
		n.Content = append(n.Content, c)
	}
	return onOneLine(n), nil
}

func mappingNode[T any](m map[string]T) (*yaml.Node, error) {
	n := &yaml.Node{Kind: yaml.MappingNode}
	for _, key := range slices.Sorted(maps.Keys(m)) {
		c, err := valueNode(m[key])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
		n.Content = append(n.Content, textNode(key), c)
	}
	return onOneLine(n), nil
}

// onOneLine sets the style of a list or mapping that holds single values only.
func onOneLine(n *yaml.Node) *yaml.Node {
	single := func(c *yaml.Node) bool { return c.Kind == yaml.ScalarNode }
	if !slices.ContainsFunc(n.Content, func(c *yaml.Node) bool { return !single(c) }) {
		n.Style = yaml.FlowStyle
	}
	return n
}

// encodeYAML writes a tree with that many columns of indentation.
func encodeYAML(n *yaml.Node, step int) (string, error) {
	var b strings.Builder
	e := yaml.NewEncoder(&b)
	e.SetIndent(step)
	if err := errors.Join(e.Encode(n), e.Close()); err != nil {
		return "", err
	}
	return b.String(), nil
}

// flowText writes a value so that it can stand in one line between braces.
func flowText(n *yaml.Node) string {
	text, err := encodeYAML(&yaml.Node{Kind: yaml.SequenceNode, Content: []*yaml.Node{n}, Style: yaml.FlowStyle}, 2)
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(strings.TrimPrefix(text, "["), "]\n")
}

// ReadFile reads a configuration file. The error of a file that is not
// there is of the kind fs.ErrNotExist.
func ReadFile(file string) ([]byte, error) {
	f, err := leaf.OpenRegular(file)
	if err != nil {
		return nil, fmt.Errorf("config file: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if err != nil {
		return nil, fmt.Errorf("config file: %w", err)
	}
	return data, nil
}

// WriteFile replaces a configuration file, or what it links to.
func WriteFile(file string, data []byte) error {
	target, err := configTarget(file)
	if err != nil {
		return fmt.Errorf("config file: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(target), 0o700); err != nil {
		return fmt.Errorf("config file: %w", err)
	}
	f, err := os.CreateTemp(filepath.Dir(target), "."+filepath.Base(target)+".*.tmp") // mode 0600
	if err != nil {
		return fmt.Errorf("config file: %w", err)
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), target)
	}
	if err != nil {
		os.Remove(f.Name())
		return fmt.Errorf("config file: %w", err)
	}
	_ = leaf.SyncDir(filepath.Dir(target)) // the file is whole either way
	return nil
}

// configTarget follows symbolic links to the file to be replaced, which need
// not be there. A device is never replaced by a file.
func configTarget(file string) (string, error) {
	for range maxConfigLinks {
		fi, err := os.Lstat(file)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return file, nil
		case err != nil:
			return "", err
		case fi.Mode().IsRegular():
			return file, nil
		case fi.Mode()&fs.ModeSymlink == 0:
			return "", fmt.Errorf("%s is not a regular file", file)
		}
		to, err := os.Readlink(file)
		if err != nil {
			return "", err
		}
		if !filepath.IsAbs(to) {
			to = filepath.Join(filepath.Dir(file), to)
		}
		file = to
	}
	return "", fmt.Errorf("%s: too many symbolic links", file)
}
