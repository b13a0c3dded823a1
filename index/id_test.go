package index

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestIDsAreWrittenInHexadecimal(t *testing.T) {
	want := ID{0xAB, 1, 31: 0xFF}
	text := "ab01" + strings.Repeat("0", 58) + "ff"
	if got := want.String(); got != text {
		t.Errorf("got %s, want %s", got, text)
	}
	for _, s := range []string{text, strings.ToUpper(text)} {
		if got, err := ParseID(s); err != nil || got != want {
			t.Errorf("parse %s: got %v, %v", s, got, err)
		}
	}
	b, err := json.Marshal(map[ID]ID{want: want})
	if got := string(b); err != nil || got != `{"`+text+`":"`+text+`"}` {
		t.Errorf("json: got %s, %v", got, err)
	}
	var back map[ID]ID
	if err := json.Unmarshal(b, &back); err != nil || back[want] != want {
		t.Errorf("back from json: got %v, %v", back, err)
	}
	if want.IsZero() || !(ID{}).IsZero() {
		t.Error("IsZero is wrong")
	}
}

func TestWhatIsNoIDIsRefused(t *testing.T) {
	for _, s := range []string{"", "ab", strings.Repeat("0", 63), strings.Repeat("0", 65), strings.Repeat("0", 63) + "g"} {
		id := ID{1}
		if err := id.UnmarshalText([]byte(s)); err == nil || id != (ID{1}) {
			t.Errorf("%q: got %v, %v, want an error", s, id, err)
		}
	}
}
