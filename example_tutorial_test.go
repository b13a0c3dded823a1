package datafs_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/datafs/datafs"
	"github.com/datafs/datafs/remote/config"
)

// DataFS on one machine, from the first archive to the last.
func Example_local() {
	api, done := openExample("api: {user_config: {username: My Name, contact: my.email@example.com}}")
	defer done()

	_, err := api.Create(ctx, "my_first_archive", &datafs.CreateOptions{
		Metadata: map[string]string{"description": "My test data archive"},
	})
	check(err)
	archive, err := api.Archive(ctx, "my_first_archive", nil)
	check(err)
	metadata, err := archive.Metadata(ctx)
	check(err)
	fmt.Println(metadata["description"])

	// Add a file, which goes away with Remove.
	check(os.WriteFile("test.txt", []byte("this is a test"), 0o644))
	_, err = archive.Update(ctx, "test.txt", &datafs.UpdateOptions{Remove: true})
	check(err)
	_, err = os.Stat("test.txt")
	fmt.Println(read(archive), errors.Is(err, fs.ErrNotExist))

	// Open the archive and write to it.
	w, err := archive.OpenWriter(ctx, "w+", nil)
	check(err)
	defer w.Close()
	fmt.Fprint(w, "this is the next test")
	_, err = w.Commit(ctx)
	check(err)
	fmt.Println(read(archive))

	check(archive.Delete(ctx))
	_, err = api.Archive(ctx, "my_first_archive", nil)
	fmt.Println(err)
	// Output:
	// My test data archive
	// this is a test true
	// this is the next test
	// Archive "my_first_archive" not found
}

// What is read is kept in the repository, which is the cache.
func Example_caching() {
	api, done := openExample(`
authorities: {local: {service: OSFS, args: [data]}}
cache: {service: OSFS, args: [cache]}
`)
	defer done()
	archive, err := api.Create(ctx, "caching/archive.txt", nil)
	check(err)
	write(archive, "hello", nil)

	check(archive.Cache(ctx, "latest"))
	fmt.Println(archive.IsCached(ctx, "latest"))
	fmt.Println(read(archive))
	// Output:
	// true <nil>
	// hello
}

const teamConfig = `
default-profile: example
profiles:
    example:
        api:
            user_config:
                contact: me@email.com
                username: My Name
        authorities:
            local:
                service: OSFS
                args: [example_data_dir]
            remote:
                service: S3FS
                args: ['test-bucket']
        manager:
            class: EmbeddedManager
            kwargs:
                table_name: my-test-data
`

// A table of its own has rules that hold for everyone. With DynamoDBManager or
// MongoDBManager, and the Kinds of package remote/all, it is the team's.
func Example_team() {
	api, done := openExample(teamConfig)
	defer done()

	// The administrator.
	check(api.CreateTable(ctx, "my-test-data"))
	check(api.RequireUserConfig(ctx, map[string]*string{
		"username": new("your full name"),
		"contact":  new("your email address"),
	}))
	check(api.RequireMetadata(ctx, map[string]*string{
		"description": new("a long description of the archive"),
	}))

	// A user.
	archive, err := api.Create(ctx, "archive1", &datafs.CreateOptions{
		Authority: "local",
		Metadata:  map[string]string{"description": "my new archive"},
	})
	fmt.Println(archive, err)
	_, err = api.Create(ctx, "archive2", &datafs.CreateOptions{Authority: "local"})
	fmt.Println(err)
	for name, err := range api.Filter(ctx, nil) {
		fmt.Println(name, err)
	}

	// The end of it.
	check(api.Delete(ctx, "archive1"))
	check(api.DeleteTable(ctx, "my-test-data"))
	// Output:
	// <DataArchive local://archive1> <nil>
	// Required value "description" not found. Use helper=True or the --helper flag for assistance.
	// archive1 <nil>
}

// Names are normalised: all of these are one archive.
func Example_names() {
	api, done := openExample("")
	defer done()
	_, err := api.Create(ctx, "team/data.csv", nil)
	check(err)

	for _, name := range []string{"team/data.csv", "/team/data.csv", "local://team/data.csv", "team//x/.././data.csv/"} {
		archive, err := api.Archive(ctx, name, nil)
		check(err)
		fmt.Println(archive.Name())
	}
	fmt.Println(names(api.Filter(ctx, &datafs.FilterOptions{Prefix: "/team/da"})))
	fmt.Println(names(api.Filter(ctx, &datafs.FilterOptions{Prefix: "local://team"})))

	_, err = api.Create(ctx, "../data.csv", nil)
	fmt.Println(err)
	_, err = api.Create(ctx, `!!!\~`, nil)
	fmt.Println(err)
	// Output:
	// team/data.csv
	// team/data.csv
	// team/data.csv
	// team/data.csv
	// [team/data.csv]
	// []
	// Too many backrefs in '../data.csv'
	// Path contains invalid characters: !!!\~
}

// Names without an archive are left out. Each may have a default version.
func ExampleAPI_Archives() {
	api, done := openExample("")
	defer done()
	for _, name := range []string{"archive1", "archive2"} {
		archive, err := api.Create(ctx, name, nil)
		check(err)
		write(archive, "old", nil)
		write(archive, "new", nil)
	}

	names := []string{"archive1", "archive2", "archive3"}
	archives, err := api.Archives(ctx, names, map[string]string{"archive2": "0.0.1"})
	check(err)
	fmt.Println(len(archives), read(archives["archive1"]), read(archives["archive2"]))
	// Output: 2 new old
}

// A configuration can come from anywhere. Profile chooses one of its profiles.
func ExampleOpen() {
	dir, leave := enterTempDir()
	defer leave()
	config := strings.NewReader(`
default-profile: my-data
profiles:
    my-data:
        authorities:
            local:
                service: OSFS
                args: [` + dir + `]
    other: {}
`)
	api, err := datafs.Open(ctx, &datafs.Options{Config: config, Profile: "my-data", Repo: dir + "/repo"})
	check(err)
	defer api.Close()

	archive, err := api.Create(ctx, "my_first_archive", nil)
	check(err)
	write(archive, "hello!", nil)
	fmt.Println(read(archive))
	// Output: hello!
}

// The settings of an API can be written to a configuration file.
func ExampleAPI_MarshalConfig() {
	api, done := openExample("api: {user_config: {username: My Name, contact: me@demo.com}}")
	defer done()
	check(api.AttachAuthority("local", config.Service{Service: "OSFS", Args: []any{"/data"}}))
	check(api.AttachManager(config.Manager{
		Class:  "MongoDBManager",
		Kwargs: map[string]any{"database_name": "MyDatabase", "table_name": "DataFiles"},
	}))

	text, err := api.MarshalConfig(nil, "my-api")
	check(err)
	fmt.Print(string(text))
	// Output:
	// default-profile: my-api
	// profiles:
	//   my-api:
	//     api:
	//       user_config: {contact: me@demo.com, username: My Name}
	//     authorities:
	//       local:
	//         args: [/data]
	//         service: OSFS
	//         kwargs: {}
	//     manager:
	//       args: []
	//       class: MongoDBManager
	//       kwargs: {database_name: MyDatabase, table_name: DataFiles}
}
