package remote_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"strings"

	"github.com/datafs/datafs/remote"
)

// Files are put whole, and read in ranges.
func ExampleAuthority() {
	ctx := context.Background()
	var auth remote.Authority = &remote.Mem{}
	defer auth.Close()
	if err := auth.Put(ctx, "packs/ab/abcd", strings.NewReader("0123456789")); err != nil {
		log.Fatal(err)
	}
	r, err := auth.Get(ctx, "packs/ab/abcd", 3, 4)
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()
	part, err := io.ReadAll(r)
	if err != nil {
		log.Fatal(err)
	}
	_, err = auth.Get(ctx, "packs/cd/none", 0, -1)
	fmt.Printf("%s, %v\n", part, errors.Is(err, fs.ErrNotExist))
	// Output: 3456, true
}
