package config

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// An edit changes the text of the file, not a re-written tree, because yaml.v3
// would lose blank lines, indentation and quotes. The tree is the judge: the
// new text must read as the old tree with the one change, else the tree itself
// is written (with comments, but in yaml.v3's layout).

// EditUserConfig sets entries of user_config in a profile of a configuration
// file ("" is the file's default profile), and keeps comments, order and all
// else. What is missing, the file and its directory included, is made. Two
// processes that edit one file at the same time: the last one wins.
func EditUserConfig(file, profile string, set map[string]string) error {
	if len(set) == 0 {
		return nil
	}
	data, err := ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	edited, err := editUserConfig(data, file, profile, set)
	if err != nil || bytes.Equal(data, edited) {
		return err
	}
	return WriteFile(file, edited)
}

func editUserConfig(data []byte, file, profile string, set map[string]string) ([]byte, error) {
	e, at, err := openProfile(data, file, profile)
	if err != nil {
		return nil, err
	}
	for _, key := range slices.Sorted(maps.Keys(set)) {
		if !utf8.ValidString(key) || !utf8.ValidString(set[key]) {
			return nil, fmt.Errorf("user_config: %q is not valid UTF-8", key)
		}
		path := append(slices.Clone(at), "api", "user_config", key)
		if err := e.set(path, textNode(set[key])); err != nil {
			return nil, err
		}
	}
	return e.bytes(), nil
}

// openProfile starts an edit and says at which path the profile's settings
// stand, or will stand.
func openProfile(data []byte, file, profile string) (*configEdit, []string, error) {
	c, err := Parse(data, file, nil)
	if err != nil {
		return nil, nil, err
	}
	if profile == "" {
		profile = c.profileName()
	}
	at, err := c.settingsPath(profile)
	if err != nil {
		return nil, nil, err
	}
	e := newConfigEdit(data, c.file)
	if c.profiles == nil && at != nil && profile != "default" && c.profileName() == "default" {
		// The profile "default" is there by itself only while the file has no others.
		err = e.add([]string{"profiles", "default"}, &yaml.Node{Kind: yaml.MappingNode, Style: yaml.FlowStyle})
	}
	return e, at, err
}

// settingsPath says at which path of the file a profile's settings stand, or
// will stand.
func (c *Config) settingsPath(profile string) ([]string, error) {
	whole, err := c.whole.fields()
	if err != nil {
		return nil, err
	}
	switch {
	case c.profiles != nil || whole.noProfileKeys() == nil:
		return []string{"profiles", profile}, nil
	case profile == "default":
		return nil, nil
	}
	return nil, fmt.Errorf("%s: all of it is the profile \"default\", put that below profiles: default: to add others", c.file)
}

// configEdit is a configuration file being edited.
type configEdit struct {
	file, bom, eol string
	text           string // with \n line ends
}

func newConfigEdit(data []byte, file string) *configEdit {
	e := &configEdit{file: file, eol: "\n"}
	e.text = string(data)
	if rest, ok := strings.CutPrefix(e.text, "\ufeff"); ok {
		e.bom, e.text = "\ufeff", rest
	}
	// A file that mixes line ends is edited as it is: \r is white space to YAML.
	if n := strings.Count(e.text, "\r\n"); n > 0 && n == strings.Count(e.text, "\n") {
		e.eol, e.text = "\r\n", strings.ReplaceAll(e.text, "\r\n", "\n")
	}
	return e
}

func (e *configEdit) bytes() []byte {
	text := e.text
	if e.eol != "\n" {
		text = strings.ReplaceAll(text, "\n", e.eol)
	}
	return []byte(e.bom + text)
}

// confPlace is where a path leads in a tree: an entry of a mapping, or the
// mapping in which the rest of the path is missing.
type confPlace struct {
	in    *yaml.Node // nil: the file is empty
	outer *yaml.Node // the mapping around in; nil when in is the root
	value *yaml.Node // nil: not there
	rest  []string   // keys from in to the value; the first is value's
}

// find follows path as far as it goes. Through aliases, anchors and merges it
// does not go: an edit there would change more than the one place.
func (e *configEdit) find(root *yaml.Node, path []string) (confPlace, error) {
	p := confPlace{in: root, rest: path}
	for root != nil {
		key, value, err := e.entry(p.in, p.rest[0])
		if err != nil || value == nil {
			return p, err
		}
		p.value = value
		n := confNode{file: e.file, path: strings.Join(path[:len(path)-len(p.rest)+1], "."), line: key.Line, node: value}
		switch {
		case value.Kind == yaml.AliasNode || value.Anchor != "" || value.Style&yaml.TaggedStyle != 0:
			return p, n.errorf("carries an anchor, an alias or a tag, edit the file by hand")
		case len(p.rest) == 1 || isNull(value):
			return p, nil
		case value.Kind != yaml.MappingNode:
			return p, n.wantMapping()
		}
		p = confPlace{in: value, outer: p.in, rest: p.rest[1:]}
	}
	return p, nil
}

// entry returns a mapping's own entry of that key.
func (e *configEdit) entry(m *yaml.Node, name string) (key, value *yaml.Node, err error) {
	for i := 0; i+1 < len(m.Content); i += 2 {
		if k := m.Content[i]; k.Kind == yaml.ScalarNode && k.Value == name {
			return k, m.Content[i+1], nil
		}
	}
	pairs, err := confPairs(m)
	for _, p := range pairs {
		if p.key.Value == name {
			return nil, nil, fmt.Errorf("%s:%d: %q comes from a merge (<<), edit the file by hand", e.file, p.key.Line, name)
		}
	}
	return nil, nil, err
}

// set puts a value at a path, and mappings on the way to it. A value that is
// there already is replaced, unless it is the same.
func (e *configEdit) set(path []string, value *yaml.Node) error {
	want, err := e.edited(path, value)
	if err != nil {
		return err
	}
	root, err := parseYAML([]byte(e.text), e.file)
	if err != nil {
		return err
	}
	if sameYAML(root, want) {
		return nil
	}
	place, err := e.find(root, path)
	if err != nil {
		return err
	}
	text := splice{text: e.text, step: indentStep(root)}.at(place, value)
	if e.reads(text, want) {
		e.text = text
		return nil
	}
	return e.rewrite(want)
}

// add sets what is missing or null, and leaves alone what is there.
func (e *configEdit) add(path []string, value *yaml.Node) error {
	there, err := e.there(path)
	if err != nil || there {
		return err
	}
	return e.set(path, value)
}

// reads holds when a text is a configuration with that tree.
func (e *configEdit) reads(text string, want *yaml.Node) bool {
	got, err := parseYAML([]byte(text), e.file)
	return err == nil && sameYAML(got, want)
}

// rewrite writes the tree itself.
func (e *configEdit) rewrite(want *yaml.Node) error {
	text, err := encodeYAML(want, indentStep(want))
	if err != nil || !e.reads(text, want) {
		return fmt.Errorf("%s: cannot be edited by a program, edit it by hand", e.file)
	}
	e.text = text
	return nil
}

// edited returns the tree after the edit.
func (e *configEdit) edited(path []string, value *yaml.Node) (*yaml.Node, error) {
	root, err := parseYAML([]byte(e.text), e.file)
	if err != nil {
		return nil, err
	}
	p, err := e.find(root, path)
	if err != nil {
		return nil, err
	}
	added := nested(p.rest[1:], value)
	switch {
	case p.in == nil:
		return nested(p.rest, value), nil
	case p.value == nil:
		p.in.Content = append(p.in.Content, textNode(p.rest[0]), added)
	default:
		n := *added
		n.HeadComment, n.LineComment, n.FootComment = p.value.HeadComment, p.value.LineComment, p.value.FootComment
		*p.value = n
	}
	return root, nil
}

// nested wraps a value into mappings, one for each key.
func nested(path []string, value *yaml.Node) *yaml.Node {
	for _, key := range slices.Backward(path) {
		value = &yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{textNode(key), value}}
	}
	return value
}

// sameYAML compares what two trees say, not how they look.
func sameYAML(a, b *yaml.Node) bool {
	if a == nil || b == nil {
		return a == b
	}
	if a.Kind != b.Kind || a.ShortTag() != b.ShortTag() || a.Value != b.Value || a.Anchor != b.Anchor {
		return false
	}
	return slices.EqualFunc(a.Content, b.Content, sameYAML)
}

// indentStep returns by how many columns the file indents, 2 when it does not.
func indentStep(n *yaml.Node) int {
	if n == nil {
		return 2
	}
	for i := 1; i < len(n.Content); i += 2 {
		k, v := n.Content[i-1], n.Content[i]
		if v.Kind != yaml.MappingNode || v.Style&yaml.FlowStyle != 0 || len(v.Content) == 0 {
			continue
		}
		if step := v.Content[0].Column - k.Column; step > 0 {
			return step
		}
	}
	return 2
}

// splice changes a YAML text at one place. What it cannot do comes out wrong
// and is found out by reading the result.
type splice struct {
	text string
	step int
}

// at puts a value where place says.
func (s splice) at(p confPlace, value *yaml.Node) string {
	added := nested(p.rest[1:], value)
	switch {
	case p.in == nil:
		return s.lines(len(s.text), 0, p.rest[0], added)
	case p.value != nil && isNull(p.value) && p.value.Value == "" && !flowStyle(p.in):
		return s.below(p, added)
	case p.value != nil:
		return s.replace(p.value, flowText(added))
	case flowStyle(p.in) && len(p.in.Content) == 0 && p.outer != nil && !flowStyle(p.outer):
		return s.openFlow(p, added)
	case flowStyle(p.in):
		return s.intoFlow(p.in, p.rest[0], added)
	}
	last := p.in.Content[len(p.in.Content)-2]
	indent := p.in.Content[0].Column - 1
	return s.lines(s.blockEnd(last.Line, indent), indent, p.rest[0], added)
}

func flowStyle(n *yaml.Node) bool { return n.Style&yaml.FlowStyle != 0 }

// below fills the empty value of a key: text behind it, a mapping in new lines.
func (s splice) below(p confPlace, added *yaml.Node) string {
	at := s.offset(p.value.Line, p.value.Column)
	if added.Kind == yaml.ScalarNode || flowStyle(added) {
		return s.text[:at] + " " + flowText(added) + s.text[at:]
	}
	indent := p.in.Content[0].Column - 1 + s.step
	at = s.lineStart(p.value.Line + 1)
	for i := len(added.Content) - 2; i >= 0; i -= 2 {
		s.text = s.lines(at, indent, added.Content[i].Value, added.Content[i+1])
	}
	return s.text
}

// openFlow turns the {} of a key into lines below it.
func (s splice) openFlow(p confPlace, added *yaml.Node) string {
	at := s.offset(p.in.Line, p.in.Column)
	end := s.flowEnd(at)
	if end < 0 {
		return ""
	}
	s.text = strings.TrimRight(s.text[:at], " ") + s.text[end+1:]
	return s.lines(s.lineStart(p.in.Line+1), p.outer.Content[0].Column-1+s.step, p.rest[0], added)
}

// intoFlow adds an entry before a closing brace.
func (s splice) intoFlow(m *yaml.Node, key string, value *yaml.Node) string {
	end := s.flowEnd(s.offset(m.Line, m.Column))
	if end < 0 {
		return ""
	}
	entry := flowText(nested([]string{key}, value))
	entry = strings.TrimSuffix(strings.TrimPrefix(entry, "{"), "}")
	before := strings.TrimRight(s.text[:end], " \t\n")
	switch {
	case strings.HasSuffix(before, "{"):
	case strings.HasSuffix(before, ","):
		entry = " " + entry
	default:
		entry = ", " + entry
	}
	return before + entry + s.text[len(before):]
}

// replace puts a flow text in the place of a scalar of one line.
func (s splice) replace(old *yaml.Node, text string) string {
	at := s.offset(old.Line, old.Column)
	end := at + len(old.Value)
	switch rest := s.text[at:]; {
	case old.Kind != yaml.ScalarNode:
		return ""
	case old.Style&yaml.SingleQuotedStyle != 0:
		end = at + quoteEnd(rest)
	case old.Style&yaml.DoubleQuotedStyle != 0:
		end = at + quoteEnd(rest)
	case !strings.HasPrefix(rest, old.Value):
		return ""
	}
	return s.text[:at] + text + s.text[end:]
}

// lines puts a key and its value at the beginning of a line.
func (s splice) lines(at, indent int, key string, value *yaml.Node) string {
	text, err := encodeYAML(nested([]string{key}, value), s.step)
	if err != nil {
		return ""
	}
	margin := strings.Repeat(" ", indent)
	text = margin + strings.ReplaceAll(strings.TrimSuffix(text, "\n"), "\n", "\n"+margin) + "\n"
	if at > 0 && s.text[at-1] != '\n' {
		text = "\n" + strings.TrimSuffix(text, "\n")
	}
	return s.text[:at] + text + s.text[at:]
}

// lineStart returns where a line (from 1) begins, or the end of the text.
func (s splice) lineStart(line int) int {
	at := 0
	for ; line > 1; line-- {
		i := strings.IndexByte(s.text[at:], '\n')
		if i < 0 {
			return len(s.text)
		}
		at += i + 1
	}
	return at
}

// offset returns where a line and a column (in characters, from 1) are.
func (s splice) offset(line, column int) int {
	at := s.lineStart(line)
	for ; column > 1 && at < len(s.text); column-- {
		_, n := utf8.DecodeRuneInString(s.text[at:])
		at += n
	}
	return at
}

// blockEnd returns the end of the lines that belong to a mapping with that
// indent, whose last key is on the line given. Blank lines and comments count
// only with a line of the mapping behind them; comments right below do, too.
func (s splice) blockEnd(line, indent int) int {
	at := s.lineStart(line + 1)
	end, gap := at, false
	for at < len(s.text) {
		next := at + len(toLineEnd(s.text[at:]))
		body := strings.TrimRight(s.text[at:next], " \t\r\n")
		bare := strings.TrimLeft(body, " ")
		switch comment := strings.HasPrefix(bare, "#"); {
		case bare == "":
			gap = true
		case len(body)-len(bare) < indent && !comment, body == "---", body == "...":
			return end
		case !comment || !gap && len(body)-len(bare) >= indent:
			end = next
		}
		at = next
	}
	return end
}

// toLineEnd returns the text up to and with its first line end.
func toLineEnd(s string) string {
	if i := strings.IndexByte(s, '\n'); i >= 0 {
		return s[:i+1]
	}
	return s
}

// quoteEnd returns the length of the quoted text at the beginning of s.
func quoteEnd(s string) int {
	for i := 1; i < len(s); i++ {
		switch {
		case s[0] == '"' && s[i] == '\\', s[0] == '\'' && strings.HasPrefix(s[i:], "''"):
			i++
		case s[i] == s[0]:
			return i + 1
		}
	}
	return len(s)
}

// flowEnd returns where the brace that opens at the offset is closed, or -1.
func (s splice) flowEnd(at int) int {
	depth, start := 0, true
	for i := at; i < len(s.text); i++ {
		switch c := s.text[i]; {
		case start && (c == '"' || c == '\''):
			i += quoteEnd(s.text[i:]) - 1
			start = false
		case c == '#' && strings.ContainsRune(" \t\n", rune(s.text[i-1])):
			i += len(toLineEnd(s.text[i:])) - 1
		case c == '{' || c == '[':
			depth++
			start = true
		case c == '}' || c == ']':
			if depth--; depth == 0 {
				return i
			}
			start = false
		default:
			start = c == ',' || c == ':' || start && strings.ContainsRune(" \t\n", rune(c))
		}
	}
	return -1
}
