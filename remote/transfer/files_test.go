package transfer_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// writeFiles writes n small files below dir.
func writeFiles(t testing.TB, dir string, n int) {
	t.Helper()
	for i := range n {
		name := filepath.Join(dir, fmt.Sprintf("%02d/%04d.txt", i%50, i))
		if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, random(uint64(i), 500+i), 0o666); err != nil {
			t.Fatal(err)
		}
	}
}
