package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestDocs runs all blocks of each page for users that are tagged console, one
// after another in one new home directory, and compares what is printed (see
// consoleStep).
func TestDocs(t *testing.T) {
	needShell(t)
	pages, err := filepath.Glob("../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range append(pages, "../README.md") {
		t.Run(filepath.Base(page), func(t *testing.T) {
			t.Parallel()
			checkPage(t, page)
		})
	}
}

func checkPage(t *testing.T, page string) {
	data, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	steps, err := pageSteps(string(data), "```console")
	if err != nil {
		t.Fatal(err)
	}
	runPage(t, page, string(data), steps)
}

// runPage runs a page's steps in a new home directory.
func runPage(t *testing.T, page, data string, steps []consoleStep, env ...string) {
	t.Helper()
	home := t.TempDir()
	work := filepath.Join(home, "work") // so that what the home directory gets is not among the files
	if err := os.Mkdir(work, 0o700); err != nil {
		t.Fatal(err)
	}
	results, err := runConsole(work, append(cleanEnv(home), env...), steps)
	if err != nil {
		t.Fatal(err)
	}
	wrong := checkConsole(steps, results)
	if *update && len(wrong) > 0 {
		text := rewriteConsole(data, steps, results, wrong, hideVolatile(home))
		if err := os.WriteFile(page, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	for i := range steps {
		if wrong[i] != "" {
			t.Errorf("%s %s", page, wrong[i])
		}
	}
	checkRepositories(t, home)
}

// pageSteps returns the steps of all blocks of a page that begin with a fence.
func pageSteps(page, fence string) ([]consoleStep, error) {
	var all []consoleStep
	lines := strings.Split(page, "\n")
	for i := 0; i < len(lines); i++ {
		if lines[i] != fence {
			continue
		}
		begin := i + 1
		for i = begin; i < len(lines) && lines[i] != "```"; i++ {
		}
		steps, err := parseConsole(strings.Join(lines[begin:i], "\n"), begin+1)
		if err != nil {
			return nil, err
		}
		all = append(all, steps...)
	}
	return all, nil
}
