package refs_test

import (
	"context"
	"fmt"
	"log"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/refs"
)

// An archive gets versions. The content is named by its tree, which is stored before.
func ExampleDB_AddVersion() {
	ctx := context.Background()
	db := refs.New(&refs.Mem{}, nil)
	if _, err := db.Create(ctx, refs.Archive{Name: "climate/tas", Versioned: true}, nil); err != nil {
		log.Fatal(err)
	}
	for _, content := range []string{"first", "first", "second"} {
		id := index.Hash([]byte(content))
		v, _, created, err := db.AddVersion(ctx, refs.NewVersion{
			Archive: "climate/tas", Tree: id, Hash: id, Size: int64(len(content)), Files: 1, Bump: "minor",
		})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(v.Version, created)
	}
	// Output:
	// 0.1 true
	// 0.1 false
	// 0.2 true
}
