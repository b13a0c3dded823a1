package objects_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/objects"
)

// A file becomes chunks and a tree, and is read back by the id of the tree.
func ExampleStore() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	db, err := index.Open(filepath.Join(dir, "index.db"), nil)
	if err != nil {
		log.Fatal(err)
	}
	if err := objects.Create(dir, &objects.CreateOptions{ID: "0123456789abcdef"}); err != nil {
		log.Fatal(err)
	}
	store, err := objects.Open(dir, &objects.Options{Index: db})
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()

	w, err := store.Writer(ctx, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer w.Close()
	stored, err := w.File(strings.NewReader("station,tas\nbonn,11.2\n"))
	if err != nil {
		log.Fatal(err)
	}
	if err := w.Finish(); err != nil { // the packs are on disk, and the index knows them
		log.Fatal(err)
	}

	tree, err := store.Tree(ctx, stored.Tree)
	if err != nil {
		log.Fatal(err)
	}
	f, err := tree.Open(ctx, "")
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteTo(os.Stdout); err != nil {
		log.Fatal(err)
	}
	fmt.Println(stored.Size, "bytes")
	// Output:
	// station,tas
	// bonn,11.2
	// 22 bytes
}
