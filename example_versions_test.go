package datafs_test

import (
	"fmt"

	"github.com/datafs/datafs"
)

func ExampleArchive_Versions() {
	api, done := openExample("")
	defer done()
	archive, err := api.Create(ctx, "sample_archive", nil)
	check(err)

	write(archive, "this is a sample archive", &datafs.UpdateOptions{Prerelease: "alpha"})
	versions, err := archive.Versions(ctx)
	check(err)
	fmt.Println(versions)

	write(archive, "Sample archive with more text so we can bumpversion", &datafs.UpdateOptions{Bump: "minor"})
	versions, err = archive.Versions(ctx)
	check(err)
	fmt.Println(versions)

	latest, err := archive.LatestVersion(ctx)
	check(err)
	fmt.Println(latest)
	// Output:
	// [0.0.1a1]
	// [0.0.1a1 0.1]
	// 0.1
}

// The checksum is the BLAKE3 of the contents, as b3sum prints it.
func ExampleArchive_LatestHash() {
	api, done := openExample("")
	defer done()
	archive, err := api.Create(ctx, "sample_archive", nil)
	check(err)
	write(archive, "this is a sample archive", nil)

	hash, err := archive.LatestHash(ctx)
	check(err)
	fmt.Println(hash.Algorithm, hash.Checksum)
	// Output: blake3 61fcf04d90f8f7844edeabf3a9e6cd1fdc9d6ec8712b9f85b23c61fa26f5ec26
}

// A handle may have a default version for reads.
func ExampleAPI_Archive() {
	api, done := openExample("")
	defer done()
	archive, err := api.Create(ctx, "sample_archive", nil)
	check(err)
	write(archive, "this is a sample archive", &datafs.UpdateOptions{Prerelease: "alpha"})
	write(archive, "Sample archive with more text so we can bumpversion", &datafs.UpdateOptions{Bump: "minor"})

	first, err := api.Archive(ctx, "sample_archive", &datafs.ArchiveOptions{DefaultVersion: "0.0.1a1"})
	check(err)
	fmt.Println(read(first))
	// Output: this is a sample archive
}

func ExampleArchive_History() {
	api, done := openExample("api: {user_config: {username: My Name}}")
	defer done()
	archive, err := api.Create(ctx, "sample_archive", nil)
	check(err)
	write(archive, "this is a sample archive", &datafs.UpdateOptions{Message: new("first data")})

	history, err := archive.History(ctx)
	check(err)
	for _, record := range history {
		fmt.Println(record.Version, record.Time.Format("20060102-150405"), record.UserConfig["username"], *record.Message)
	}
	// Output: 0.0.1 20171118-120000 My Name first data
}

// An archive that is not versioned keeps its latest contents only.
func ExampleCreateOptions_unversioned() {
	api, done := openExample("")
	defer done()
	archive, err := api.Create(ctx, "scratch", &datafs.CreateOptions{Unversioned: true})
	check(err)
	write(archive, "one", nil)
	write(archive, "two", nil)

	fmt.Println(read(archive))
	_, err = archive.Open(ctx, &datafs.OpenOptions{Version: "latest"})
	fmt.Println(err)
	// Output:
	// two
	// Cannot specify version on an unversioned archive.
}

func ExampleArchive_Diff() {
	api, done := openExample("")
	defer done()
	archive, err := api.Create(ctx, "sample_archive", nil)
	check(err)
	write(archive, "one", nil)
	write(archive, "three", nil)

	diff, err := archive.Diff(ctx, "0.0.1", "")
	check(err)
	for change, err := range diff.Files(ctx) {
		check(err)
		fmt.Printf("%d bytes became %d\n", change.Old.Size, change.New.Size)
	}
	// Output: 3 bytes became 5
}
