package datafs_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// promises are the pages that name the tests that try to break what they say.
var promises = []string{"docs/guarantees.md", "docs/threat-model.md"}

var (
	namedTest   = regexp.MustCompile("`(torture [a-z]+|(?:Test|Fuzz)[A-Za-z0-9]+|[a-z0-9-]+\\.txtar)`")
	writtenTest = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)[A-Za-z0-9]+)\(`)
	partName    = regexp.MustCompile(`(?m)^\t\{"([a-z]+)", 0\.`)
)

// TestEachPromiseNamesTestsThatExist: the rows of these pages name tests, and no
// test that is not there.
func TestEachPromiseNamesTestsThatExist(t *testing.T) {
	known := existingTests(t)
	for _, page := range promises {
		data, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		found := 0
		for line := range strings.Lines(string(data)) {
			names := namedTest.FindAllStringSubmatch(line, -1)
			for _, name := range names {
				if found++; !known[name[1]] {
					t.Errorf("%s names %s, which does not exist", page, name[1])
				}
			}
			cells := strings.Count(line, "|")
			row := strings.HasPrefix(line, "| ") && !strings.Contains(line, "---") && cells >= 3 && !strings.Contains(line, "test |") && !strings.Contains(line, "who tries")
			if row && strings.ContainsAny(line, "abcdefghijklmnopqrstuvwxyz") && len(names) == 0 && !strings.Contains(line, "**nothing**") && cells != 3 {
				t.Errorf("%s: no test tries this: %s", page, line)
			}
		}
		if found < 20 {
			t.Errorf("%s names %d tests only", page, found)
		}
	}
}

// existingTests are all tests of the module by name, the transcripts, and the
// parts of the torture.
func existingTests(t *testing.T) map[string]bool {
	t.Helper()
	known := map[string]bool{}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		pattern, prefix := writtenTest, ""
		switch {
		case strings.HasSuffix(path, ".txtar"):
			known[filepath.Base(path)] = true
			return nil
		case filepath.ToSlash(path) == "fixtures/torture/main.go":
			pattern, prefix = partName, "torture "
		case !strings.HasSuffix(path, "_test.go"):
			return nil
		}
		data, err := os.ReadFile(path)
		for _, m := range pattern.FindAllSubmatch(data, -1) {
			known[prefix+string(m[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return known
}
