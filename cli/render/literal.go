// Package render writes values for people and programs: sizes, counts, lines of
// text, JSON, Python's literals. It is not for sentences. Its invariant: no name or
// text that another person wrote can control a terminal.
package render

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// literalWidth is how many columns a Python literal may take before it is
// broken between elements, as Python's pprint breaks it.
const literalWidth = 79

// Dict is a dict whose keys are printed in the order given; a Go map is
// printed by key.
type Dict []Item

// Item is one key of a Dict with its value.
type Item struct {
	Key   string
	Value any
}

// Literal writes v so that Python's ast.literal_eval reads the same value
// back. It knows nil, booleans, integers, floats, strings, pointers to them (nil is
// None), slices, maps with string keys, and Dict; anything else is written
// as a string.
func Literal(v any) string { return pyNode(v).format(0, 0) }

// node is a value with its one-line form, and its elements if it has any.
type node struct {
	line        string
	width       int // of line, in columns
	open, close string
	items       []nodeItem
}

type nodeItem struct {
	key   string // `'key': ` or nothing
	value node
}

// format breaks the value between its elements when it does not fit behind
// indent and before trail further columns.
func (n node) format(indent, trail int) string {
	if len(n.items) == 0 || indent+n.width+trail <= literalWidth {
		return n.line
	}
	var b strings.Builder
	b.WriteString(n.open)
	for i, item := range n.items {
		after := 1 // the comma
		if i > 0 {
			b.WriteString(",\n" + strings.Repeat(" ", indent+1))
		}
		if i == len(n.items)-1 {
			after = trail + 1
		}
		b.WriteString(item.key)
		b.WriteString(item.value.format(indent+1+utf8.RuneCountInString(item.key), after))
	}
	b.WriteString(n.close)
	return b.String()
}

func scalar(line string) node { return node{line: line, width: utf8.RuneCountInString(line)} }

func container(open, close string, items []nodeItem) node {
	parts := make([]string, len(items))
	for i, item := range items {
		parts[i] = item.key + item.value.line
	}
	n := scalar(open + strings.Join(parts, ", ") + close)
	n.open, n.close, n.items = open, close, items
	return n
}

func pyNode(v any) node {
	if d, ok := v.(Dict); ok {
		return dictNode(d)
	}
	r := reflect.ValueOf(v)
	switch r.Kind() {
	case reflect.Invalid:
		return scalar("None")
	case reflect.Pointer:
		if r.IsNil() {
			return scalar("None")
		}
		return pyNode(r.Elem().Interface())
	case reflect.Slice, reflect.Array:
		items := make([]nodeItem, r.Len())
		for i := range items {
			items[i].value = pyNode(r.Index(i).Interface())
		}
		return container("[", "]", items)
	case reflect.Map:
		return dictNode(sortedDict(r))
	}
	return scalar(pyScalar(r))
}

func dictNode(d Dict) node {
	items := make([]nodeItem, len(d))
	for i, e := range d {
		items[i] = nodeItem{pyString(e.Key) + ": ", pyNode(e.Value)}
	}
	return container("{", "}", items)
}

func sortedDict(m reflect.Value) Dict {
	d := make(Dict, 0, m.Len())
	for _, k := range m.MapKeys() {
		d = append(d, Item{fmt.Sprint(k.Interface()), m.MapIndex(k).Interface()})
	}
	slices.SortFunc(d, func(a, b Item) int { return strings.Compare(a.Key, b.Key) })
	return d
}

func pyScalar(r reflect.Value) string {
	switch r.Kind() {
	case reflect.Bool:
		if r.Bool() {
			return "True"
		}
		return "False"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return fmt.Sprintf("%d", r.Interface())
	case reflect.Float32, reflect.Float64:
		return pyFloat(r.Float())
	}
	return pyString(fmt.Sprint(r.Interface()))
}

// pyFloat writes infinities as numbers too large for a double, because a
// literal has no other word for them; NaN, which has none at all, is None.
func pyFloat(f float64) string {
	switch s := strconv.FormatFloat(f, 'g', -1, 64); {
	case f != f:
		return "None"
	case strings.HasSuffix(s, "Inf"):
		return strings.Replace(strings.TrimPrefix(s, "+"), "Inf", "1e999", 1)
	case strings.ContainsAny(s, ".e"):
		return s
	default:
		return s + ".0"
	}
}

// pyString quotes s as Python's repr does. A byte that is not UTF-8 becomes
// the lone surrogate by which Python itself keeps such bytes (PEP 383).
func pyString(s string) string {
	quote := byte('\'')
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		quote = '"'
	}
	b := append(make([]byte, 0, len(s)+2), quote)
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			b = fmt.Appendf(b, `\udc%02x`, s[i])
		case r == rune(quote) || r == '\\':
			b = append(b, '\\', byte(r))
		default:
			b = appendRune(b, r)
		}
		i += size
	}
	return string(append(b, quote))
}

func appendRune(b []byte, r rune) []byte {
	switch {
	case r == '\n':
		return append(b, '\\', 'n')
	case r == '\r':
		return append(b, '\\', 'r')
	case r == '\t':
		return append(b, '\\', 't')
	case unicode.IsPrint(r):
		return utf8.AppendRune(b, r)
	case r < 0x100:
		return fmt.Appendf(b, `\x%02x`, r)
	case r < 0x10000:
		return fmt.Appendf(b, `\u%04x`, r)
	default:
		return fmt.Appendf(b, `\U%08x`, r)
	}
}
