package docdb

import (
	"bytes"
	"strings"
	"testing"
)

var codecCases = []struct {
	name, value string
	want        bool // kept as fields
}{
	{"an object of all kinds of values is kept as fields", `{"a":[1,-2,null,true,"<é>"],"b":{"c":{}},"d":""}`, true},
	{"an empty object is kept as fields", `{}`, true},
	{"the largest int64 is kept as fields", `{"a":9223372036854775807}`, true},
	{"a larger number is kept as bytes", `{"a":9223372036854775808}`, false},
	{"a fraction is kept as bytes", `{"a":1.5}`, false},
	{"a number in another form is kept as bytes", `{"a":-0}`, false},
	{"an empty name is kept as bytes", `{"a":{"":1}}`, false},
	{"a name with a dot is kept as bytes", `{"a":[{"b.c":1}]}`, false},
	{"a name with a dollar first is kept as bytes", `{"$a":1}`, false},
	{"a name with a NUL is kept as bytes", `{"a\u0000":1}`, false},
	{"a name of the store's own is kept as bytes", `{"_id":1}`, false},
	{"an underscore further down is kept as fields", `{"a":{"_id":1}}`, true},
	{"names in another order are kept as bytes", `{"b":1,"a":2}`, false},
	{"a name twice is kept as bytes", `{"a":1,"a":1}`, false},
	{"spaces are kept as bytes", `{"a": 1}`, false},
	{"escapes that need not be are kept as bytes", `{"a":"\u003c"}`, false},
	{"what is no object is kept as bytes", `[1]`, false},
	{"null is kept as bytes", `null`, false},
	{"something after the object is kept as bytes", `{"a":1}{}`, false},
	{"no JSON is kept as bytes", "\xff", false},
	{"nothing is kept as bytes", ``, false},
	{"deep nesting is kept as bytes", strings.Repeat(`{"a":`, 20) + "1" + strings.Repeat("}", 20), false},
}

func TestValuesAreKeptAsFieldsWhereThatGivesTheSameBytes(t *testing.T) {
	for _, c := range codecCases {
		t.Run(c.name, func(t *testing.T) {
			if fields, got := Decode([]byte(c.value)); got != c.want {
				t.Errorf("got %v, %v, want %v", fields, got, c.want)
			}
		})
	}
}

func FuzzDecode(f *testing.F) {
	for _, c := range codecCases {
		f.Add([]byte(c.value))
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		fields, ok := Decode(value)
		if !ok {
			return
		}
		if got, err := encode(fields); err != nil || !bytes.Equal(got, value) {
			t.Errorf("got %q, %v, want %q", got, err, value)
		}
	})
}
