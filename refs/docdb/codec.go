package docdb

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// maxDepth is how deep the fields of a document may be nested; databases end at
// about 30.
const maxDepth = 16

// encode gives the canonical JSON of fields, as package refs writes it: names in
// byte order, no spaces, only what must be is escaped.
func encode(fields map[string]any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(fields); err != nil {
		return nil, fmt.Errorf("encoding a document: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// Decode gives value, a record's canonical JSON, as fields that any database can
// keep, with values that are string, int64, bool, nil, []any or map[string]any, and
// that can be turned into the same bytes again. Else it says no, and the record has
// to be kept as text: it is no canonical JSON object, is nested too
// deep, has a number that is no int64, or a name that a database may understand
// in a way of its own.
func Decode(value []byte) (fields map[string]any, ok bool) {
	dec := json.NewDecoder(bytes.NewReader(value))
	dec.UseNumber()
	if err := dec.Decode(&fields); err != nil || fields == nil {
		return nil, false
	}
	for name := range fields {
		if strings.HasPrefix(name, "_") { // the Store's own
			return nil, false
		}
	}
	if _, ok := native(fields, maxDepth); !ok {
		return nil, false
	}
	back, err := encode(fields)
	return fields, err == nil && bytes.Equal(back, value)
}

// native replaces the numbers of v by int64.
func native(v any, depth int) (any, bool) {
	switch v := v.(type) {
	case json.Number:
		n, err := v.Int64()
		return n, err == nil
	case map[string]any:
		return v, depth > 0 && nativeMap(v, depth-1)
	case []any:
		return v, depth > 0 && nativeList(v, depth-1)
	}
	return v, true
}

func nativeMap(m map[string]any, depth int) (ok bool) {
	for name, v := range m {
		if name == "" || name[0] == '$' || strings.ContainsAny(name, ".\x00") {
			return false
		}
		if m[name], ok = native(v, depth); !ok {
			return false
		}
	}
	return true
}

func nativeList(list []any, depth int) (ok bool) {
	for i, v := range list {
		if list[i], ok = native(v, depth); !ok {
			return false
		}
	}
	return true
}
