package refs_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/datafs/datafs/refs"
)

// raw gives a record's value as it is kept.
func raw(t *testing.T, m refs.Manager, key string) string {
	t.Helper()
	r, err := m.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	return string(r.Value)
}

// TestRecordsAsTheyAreKept: other programs and other managers read them.
func TestRecordsAsTheyAreKept(t *testing.T) {
	m := &refs.Mem{}
	d := refs.New(m, &refs.Options{Now: clock()})
	mustCreate(t, d, refs.Archive{Name: "a", Authority: "local", Versioned: true, Tags: []string{"T"}, Metadata: map[string]string{"k": "<&>", "a": "é"}})
	add(t, d, "a", "x")
	if err := d.SetSpec(t.Context(), refs.Spec{Metadata: map[string]string{"k": "K?"}, Patterns: []string{"^a"}}); err != nil {
		t.Fatal(err)
	}
	hex := func(s string) string { return content(s).String() }
	cases := map[string]string{
		"archive/a": `{"authority":"local","created":"2017-01-01T00:00:01Z","format":1,"metadata":{"a":"é","k":"<&>"},"name":"a","tags":["t"],"user_config":{},"versioned":true}`,
		`version/a\0.0.1`: `{"archive":"a","checksums":{},"dir":false,"files":1,"format":1,"hash":"` + hex("x") + `","number":0,"size":7,"tree":"` + hex("tree x") +
			`","updates":[{"bump":"patch","dependencies":{},"message":null,"prerelease":"","time":"2017-01-01T00:00:02Z","user_config":{}}],"version":"0.0.1"}`,
		"spec/required_archive_metadata": `{"config":{"k":"K?"},"format":1}`,
		"spec/required_archive_patterns": `{"config":["^a"],"format":1}`,
		"spec/required_user_config":      `{"config":{},"format":1}`,
	}
	for key, want := range cases {
		if got := raw(t, m, key); got != want {
			t.Errorf("%s is\n%s\nwant\n%s", key, got, want)
		}
	}
}

// replace puts something else in the place of a record.
func replace(t *testing.T, m refs.Manager, key, old, with string) {
	t.Helper()
	r, err := m.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	value := strings.Replace(string(r.Value), old, with, 1)
	if value == string(r.Value) {
		t.Fatalf("no %q in %s", old, value)
	}
	if _, err := m.Put(t.Context(), key, []byte(value), r.Rev); err != nil {
		t.Fatal(err)
	}
}

func TestRecordsOfANewerFormatAreRefused(t *testing.T) {
	for _, key := range []string{"archive/a", `version/a\0.0.1`, "spec/required_archive_metadata"} {
		m := &refs.Mem{}
		d := refs.New(m, nil)
		mustCreate(t, d, versioned("a")[0])
		add(t, d, "a", "x")
		if err := d.SetSpec(t.Context(), refs.Spec{}); err != nil {
			t.Fatal(err)
		}
		replace(t, m, key, `"format":1`, `"format":2`)
		before := raw(t, m, key)
		_, _, _, err := d.AddVersion(t.Context(), nv("y"))
		if err == nil || errors.Is(err, refs.ErrCorrupt) || !strings.Contains(err.Error(), "has format 2, this program knows 1: use a newer one") {
			t.Errorf("%s of format 2: error is %v", key, err)
		}
		if got := raw(t, m, key); got != before {
			t.Errorf("and it was changed to %s", got)
		}
	}
}

func TestBrokenRecordsAreCorrupt(t *testing.T) {
	cases := []struct{ key, old, with string }{
		{"archive/a", `"name":"a"`, `"name":"b"`},
		{"archive/a", `{`, `[`},
		{`version/a\0.0.1`, `"version":"0.0.1"`, `"version":"0.0.2"`},
		{`version/a\0.0.1`, `"archive":"a"`, `"archive":"b"`},
		{`version/a\0.0.1`, `"version":"0.0.1"`, `"version":"x"`},
		{`version/a\0.0.1`, `"size":7`, `"size":"7"`},
		{`version/a\0.0.1`, `"hash":"`, `"hash":"0`},
	}
	for _, c := range cases {
		m := &refs.Mem{}
		d := refs.New(m, nil)
		mustCreate(t, d, versioned("a")[0])
		add(t, d, "a", "x")
		replace(t, m, c.key, c.old, c.with)
		if _, _, _, err := d.AddVersion(t.Context(), nv("y")); !errors.Is(err, refs.ErrCorrupt) {
			t.Errorf("%s with %s: error is %v", c.key, c.with, err)
		}
	}
	m := &refs.Mem{}
	d := refs.New(m, nil)
	mustCreate(t, d, versioned("a")[0])
	if _, err := m.Put(t.Context(), `version/a\nonsense`, []byte(`{}`), refs.Absent); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Latest(t.Context(), "a"); !errors.Is(err, refs.ErrCorrupt) {
		t.Errorf("a version with a nonsense key: error is %v", err)
	}
}
