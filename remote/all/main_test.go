package all_test

import (
	"log"
	"os"
	"path/filepath"
	"testing"
)

// repository is where the example's lies.
var repository string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "datafs-all-")
	if err != nil {
		log.Fatal(err)
	}
	repository = filepath.Join(dir, "repo")
	m.Run()
	os.RemoveAll(dir)
}
