package index_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/datafs/datafs/index"
)

// What an Update writes, all Views see from then on.
func ExampleDB() {
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
	defer db.Close()
	err = db.Update(ctx, func(tx *index.Tx) error { return tx.Put("places", "bonn", []byte("50.7 N")) })
	if err != nil {
		log.Fatal(err)
	}
	err = db.View(ctx, func(tx *index.Tx) error {
		value, err := tx.Get("places", "bonn")
		fmt.Printf("%s\n", value)
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: 50.7 N
}
