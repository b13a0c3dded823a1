package refs

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

// FuzzDecodeArchive wants of any record that it is refused, or is the same archive
// when it is written and read again.
func FuzzDecodeArchive(f *testing.F) {
	whole, err := encodeArchive(Archive{Name: "a/b", Authority: "team", Versioned: true, Metadata: map[string]string{"k": "v"},
		Tags: []string{"t"}, UserConfig: map[string]string{"username": "Ann"}, Created: time.Unix(1, 0)}, true)
	if err != nil {
		f.Fatal(err)
	}
	f.Add("archive/a/b", whole)
	f.Add("archive/a", []byte(`{"format":1,"name":"a"}`))
	f.Add("archive/a", []byte(`{"format":2,"name":"a","tags":{}}`))
	f.Fuzz(func(t *testing.T, key string, value []byte) {
		a, deleting, err := DecodeArchive(Record{Key: key, Value: value})
		if err != nil {
			return
		}
		if ArchiveKey(a.Name) != key || a.Metadata == nil || a.UserConfig == nil {
			t.Fatalf("%q gives %+v", key, a)
		}
		once, err := encodeArchive(a, deleting)
		if err != nil {
			return // a time that JSON cannot say
		}
		again, deletingAgain, err := DecodeArchive(Record{Key: ArchiveKey(a.Name), Value: once})
		if err != nil || deletingAgain != deleting {
			t.Fatalf("%s: %v", once, err)
		}
		if twice, err := encodeArchive(again, deleting); err != nil || !bytes.Equal(twice, once) {
			t.Fatalf("%s was written again as %s, %v", once, twice, err)
		}
	})
}

// FuzzDecodeVersion is the same for versions.
func FuzzDecodeVersion(f *testing.F) {
	v := VersionRecord{Archive: "a", Version: mustParse(f, "0.1b2"), Size: 7, Files: 1, Checksums: map[string]string{"md5": "00"},
		Updates: []Update{{Message: new("m"), Dependencies: Dependencies{"b": nil, "c": new("0.1")}, Time: time.Unix(1, 0), Bump: "minor"}},
		Yanks:   []Yank{{Reason: "wrong", Time: time.Unix(2, 0)}}}
	whole, err := EncodeVersion(v)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(v.Key(), whole)
	f.Add(`version/a\#00000001`, []byte(`{"format":1,"archive":"a","number":1,"updates":[{}]}`))
	f.Add(`version/a\0.0.1`, []byte(`{"format":1,"archive":"a","version":"0.0.1","size":-1,"files":9223372036854775807}`))
	f.Fuzz(func(t *testing.T, key string, value []byte) {
		v, err := DecodeVersion(Record{Key: key, Value: value})
		if err != nil {
			return
		}
		v.Last()
		v.Yanked()
		if v.Label() == "" || v.Key() != key {
			t.Fatalf("%q gives %+v", key, v)
		}
		once, err := EncodeVersion(v)
		if err != nil {
			return
		}
		again, err := DecodeVersion(Record{Key: key, Value: once})
		if err != nil {
			t.Fatalf("%s: %v", once, err)
		}
		if twice, err := EncodeVersion(again); err != nil || !bytes.Equal(twice, once) {
			t.Fatalf("%s was written again as %s, %v", once, twice, err)
		}
	})
}

func mustParse(tb testing.TB, s string) Version {
	tb.Helper()
	v, err := ParseVersion(s)
	if err != nil {
		tb.Fatal(err)
	}
	return v
}

// FuzzSpec reads what an administrator requires from any record, and holds an
// archive against it.
func FuzzSpec(f *testing.F) {
	spec := Spec{UserConfig: map[string]string{"username": "Your name"}, Metadata: map[string]string{"description": "What is it?"}, Patterns: []string{"^climate/"}}
	records, err := spec.encode()
	if err != nil {
		f.Fatal(err)
	}
	for key, value := range records {
		f.Add(key, value)
	}
	f.Add(SpecPrefix+requiredPatterns, []byte(`{"format":1,"config":["(", "(?!x)", "a{1000}{1000}"]}`))
	f.Fuzz(func(t *testing.T, key string, value []byte) {
		if !strings.HasPrefix(key, SpecPrefix) {
			key = SpecPrefix + key
		}
		var s Spec
		if s.take(Record{Key: key, Value: value}) != nil || s.check() != nil {
			return
		}
		_ = s.checkArchive(Archive{Name: "climate/tas"})
		once, err := s.encode()
		if err != nil {
			return // too large
		}
		var again Spec
		for k, v := range once {
			if err := again.take(Record{Key: k, Value: v}); err != nil {
				t.Fatalf("%s: %v", v, err)
			}
		}
		twice, err := again.encode()
		for k := range once {
			if err != nil || !bytes.Equal(once[k], twice[k]) {
				t.Fatalf("%s was written again as %s, %v", once[k], twice[k], err)
			}
		}
	})
}
