package datafs_test

import (
	"archive/zip"
	"fmt"
	"io"
	"os"

	"github.com/datafs/datafs"
)

// A file's contents become the next version. Unchanged contents make none.
func ExampleArchive_Update() {
	api, done := openExample("")
	defer done()
	sample, err := api.Create(ctx, "sample_archive", nil)
	check(err)

	for _, text := range []string{
		"this is a sample archive",
		"this is a sample archive with some more information",
		"this is a sample archive with some more information",
	} {
		check(os.WriteFile("sample.txt", []byte(text), 0o644))
		result, err := sample.Update(ctx, "sample.txt", nil)
		check(err)
		fmt.Println(result.Version, result.Created)
	}
	fmt.Println(read(sample))
	// Output:
	// 0.0.1 true
	// 0.0.2 true
	// 0.0.2 false
	// this is a sample archive with some more information
}

func ExampleArchive_Open() {
	api, done := openExample("")
	defer done()
	archive, err := api.Create(ctx, "sample_archive", nil)
	check(err)
	write(archive, "this is a sample archive", nil)

	f, err := archive.Open(ctx, nil)
	check(err)
	defer f.Close()
	part := make([]byte, 6)
	_, err = f.ReadAt(part, 10) // reads only what it needs
	check(err)
	fmt.Printf("%s of %d bytes\n", part, f.Size())
	// Output: sample of 24 bytes
}

// OpenWriter takes the modes of C's fopen.
func ExampleArchive_OpenWriter() {
	api, done := openExample("")
	defer done()
	archive, err := api.Create(ctx, "sample_archive", nil)
	check(err)
	write(archive, "first line\n", nil)

	w, err := archive.OpenWriter(ctx, "a", nil)
	check(err)
	defer w.Close() // discards what was not committed
	fmt.Fprintln(w, "second line")
	result, err := w.Commit(ctx)
	check(err)

	fmt.Println(result.Version)
	fmt.Print(read(archive))
	// Output:
	// 0.0.2
	// first line
	// second line
}

func ExampleArchive_Download() {
	api, done := openExample("")
	defer done()
	archive, err := api.Create(ctx, "sample_archive", nil)
	check(err)
	write(archive, "this is a sample archive", nil)

	version, err := archive.Download(ctx, "path_to_sample.txt", &datafs.DownloadOptions{Version: "latest"})
	check(err)
	text, err := os.ReadFile("path_to_sample.txt")
	check(err)
	fmt.Printf("%s: %s\n", version, text)
	// Output: 0.0.1: this is a sample archive
}

// LocalPath is for packages that want a file's path, as those for netCDF do; in
// this example it is archive/zip.
func ExampleArchive_LocalPath() {
	api, done := openExample("")
	defer done()
	archive, err := api.Create(ctx, "streaming_archive.zip", nil)
	check(err)

	local, err := archive.LocalPath(ctx, nil)
	check(err)
	defer local.Close() // discards what was not committed
	writeZip(local.Path(), "version 1")
	_, err = local.Commit(ctx)
	check(err)

	// To change it, start from what is there.
	local, err = archive.LocalPath(ctx, nil)
	check(err)
	defer local.Close()
	fmt.Println("was", readZip(local.Path()))
	writeZip(local.Path(), "version 2")
	result, err := local.Commit(ctx)
	check(err)
	fmt.Println("made", result.Version)

	// To read only, do not commit.
	local, err = archive.LocalPath(ctx, nil)
	check(err)
	fmt.Println("is", readZip(local.Path()))
	check(local.Close())
	// Output:
	// was version 1
	// made 0.0.2
	// is version 2
}

func writeZip(path, comment string) {
	f, err := os.Create(path)
	check(err)
	z := zip.NewWriter(f)
	check(z.SetComment(comment))
	check(z.Close())
	check(f.Close())
}

func readZip(path string) (comment string) {
	z, err := zip.OpenReader(path)
	check(err)
	defer z.Close()
	return z.Comment
}

// A directory is an archive too: a Zarr store, for example.
func ExampleArchive_Entries() {
	api, done := openExample("")
	defer done()
	check(os.MkdirAll("store.zarr/tas/c", 0o755))
	check(os.WriteFile("store.zarr/zarr.json", []byte(`{"zarr_format": 3}`), 0o644))
	check(os.WriteFile("store.zarr/tas/c/0", []byte("a chunk"), 0o644))

	archive, err := api.Create(ctx, "store.zarr", nil)
	check(err)
	_, err = archive.Update(ctx, "store.zarr", nil)
	check(err)

	for entry, err := range archive.Entries(ctx, "latest") {
		check(err)
		fmt.Println(entry.Path, entry.Size)
	}
	f, err := archive.Open(ctx, &datafs.OpenOptions{Path: "tas/c/0"})
	check(err)
	defer f.Close()
	chunk, err := io.ReadAll(f)
	check(err)
	fmt.Printf("%s\n", chunk)
	// Output:
	// tas/c/0 7
	// zarr.json 18
	// a chunk
}

// Keys that are given are set, others stay; nil removes one.
func ExampleArchive_UpdateMetadata() {
	api, done := openExample("")
	defer done()
	archive, err := api.Create(ctx, "sample_archive", &datafs.CreateOptions{
		Metadata: map[string]string{"description": "metadata for your archive", "draft": "yes"},
	})
	check(err)

	check(archive.UpdateMetadata(ctx, map[string]*string{"source": new("Burke et al (2015)"), "draft": nil}))
	metadata, err := archive.Metadata(ctx)
	check(err)
	fmt.Println(metadata)
	// Output: map[description:metadata for your archive source:Burke et al (2015)]
}
