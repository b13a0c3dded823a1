package migrate

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// seedMap reads a dict, whatever a driver has made of it.
func seedMap(v any) (map[string]any, bool) {
	if m, ok := v.(map[string]any); ok {
		return m, true
	}
	rv := reflect.ValueOf(v)
	if rv.Kind() != reflect.Map || rv.Type().Key().Kind() != reflect.String {
		return nil, false
	}
	m := map[string]any{}
	for it := rv.MapRange(); it.Next(); {
		m[it.Key().String()] = it.Value().Interface()
	}
	return m, true
}

// seedList reads a list, whatever a driver has made of it.
func seedList(v any) ([]any, bool) {
	if list, ok := v.([]any); ok {
		return list, true
	}
	rv := reflect.ValueOf(v)
	if rv.Kind() != reflect.Slice || rv.Type().Elem().Kind() == reflect.Uint8 {
		return nil, false
	}
	list := make([]any, rv.Len())
	for i := range list {
		list[i] = rv.Index(i).Interface()
	}
	return list, true
}

// seedText gives a value as text, a number or a boolean as Python would write
// it. exact says that it was text before; so is nil, which is "".
func seedText(v any) (text string, exact bool) {
	switch v := v.(type) {
	case nil:
		return "", true
	case string:
		return strings.ToValidUTF8(v, "\uFFFD"), utf8.ValidString(v)
	case bool:
		return map[bool]string{true: "True", false: "False"}[v], false
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64), false
	case fmt.Stringer: // json.Number too
		return strings.ToValidUTF8(v.String(), "\uFFFD"), false
	}
	if b, err := json.Marshal(v); err == nil {
		return string(b), false
	}
	return strings.ToValidUTF8(fmt.Sprint(v), "\uFFFD"), false
}

func sortedKeys(m map[string]any) []string { return slices.Sorted(maps.Keys(m)) }
