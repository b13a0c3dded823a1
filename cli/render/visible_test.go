package render

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

func TestNoControlCharacterPassesHoweverTheTextIsCut(t *testing.T) {
	const give = "a\tb\nc\x1b[31m\r\u009b31m é文\U0001f600 \u202egnp.exe\u2069 \x7f\x9b \xff \xe2\x80"
	const want = "a\tb\nc" + `\x1b[31m\r\x9b31m é文` + "\U0001f600" + ` \u202egnp.exe\u2069 \x7f\x9b` + " \xff \xe2" + `\x80`
	for size := 1; size <= len(give); size++ {
		var out bytes.Buffer
		w := NewWriter(&out)
		for at := 0; at < len(give); at += size {
			part := []byte(give[at:min(at+size, len(give))])
			if n, err := w.Write(part); n != len(part) || err != nil {
				t.Fatalf("Write: %d, %v", n, err)
			}
			clear(part) // a writer keeps nothing
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		if got := out.String(); got != want {
			t.Errorf("in pieces of %d:\n got %+q\nwant %+q", size, got, want)
		}
	}
}

func TestJSONKeepsItsValuesAndHasNoControlCharacters(t *testing.T) {
	const value = "\x1b\x7f\u009b\u202e\u2066é\\u202e"
	var out bytes.Buffer
	if err := JSON(&out, map[string]string{"k" + value: value}, "  "); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(out.String(), "\x1b\x7f\u009b\u202e\u2066") {
		t.Errorf("got %+q", out.String())
	}
	var got map[string]string
	if err := json.Unmarshal(out.Bytes(), &got); err != nil || got["k"+value] != value {
		t.Errorf("read back: %+q, %v", got, err)
	}
}
