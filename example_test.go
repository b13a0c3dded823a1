package datafs_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"strings"
	"time"

	"github.com/datafs/datafs"
)

var ctx = context.Background()

// openExample opens a new repository in a temporary directory, which becomes
// the working directory, so that the examples leave no trace; a program of
// yours calls datafs.Open(ctx, nil), and api.Close in the end. config is the
// text of a configuration file; the clock stands still.
func openExample(config string) (api *datafs.API, done func()) {
	dir, leave := enterTempDir()
	api, err := datafs.Open(ctx, &datafs.Options{
		Repo:   dir + "/repo",
		Config: strings.NewReader(config),
		Now:    func() time.Time { return time.Date(2017, 11, 18, 12, 0, 0, 0, time.UTC) },
	})
	check(err)
	return api, func() {
		check(api.Close())
		leave()
	}
}

func enterTempDir() (dir string, leave func()) {
	before, err := os.Getwd()
	check(err)
	dir, err = os.MkdirTemp("", "datafs-example-")
	check(err)
	check(os.Chdir(dir))
	return dir, func() {
		check(os.Chdir(before))
		check(os.RemoveAll(dir))
	}
}

func check(err error) {
	if err != nil {
		log.Panic(err)
	}
}

// write makes a version of a text.
func write(archive *datafs.Archive, text string, opts *datafs.UpdateOptions) datafs.Result {
	result, err := archive.UpdateFrom(ctx, strings.NewReader(text), opts)
	check(err)
	return result
}

// read returns the contents of the default version.
func read(archive *datafs.Archive) string {
	f, err := archive.Open(ctx, nil)
	check(err)
	defer f.Close()
	text, err := io.ReadAll(f)
	check(err)
	return string(text)
}

func Example() {
	api, done := openExample("")
	defer done()

	archive, err := api.Create(ctx, "my_first_archive", nil)
	check(err)
	check(os.WriteFile("test.txt", []byte("this is a test\n"), 0o644))
	result, err := archive.Update(ctx, "test.txt", nil)
	check(err)
	fmt.Println(archive, result.Version)

	f, err := archive.Open(ctx, nil)
	check(err)
	defer f.Close()
	_, err = io.Copy(os.Stdout, f)
	check(err)
	// Output:
	// <DataArchive local://my_first_archive> 0.0.1
	// this is a test
}
