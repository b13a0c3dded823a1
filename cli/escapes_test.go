package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/datafs/datafs/objects/names"
)

// nasty is what people put into texts to rule a terminal.
const nasty = "\x1b]0;x\a\x1b[31m\r\u009b31m\u202egnp.exe\u2066\x7f"

// TestNoCommandPrintsWhatATerminalObeys runs commands over names and texts that
// hold it, as text and as JSON.
func TestNoCommandPrintsWhatATerminalObeys(t *testing.T) {
	dir := t.TempDir()
	tree := filepath.Join(dir, "tree")
	file := "f" + nasty
	for _, d := range []string{tree, filepath.Join(dir, "p")} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(tree, file), []byte("raw \x1b[31m"), 0o644); err != nil {
		t.Skip(err) // not everywhere are such names possible
	}
	run := func(args ...string) (stdout, stderr string, code int) {
		var out, errs bytes.Buffer
		code = Run(context.Background(), append([]string{"--repo", filepath.Join(dir, "p", ".datafs")}, args...), strings.NewReader(""), &out, &errs)
		return out.String(), errs.String(), code
	}
	for _, args := range [][]string{
		{"init", filepath.Join(dir, "p")}, {"create", "a", "--source", nasty}, {"update", "a", tree, "--message", nasty, "--key" + nasty, "v" + nasty},
	} {
		if _, errs, code := run(args...); code != 0 {
			t.Fatalf("%q: exit %d: %s", args, code, errs)
		}
	}
	if out, _, _ := run("cat", "a", "--path", file); out != "raw \x1b[31m" {
		t.Errorf("the contents were touched: %q", out)
	}
	for _, args := range [][]string{
		{"files", "a"}, {"metadata", "a"}, {"log", "a"}, {"history", "a"}, {"versions", "a"}, {"filter"}, {"status"}, {"stats"}, {"fsck"},
		{"checkout", "--dir", filepath.Join(dir, "co"+nasty), "a"}, {"status", "--checkout", filepath.Join(dir, "co"+nasty)},
		{"download", "a", filepath.Join(dir, "out"+nasty)}, {"yank", "a==0.0.1", "--reason", nasty}, {"versions", "a"}, {"freeze"}, {"graph", "a"},
		{"graph", "a", "--format", "dot"}, {"graph", "a", "--format", "mermaid"}, {"diff", "a", "0.0.1", "0.0.1"}, {"audit"},
		{"update", "a", "none" + nasty}, {"create", nasty}, {"add_tags", "a", nasty}, {"cat", nasty}, {"cat", "a", "--version", nasty},
		{"cat", "a", "--path", nasty}, {"--config-file", nasty, "filter"}, {"--profile", nasty, "filter"}, {nasty}, {"filter", "--" + nasty},
	} {
		for _, all := range [][]string{args, append([]string{"--json", "--progress", "json"}, args...)} {
			out, errs, code := run(all...)
			plain := strings.NewReplacer("\n", "", "\t", "").Replace(out + errs)
			if names.HasControl(plain) {
				t.Errorf("%q prints\n%+q\n%+q", all, out, errs)
			}
			if all[0] == "--json" && code == 0 && out != "" && !json.Valid([]byte(out)) {
				t.Errorf("%q is no JSON: %q", all, out)
			}
		}
	}
}
