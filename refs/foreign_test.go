package refs

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/datafs/datafs/index"
)

func foreignArchive(t testing.TB, a Archive) []byte {
	t.Helper()
	b, err := EncodeArchive(a)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func foreignVersion(t testing.TB, v VersionRecord) []byte {
	t.Helper()
	b, err := EncodeVersion(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestCheckRecordAcceptsWhatWeWrite(t *testing.T) {
	tree := index.ID{1}
	updates := []Update{{Time: time.Unix(0, 0)}}
	version := VersionRecord{Archive: "a/b", Version: Version{Minor: 1}, Tree: tree, Updates: updates, Yanks: []Yank{{Reason: "r"}, {Undo: true}}}
	numbered := VersionRecord{Archive: "a/b", Number: 12, Tree: tree, Updates: updates}
	cases := map[string][]byte{
		"archive/a/b":               foreignArchive(t, Archive{Name: "a/b", Authority: "local"}),
		"archive/é":                 foreignArchive(t, Archive{Name: "é"}),
		version.Key():               foreignVersion(t, version),
		numbered.Key():              foreignVersion(t, numbered),
		"spec/required_user_config": []byte(`{"config":{"a":"b"},"format":1}`),
		requiredKey():               []byte(`{"config":["^a"],"format":1}`),
	}
	for key, value := range cases {
		if err := errors.Join(CheckRecord(key, value), CheckRecord(key, nil)); err != nil {
			t.Errorf("%q: %v", key, err)
		}
	}
}

func requiredKey() string { return SpecPrefix + requiredPatterns }

func TestCheckRecordRefuses(t *testing.T) {
	good := VersionRecord{Archive: "a", Version: Version{Minor: 1}, Tree: index.ID{1}}
	archive := func(name string) []byte { return foreignArchive(t, Archive{Name: name}) }
	version := func(edit func(*VersionRecord)) []byte {
		v := good
		edit(&v)
		return foreignVersion(t, v)
	}
	cases := []struct {
		name, key string
		value     []byte
	}{
		{"no key", "", []byte("{}")},
		{"a control character", "archive/a\nb", archive("a\nb")},
		{"another kind", "other/a", []byte("{}")},
		{"a way up", "archive/../a", archive("../a")},
		{"a way up inside", "archive/a/../b", archive("a/../b")},
		{"an absolute path", "archive//etc/passwd", archive("/etc/passwd")},
		{"an authority in front", "archive/s3://a", archive("s3://a")},
		{"another name", "archive/a", archive("b")},
		{"no JSON", "archive/a", []byte("{")},
		{"no UTF-8", "archive/a", []byte("{\"name\":\"a\",\"format\":1,\"x\":\"\xff\"}")},
		{"another format", "archive/a", []byte(`{"format":2,"name":"a"}`)},
		{"a broken authority", "archive/a", foreignArchive(t, Archive{Name: "a", Authority: "../x"})},
		{"a version in another form", `version/a\0.01`, version(func(*VersionRecord) {})},
		{"a version of nothing", `version/a\`, nil},
		{"version zero", `version/a\0.0`, nil},
		{"a number in another form", `version/a\#1`, nil},
		{"another version", `version/a\0.2`, version(func(*VersionRecord) {})},
		{"a negative size", `version/a\0.1`, version(func(v *VersionRecord) { v.Size = -1 })},
		{"no tree", `version/a\0.1`, version(func(v *VersionRecord) { v.Tree = index.ID{} })},
		{"a version and a number", `version/a\#00000001`, version(func(v *VersionRecord) { v.Number = 1 })},
		{"a yank without a reason", `version/a\0.1`, version(func(v *VersionRecord) { v.Yanks = []Yank{{}} })},
		{"a yank with too long a reason", `version/a\0.1`, version(func(v *VersionRecord) { v.Yanks = []Yank{{Reason: strings.Repeat("r", MaxReason+1)}} })},
		{"a yank of an archive without versions", `version/a\#00000001`, version(func(v *VersionRecord) { v.Version, v.Number, v.Yanks = Version{}, 1, []Yank{{Reason: "r"}} })},
		{"a broken pattern", requiredKey(), []byte(`{"config":["("],"format":1}`)},
	}
	for _, c := range cases {
		if err := CheckRecord(c.key, c.value); err == nil {
			t.Errorf("%s: %q is accepted", c.name, c.key)
		}
	}
	if err := CheckKeyValue("a", []byte(strings.Repeat(" ", MaxValue+1))); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("a value that is too large: %v", err)
	}
}
