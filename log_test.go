package datafs

import (
	"strings"
	"testing"
	"time"
)

func TestLog(t *testing.T) {
	now := time.Date(2026, 3, 9, 7, 5, 6, 0, time.FixedZone("", 2*3600))
	dir := t.TempDir()
	h := newArchive(t, newAPIAt(t, dir, now, ""), "x")
	for _, c := range []struct {
		config, text string
		message      *string
	}{
		{"{team: \"a\\e[2Jb\"}", "1", new(" \n")},
		{"{a_long_key_of_a_user: x}", "2", nil},
		{"{username: My Name, contact: me@x.org}", "3", new("first\n\n  " + strings.Repeat("word ", 20) + "\nlast\n")},
	} {
		api := newAPIAt(t, dir, now, "api: {user_config: "+c.config+"}")
		_, err := must(api.Archive(t.Context(), "x", nil))(t).UpdateFrom(t.Context(), strings.NewReader(c.text), &UpdateOptions{Message: c.message})
		noError(t, err)
	}
	var got strings.Builder
	noError(t, h.Log(t.Context(), &got))
	want := `version 0.0.3 (blake3 HASH)
Date:      Mon, 09 Mar 2026 05:05:06 +0000
contact:   me@x.org
username:  My Name

    first

      word word word word word word word word word word word word word
    word word word word word word word
    last

version 0.0.2 (blake3 HASH)
Date:      Mon, 09 Mar 2026 05:05:06 +0000
a_long_key_of_a_user: x

version 0.0.1 (blake3 HASH)
Date:      Mon, 09 Mar 2026 05:05:06 +0000
team:      a\x1b[2Jb
`
	for _, e := range must(h.History(t.Context()))(t) {
		want = strings.Replace(want, e.Version.String()+" (blake3 HASH", e.Version.String()+" (blake3 "+e.Hash.String(), 1)
	}
	equal(t, "log", got.String(), want)

	got.Reset()
	noError(t, newArchive(t, newAPI(t), "empty").Log(t.Context(), &got))
	equal(t, "log of nothing", got.String(), "")
}

func newAPIAt(t *testing.T, dir string, now time.Time, config string) *API {
	t.Helper()
	opts := configured(dir, config)
	opts.Now = func() time.Time { return now }
	return openOnly(t, opts)
}

func TestWrap(t *testing.T) {
	for _, c := range []struct {
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
	} {
		t.Run(c.name, func(t *testing.T) { equal(t, "lines", wrap(c.in, 10), c.want) })
	}
}
