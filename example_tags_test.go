package datafs_test

import (
	"fmt"
	"iter"
	"strings"

	"github.com/datafs/datafs"
)

// names joins a listing.
func names(list iter.Seq2[string, error]) string {
	var all []string
	for name, err := range list {
		check(err)
		all = append(all, name)
	}
	return "[" + strings.Join(all, " ") + "]"
}

func tagged(api *datafs.API, name string, tags ...string) *datafs.Archive {
	archive, err := api.Create(ctx, name, &datafs.CreateOptions{Tags: tags})
	check(err)
	return archive
}

// A search yields the archives that have all of the tags.
func ExampleAPI_Search() {
	api, done := openExample("")
	defer done()

	for name, tags := range map[string][]string{
		"archive1": {"foo", "bar"},
		"archive2": {"foo", "baz"},
		"archive3": {"foo", "bar", "baz"},
	} {
		_, err := api.Create(ctx, name, &datafs.CreateOptions{Tags: tags})
		check(err)
	}

	for name, err := range api.Search(ctx, "", "bar") {
		check(err)
		fmt.Println(name)
	}
	fmt.Println(names(api.Search(ctx, "", "foo", "baz")))
	fmt.Println(names(api.Search(ctx, "", "bar", "foo", "baz")))
	fmt.Println(names(api.Search(ctx, "", "foo", "qux")))
	// Output:
	// archive1
	// archive3
	// [archive2 archive3]
	// [archive3]
	// []
}

func ExampleArchive_AddTags() {
	api, done := openExample("")
	defer done()
	archive1 := tagged(api, "archive1", "foo", "bar")
	tagged(api, "archive3", "foo", "bar", "baz")

	tags, err := archive1.Tags(ctx)
	check(err)
	fmt.Println(tags)

	check(archive1.AddTags(ctx, "qux"))
	fmt.Println(names(api.Search(ctx, "", "foo", "qux")))
	// Output:
	// [foo bar]
	// [archive1]
}

func ExampleArchive_DeleteTags() {
	api, done := openExample("")
	defer done()
	archive1 := tagged(api, "archive1", "foo", "bar")
	tagged(api, "archive3", "foo", "bar", "baz")

	check(archive1.DeleteTags(ctx, "foo", "bar"))
	fmt.Println(names(api.Search(ctx, "", "foo", "bar")))
	// Output: [archive3]
}
