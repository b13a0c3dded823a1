package render

import (
	"encoding/json"
	"os/exec"
	"reflect"
	"strings"
	"testing"
)

func TestLiteral(t *testing.T) {
	text := "1.1"
	long := strings.Repeat("x", 40)
	tests := []struct {
		name string
		in   any
		want string
	}{
		{"nothing", nil, "None"},
		{"a missing text", (*string)(nil), "None"},
		{"a text behind a pointer", &text, "'1.1'"},
		{"booleans and numbers", []any{true, false, -1, uint8(2), 1.0, 1.5, 1e300}, "[True, False, -1, 2, 1.0, 1.5, 1e+300]"},
		{"an empty list", []string{}, "[]"},
		{"an empty dict", map[string]string(nil), "{}"},
		{"a map is printed by key", map[string]*string{"b": nil, "a": &text}, "{'a': '1.1', 'b': None}"},
		{"a dict keeps its order", Dict{{"b", 1}, {"a", Dict{}}}, "{'b': 1, 'a': {}}"},
		{"a quote inside", "it's", `"it's"`},
		{"both quotes inside", `it's "so"`, `'it\'s "so"'`},
		{"escapes", "a\\\n\r\t\x00\x7f", `'a\\\n\r\t\x00\x7f'`},
		{"letters stay, what cannot be seen does not", "é東\u200b\u2028\U000e0001\u00a0", `'é東\u200b\u2028\U000e0001\xa0'`},
		{"bytes that are no UTF-8", "a\xff", `'a\udcff'`},
		{"79 columns stay on one line", []string{long, strings.Repeat("y", 31)}, "['" + long + "', '" + strings.Repeat("y", 31) + "']"},
		{"80 columns do not", []string{long, strings.Repeat("y", 32)}, "['" + long + "',\n '" + strings.Repeat("y", 32) + "']"},
		{"what is nested breaks below its key", Dict{{"k", map[string]string{"a": long, "b": long}}, {"l", 1}},
			"{'k': {'a': '" + long + "',\n       'b': '" + long + "'},\n 'l': 1}"},
		{"closing brackets count", []any{[]any{[]string{long, strings.Repeat("y", 27)}}}, "[[['" + long + "', '" + strings.Repeat("y", 27) + "']]]"},
		{"closing brackets that do not fit", []any{[]any{[]string{long, strings.Repeat("y", 28)}}}, "[[['" + long + "',\n   '" + strings.Repeat("y", 28) + "']]]"},
		{"what fits below its key does not break", Dict{{"k", []string{long}}, {"l", []string{long}}},
			"{'k': ['" + long + "'],\n 'l': ['" + long + "']}"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Literal(tt.in); got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

// python reads each literal back and answers with one JSON text for each.
func python(t *testing.T, literals []string) []string {
	t.Helper()
	path, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("no python3 on this machine")
	}
	in, err := json.Marshal(literals)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "-c", "import ast, json, sys\nfor s in json.load(sys.stdin): print(json.dumps(ast.literal_eval(s)))")
	cmd.Stdin = strings.NewReader(string(in))
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}

func TestPythonReadsTheLiteralsBack(t *testing.T) {
	var every strings.Builder
	for r := rune(0); r < 0x3000; r++ {
		every.WriteRune(r)
	}
	message := "a \"long\" message that isn't short\n" + strings.Repeat("word ", 30)
	record := map[string]any{"version": "0.0.1", "message": message, "dependencies": map[string]any{"a'b": nil, "c": "1.0"}, "n": 3.0, "ok": true}
	values := []any{every.String(), "\U0001f600\U000e0001\ufeff", []any{record, record}, map[string]any{message: []any{message, nil}}, []any{}, map[string]any{}, "'", `'"`, `\'`}
	var literals []string
	for _, v := range values {
		literals = append(literals, Literal(v))
	}
	for i, line := range python(t, literals) {
		var got any
		if err := json.Unmarshal([]byte(line), &got); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, values[i]) {
			t.Errorf("python reads %s as %#v", literals[i], got)
		}
	}
}
