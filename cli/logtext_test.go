package cli

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestWriteLog(t *testing.T) {
	message := "first\n\n  " + strings.Repeat("word ", 20) + "\nlast\n"
	blank := " \n"
	date := time.Date(2026, 3, 9, 7, 5, 6, 0, time.FixedZone("", 2*3600))
	blocks := []logBlock{
		{Title: "version 0.0.2 (blake3 ab)", Date: date, User: map[string]string{"username": "My Name", "contact": "me@x.org"}, Message: &message},
		{Title: "version 0.0.1 (blake3 cd)", Date: date, User: map[string]string{"a_long_key_of_a_user": "x"}},
		{Title: "update 1 (blake3 ef)", Date: date, User: map[string]string{"team": "a\x1b[2Jb\n"}, Message: &blank},
	}
	want := `version 0.0.2 (blake3 ab)
Date:      Mon, 09 Mar 2026 05:05:06 +0000
contact:   me@x.org
username:  My Name

    first

      word word word word word word word word word word word word word
    word word word word word word word
    last

version 0.0.1 (blake3 cd)
Date:      Mon, 09 Mar 2026 05:05:06 +0000
a_long_key_of_a_user: x

update 1 (blake3 ef)
Date:      Mon, 09 Mar 2026 05:05:06 +0000
team:      a\x1b[2Jb\n
`
	var got strings.Builder
	if err := writeLog(&got, blocks); err != nil || got.String() != want {
		t.Errorf("got %v\n%s\nwant\n%s", err, got.String(), want)
	}
}

func TestWrap(t *testing.T) {
	tests := []struct {
		name, in string
		want     []string
	}{
		{"a line of the full width stays", "aaaa bbbbb", []string{"aaaa bbbbb"}},
		{"a longer line breaks at its last space", "aaaa bbbb cc", []string{"aaaa bbbb", "cc"}},
		{"a word that just fits stays", "aaaaaaaaaa bb", []string{"aaaaaaaaaa", "bb"}},
		{"a long word stays whole", "aa bbbbbbbbbbbbbb cc", []string{"aa", "bbbbbbbbbbbbbb", "cc"}},
		{"a long word alone stays whole", "  bbbbbbbbbbbbbb", []string{"  bbbbbbbbbbbbbb"}},
		{"letters are counted, not bytes", "ééééé ééééé é", []string{"ééééé", "ééééé é"}},
		{"returns and trailing spaces go", "a \r\nb\t\r\n", []string{"a", "b"}},
		{"blank lines stay", "a\n\n\nb", []string{"a", "", "", "b"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := wrap(tt.in, 10); !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
