package datafs_test

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/datafs/datafs"
)

// show prints dependencies in the order of the names.
func show(deps datafs.Dependencies, err error) {
	check(err)
	names := slices.Sorted(maps.Keys(deps))
	for i, name := range names {
		if version := deps[name]; version != nil {
			names[i] += "==" + *version
		}
	}
	fmt.Println(names)
}

// Each version has its own dependencies. nil is any version. They are not
// validated: neither the archive nor the version need exist.
func ExampleArchive_Dependencies() {
	api, done := openExample("")
	defer done()
	archive, err := api.Create(ctx, "my_archive", nil)
	check(err)

	write(archive, "contents depend on archive 2 v1.1", &datafs.UpdateOptions{
		Dependencies: datafs.Dependencies{"archive2": new("1.1"), "archive3": nil},
	})
	show(archive.Dependencies(ctx, ""))

	write(archive, "contents depend on archive 2 v1.2", &datafs.UpdateOptions{
		Dependencies: datafs.Dependencies{"archive2": new("1.2")},
	})
	show(archive.Dependencies(ctx, ""))
	show(archive.Dependencies(ctx, "0.0.1"))
	// Output:
	// [archive2==1.1 archive3]
	// [archive2==1.2]
	// [archive2==1.1 archive3]
}

// Dependencies can be set on the latest version after it was written.
func ExampleArchive_SetDependencies() {
	api, done := openExample("")
	defer done()
	archive, err := api.Create(ctx, "my_archive", nil)
	check(err)
	write(archive, "contents depend on archive 2 v1.2", nil)

	deps, err := datafs.ParseDependencies([]string{"archive2==1.2", "archive3"})
	check(err)
	check(archive.SetDependencies(ctx, deps))
	show(archive.Dependencies(ctx, ""))
	// Output: [archive2==1.2 archive3]
}

// The requirements file is requirements_data.txt in the working directory, or
// the one that Options.Requirements names. It pins what is read, and is what
// new versions depend on.
func ExampleOptions_requirements() {
	dir, leave := enterTempDir()
	defer leave()
	check(os.WriteFile("requirements_data.txt", []byte("dep1==1.0\ndep2==0.4.1a3\n"), 0o644))

	api, err := datafs.Open(ctx, &datafs.Options{
		Requirements: "requirements_data.txt",
		Repo:         dir + "/repo",
		Config:       strings.NewReader(""),
	})
	check(err)
	defer api.Close()

	archive, err := api.Create(ctx, "my_archive", nil)
	check(err)
	write(archive, "depends on dep1 and dep2", nil)
	show(archive.Dependencies(ctx, ""))

	dep1, err := api.Create(ctx, "dep1", nil)
	check(err)
	write(dep1, "not finished", &datafs.UpdateOptions{Bump: "major", Prerelease: "alpha"})
	write(dep1, "the pinned version", &datafs.UpdateOptions{Bump: "minor"})
	write(dep1, "the latest version", nil)
	pin, err := dep1.DefaultVersion()
	check(err)
	fmt.Println(pin, read(dep1))
	// Output:
	// [dep1==1.0 dep2==0.4.1a3]
	// 1.0 the pinned version
}
