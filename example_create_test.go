package datafs_test

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/datafs/datafs"
)

func ExampleAPI_Create() {
	api, done := openExample("")
	defer done()

	archive, err := api.Create(ctx, "my_archive_name", nil)
	check(err)
	fmt.Println(archive)

	_, err = api.Create(ctx, "my_archive_name", nil)
	fmt.Println(err, errors.Is(err, fs.ErrExist))
	archive, err = api.Create(ctx, "my_archive_name", &datafs.CreateOptions{ExistOK: true})
	fmt.Println(archive, err)
	// Output:
	// <DataArchive local://my_archive_name>
	// Archive "my_archive_name" already exists true
	// <DataArchive local://my_archive_name> <nil>
}

const twoAuthorities = `
authorities:
  my_authority: {service: OSFS, args: [data]}
  other_authority: {service: OSFS, args: [other]}
`

// With more than one authority, each archive belongs to one of them.
func ExampleAPI_Create_authority() {
	api, done := openExample(twoAuthorities)
	defer done()

	_, err := api.Create(ctx, "my_archive_name", nil)
	fmt.Println(err)

	archive, err := api.Create(ctx, "my_archive_name", &datafs.CreateOptions{Authority: "my_authority"})
	check(err)
	fmt.Println(archive)
	archive, err = api.Create(ctx, "other_authority://other_name", nil)
	check(err)
	fmt.Println(archive)
	// Output:
	// Authority ambiguous. Set authority or DefaultAuthorityName.
	// <DataArchive my_authority://my_archive_name>
	// <DataArchive other_authority://other_name>
}

func ExampleAPI_SetDefaultAuthority() {
	api, done := openExample(twoAuthorities)
	defer done()

	check(api.SetDefaultAuthority("my_authority"))
	archive, err := api.Create(ctx, "my_archive_name", nil)
	check(err)
	fmt.Println(archive)
	// Output: <DataArchive my_authority://my_archive_name>
}

func ExampleAPI_Create_metadata() {
	api, done := openExample("")
	defer done()

	archive, err := api.Create(ctx, "my_archive_name", &datafs.CreateOptions{
		Metadata: map[string]string{
			"description": "my test archive",
			"source":      "Burke et al (2015)",
			"doi":         "10.1038/nature15725",
		},
	})
	check(err)

	metadata, err := archive.Metadata(ctx)
	check(err)
	fmt.Println(metadata["doi"])
	// Output: 10.1038/nature15725
}

// An administrator may require metadata of every new archive.
func ExampleAPI_RequireMetadata() {
	api, done := openExample("")
	defer done()
	check(api.RequireMetadata(ctx, map[string]*string{"description": new("Enter a description")}))

	metadata := map[string]string{"source": "Burke et al (2015)"}
	_, err := api.Create(ctx, "my_archive_name", &datafs.CreateOptions{Metadata: metadata})
	fmt.Println(err)

	metadata["description"] = "my test archive"
	archive, err := api.Create(ctx, "my_archive_name", &datafs.CreateOptions{Metadata: metadata})
	fmt.Println(archive, err)
	// Output:
	// Required value "description" not found. Use helper=True or the --helper flag for assistance.
	// <DataArchive local://my_archive_name> <nil>
}

// The helper is asked for what is required and missing.
func ExampleCreateOptions_helper() {
	api, done := openExample("")
	defer done()
	check(api.RequireMetadata(ctx, map[string]*string{"description": new("Enter a description")}))

	archive, err := api.Create(ctx, "my_archive_name", &datafs.CreateOptions{
		Metadata: map[string]string{"source": "Burke et al (2015)"},
		Helper: func(key, prompt string) (string, error) {
			fmt.Printf("%s: (the user types)\n", prompt)
			return "my test archive", nil
		},
	})
	check(err)
	metadata, err := archive.Metadata(ctx)
	check(err)
	fmt.Println(metadata)
	// Output:
	// Enter a description: (the user types)
	// map[description:my test archive source:Burke et al (2015)]
}
