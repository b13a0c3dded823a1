package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/agnivade/levenshtein"
	"go.yaml.in/yaml/v3"
)

// confNode is a value in a configuration file and where it stands there. The
// zero confNode is a value that is not there; it reads like null.
type confNode struct {
	file string
	path string // keys from the profile downwards, for errors
	key  string
	want string // what a value of the wrong kind should have been; "" is a mapping
	line int    // of the key, or of a list's item
	node *yaml.Node

	kinds Kinds // what it can name
}

// confFields are the entries of a mapping, in the file's order, those that a
// merge (<<) brings in last.
type confFields struct {
	of   confNode
	list []confNode
}

// confPair is an entry of a mapping with its key.
type confPair struct{ key, value *yaml.Node }

var (
	errConfMerge = errors.New("a merge (<<) wants a mapping or a list of mappings")
	errConfDepth = errors.New("contains itself, or is nested too deeply")
)

// parseYAML returns the one value of a YAML file with nothing in it checked,
// nil when there is nothing but comments.
func parseYAML(data []byte, file string) (*yaml.Node, error) {
	if len(data) > maxSize {
		return nil, fmt.Errorf("%s: larger than %d bytes, which no configuration is", file, maxSize)
	}
	doc, err := decodeYAML(data)
	var second *secondDocument
	switch {
	case errors.As(err, &second):
		return nil, fmt.Errorf("%s:%d: %w", file, second.line, err)
	case err != nil:
		return nil, syntaxError(data, file, err)
	}
	if doc == nil || isNull(doc) {
		return nil, nil
	}
	return doc, nil
}

// secondDocument is the error of a file with more than one YAML document. All
// but the first would be ignored in silence.
type secondDocument struct{ line int }

func (*secondDocument) Error() string { return "a second document begins, want one" }

func decodeYAML(data []byte) (*yaml.Node, error) {
	d := yaml.NewDecoder(bytes.NewReader(data))
	var doc, more yaml.Node
	if err := d.Decode(&doc); err == io.EOF {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	if err := d.Decode(&more); err == nil {
		return nil, &secondDocument{more.Line}
	} else if err != io.EOF {
		return nil, err
	}
	return doc.Content[0], nil
}

// syntaxError says on which line the file stops being YAML. The decoder's own
// line is often that before, or that of the mapping around, or none; the line
// after the longest part from the start that is sound is where to look.
func syntaxError(data []byte, file string, err error) error {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	line := 1
	if at, rest, ok := strings.Cut(strings.TrimPrefix(text, "line "), ": "); ok {
		if n, err := strconv.Atoi(at); err == nil {
			line, text = n, rest
		}
	}
	lines := bytes.SplitAfter(data, []byte("\n"))
	for n := len(lines) - 1; n >= 0 && len(lines) <= maxProbedLines; n-- {
		if _, err := decodeYAML(bytes.Join(lines[:n], nil)); err == nil {
			line = n + 1
			break
		}
	}
	return fmt.Errorf("%s:%d: not sound YAML: %s", file, line, text)
}

// checkYAML refuses keys that stand twice in a mapping, anywhere in the file.
func checkYAML(n *yaml.Node, file string) error {
	seen := make(map[string]int)
	for i, c := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 0 && c.Kind == yaml.ScalarNode {
			if line := seen[c.Value]; line != 0 {
				return fmt.Errorf("%s:%d: key %q is already on line %d", file, c.Line, c.Value, line)
			}
			seen[c.Value] = c.Line
		}
		if err := checkYAML(c, file); err != nil {
			return err
		}
	}
	return nil
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

// resolveAlias returns what an alias stands for. An alias never stands for
// another one.
func resolveAlias(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode && n.Alias != nil {
		return n.Alias
	}
	return n
}

func (n confNode) target() *yaml.Node { return resolveAlias(n.node) }
func (n confNode) null() bool         { return n.node == nil || isNull(n.target()) }

// empty holds for null, {} and what is not there.
func (n confNode) empty() bool {
	return n.null() || n.target().Kind == yaml.MappingNode && len(n.target().Content) == 0
}

// atf makes an error that names the place.
func (n confNode) atf(format string, args ...any) error {
	return fmt.Errorf("%s:%d: %w", n.file, n.line, fmt.Errorf(format, args...))
}

// errorf makes an error that names the place and the key.
func (n confNode) errorf(format string, args ...any) error {
	if n.path == "" {
		return n.atf(format, args...)
	}
	return n.atf("%s: %w", n.path, fmt.Errorf(format, args...))
}

func (n confNode) child(key string, line int, value *yaml.Node) confNode {
	path := key
	if strings.ContainsFunc(key, unicode.IsControl) {
		path = strconv.Quote(key) // errors are one line
	}
	if n.path != "" {
		path = n.path + "." + path
	}
	return confNode{file: n.file, path: path, key: key, line: line, node: value, kinds: n.kinds}
}

// orURL makes errors say that a URL would do as well.
func (n confNode) orURL(example string) confNode {
	n.want = "a mapping or a URL such as " + example
	return n
}

func (n confNode) wantMapping() error {
	if n.null() || n.target().Kind == yaml.MappingNode {
		return nil
	}
	want := "a mapping"
	if n.want != "" {
		want = n.want
	}
	return n.errorf("want %s, got %s", want, describeYAML(n.target()))
}

// fields reads a mapping. With known keys given, others are refused.
func (n confNode) fields(known ...string) (confFields, error) {
	f := confFields{of: n}
	if n.null() {
		return f, nil
	}
	if err := n.wantMapping(); err != nil {
		return f, err
	}
	pairs, err := confPairs(n.target())
	if err != nil {
		return f, n.errorf("%w", err)
	}
	for _, p := range pairs {
		c := n.child(p.key.Value, p.key.Line, p.value)
		if p.key.Kind != yaml.ScalarNode {
			return f, c.atf("want a name as key, got %s", describeYAML(p.key))
		}
		if len(known) > 0 && !slices.Contains(known, c.key) {
			n.line = c.line
			return f, n.unknownKey(c.key, known)
		}
		f.list = append(f.list, c)
	}
	return f, nil
}

// get returns the entry with that key.
func (f confFields) get(key string) confNode {
	for _, n := range f.list {
		if n.key == key {
			return n
		}
	}
	return f.of.child(key, f.of.line, nil)
}

// confPairs lists a mapping's entries: its own, then those that it takes over
// by merges (<<) and does not have itself.
func confPairs(m *yaml.Node) ([]confPair, error) {
	left := maxConfigValues
	return mergedPairs(m, &left, 0)
}

// mergedPairs does the work. left is how many more entries may be looked at:
// merges of merges multiply.
func mergedPairs(m *yaml.Node, left *int, depth int) ([]confPair, error) {
	var own, merged []confPair
	if *left -= 1 + len(m.Content)/2; *left < 0 || depth > maxConfigDepth {
		return nil, errConfDepth
	}
	for i := 0; i+1 < len(m.Content); i += 2 {
		k, v := m.Content[i], m.Content[i+1]
		if k.Kind != yaml.ScalarNode || k.ShortTag() != "!!merge" {
			own = append(own, confPair{k, v})
			continue
		}
		sources := []*yaml.Node{v}
		if list := resolveAlias(v); list.Kind == yaml.SequenceNode {
			sources = list.Content
		}
		for _, source := range sources {
			source = resolveAlias(source)
			if source.Kind != yaml.MappingNode {
				return nil, errConfMerge
			}
			more, err := mergedPairs(source, left, depth+1)
			if err != nil {
				return nil, err
			}
			merged = append(merged, more...)
		}
	}
	return addPairs(own, merged), nil
}

// addPairs adds those entries whose keys are new.
func addPairs(pairs, more []confPair) []confPair {
	seen := make(map[string]bool)
	for _, p := range pairs {
		seen[p.key.Value] = true
	}
	for _, p := range more {
		if !seen[p.key.Value] {
			seen[p.key.Value] = true
			pairs = append(pairs, p)
		}
	}
	return pairs
}

// unknownKey names the nearest of the known keys, or all when none is near.
func (n confNode) unknownKey(key string, known []string) error {
	if near := nearestKey(key, known); near != "" {
		return n.errorf("unknown key %q, did you mean %q?", key, near)
	}
	list := strings.Join(known, ", ")
	if slices.Contains(known, "kwargs") {
		return n.errorf("unknown key %q, want one of %s (settings of its own go below kwargs)", key, list)
	}
	return n.errorf("unknown key %q, want one of %s", key, list)
}

// nearestKey returns the known key that was probably meant, or "".
func nearestKey(key string, known []string) string {
	plain := func(s string) string { return strings.ReplaceAll(strings.ToLower(s), "_", "-") }
	best, bound := "", max(1, len(key)/3)
	for _, k := range known {
		if d := levenshtein.ComputeDistance(plain(key), plain(k)); d <= bound {
			best, bound = k, d-1
		}
	}
	return best
}

// items reads a list.
func (n confNode) items() ([]confNode, error) {
	if n.null() {
		return nil, nil
	}
	if n.target().Kind != yaml.SequenceNode {
		return nil, n.errorf("want a list, got %s", describeYAML(n.target()))
	}
	var list []confNode
	for i, v := range n.target().Content {
		c := n.child("", v.Line, v)
		c.path = fmt.Sprintf("%s[%d]", n.path, i)
		list = append(list, c)
	}
	return list, nil
}

// scalar reads a single value as it is written, whatever it looks like; null is "".
func (n confNode) scalar() (string, error) {
	if n.null() {
		return "", nil
	}
	if t := n.target(); t.Kind == yaml.ScalarNode && describeYAML(t) != t.ShortTag() {
		return t.Value, nil
	}
	return "", n.errorf("want text, got %s", describeYAML(n.target()))
}

// text reads a text; a number, a date, true and false are none; null is "".
func (n confNode) text() (string, error) {
	if n.null() {
		return "", nil
	}
	if t := n.target(); t.Kind == yaml.ScalarNode && t.ShortTag() == "!!str" {
		return t.Value, nil
	}
	return "", n.errorf("want text, got %s", describeYAML(n.target()))
}

// urlScheme returns the lower-case scheme of a text that is a URL.
func (n confNode) urlScheme() (string, bool) {
	if n.null() || n.target().Kind != yaml.ScalarNode {
		return "", false
	}
	scheme, _, ok := strings.Cut(n.target().Value, "://")
	return strings.ToLower(scheme), ok && scheme != ""
}

// describeYAML names a value's kind in the user's words. For a tag that we do
// not know it is the tag.
func describeYAML(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	case yaml.AliasNode:
		return "an alias"
	}
	switch tag := n.ShortTag(); tag {
	case "!!str", "!!merge":
		return "text"
	case "!!int", "!!float":
		return "a number"
	case "!!bool":
		return "true or false"
	case "!!null":
		return "nothing"
	case "!!timestamp":
		return "a date"
	default:
		return tag
	}
}

// confValues turns what stands below args and kwargs into Go values. left is
// how many more there may be.
type confValues struct{ left int }

// arguments reads args and kwargs.
func (f confFields) arguments() ([]any, map[string]any, error) {
	v := &confValues{maxConfigValues}
	items, err := f.get("args").items()
	if err != nil {
		return nil, nil, err
	}
	args, err := v.list(items, 0)
	if err != nil {
		return nil, nil, err
	}
	kwargs, err := v.mapping(f.get("kwargs"), 0)
	return args, kwargs, err
}

func (v *confValues) list(items []confNode, depth int) ([]any, error) {
	var list []any
	for _, i := range items {
		x, err := v.value(i, depth)
		if err != nil {
			return nil, err
		}
		list = append(list, x)
	}
	return list, nil
}

func (v *confValues) mapping(n confNode, depth int) (map[string]any, error) {
	f, err := n.fields()
	if err != nil || len(f.list) == 0 {
		return nil, err
	}
	m := make(map[string]any, len(f.list))
	for _, c := range f.list {
		if m[c.key], err = v.value(c, depth); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (v *confValues) value(n confNode, depth int) (any, error) {
	if v.left--; v.left < 0 || depth > maxConfigDepth {
		return nil, n.errorf("%w", errConfDepth)
	}
	switch n.target().Kind {
	case yaml.MappingNode:
		m, err := v.mapping(n, depth+1)
		if m == nil {
			m = map[string]any{}
		}
		return m, err
	case yaml.SequenceNode:
		items, err := n.items()
		if err != nil {
			return nil, err
		}
		list, err := v.list(items, depth+1)
		if list == nil {
			list = []any{}
		}
		return list, err
	}
	return n.single()
}

// single returns a scalar as a Go value. A whole number is what reads back as
// the same text. YAML takes 089 and what exceeds an integer for fractions;
// without a point or an exponent they stay text.
func (n confNode) single() (any, error) {
	t := n.target()
	switch t.ShortTag() {
	case "!!null":
		return nil, nil
	case "!!bool":
		return strings.EqualFold(t.Value, "true"), nil
	case "!!int":
		if i, err := strconv.Atoi(t.Value); err == nil && strconv.Itoa(i) == t.Value {
			return i, nil
		}
	case "!!float":
		if x, err := strconv.ParseFloat(t.Value, 64); err == nil && strings.ContainsAny(t.Value, ".eE") {
			return x, nil
		}
	}
	return n.scalar()
}
