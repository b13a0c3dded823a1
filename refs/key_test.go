package refs

import (
	"testing"
)

func TestParseKeyTellsWhatARecordIsAbout(t *testing.T) {
	v := VersionRecord{Archive: "a/b", Version: Version{Minor: 2}}
	n := VersionRecord{Archive: "a/b", Number: 7}
	for _, c := range []struct {
		key     string
		kind    Kind
		archive string
	}{
		{ArchiveKey("a/b"), KindArchive, "a/b"},
		{v.Key(), KindVersion, "a/b"},
		{n.Key(), KindVersion, "a/b"},
		{"spec/required_user_config", KindSpec, ""},
		{"other", KindOther, ""},
	} {
		if kind, archive := ParseKey(c.key); kind != c.kind || archive != c.archive {
			t.Errorf("%s: got %q of %q, want %q of %q", c.key, kind, archive, c.kind, c.archive)
		}
	}
	if got, _, err := ParseVersionKey(v.Key()); err != nil || got != v.Version {
		t.Errorf("got %v, %v, want %v", got, err, v.Version)
	}
	if _, got, err := ParseVersionKey(n.Key()); err != nil || got != 7 {
		t.Errorf("got %v, %v, want 7", got, err)
	}
}
