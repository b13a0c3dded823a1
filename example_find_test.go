package datafs_test

import (
	"fmt"

	"github.com/datafs/datafs"
)

// Archives with slashes in their names can be walked like directories. Below
// the full name of a versioned archive are its versions.
func ExampleAPI_ListDir() {
	api, done := openExample("")
	defer done()
	for _, name := range []string{
		"impactlab/labor/global/labor_glob_day.csv",
		"impactlab/climate/tas/tas_day.csv",
		"impactlab/conflict/global/conflict_glob_day.csv",
		"impactlab/mortality/global/mortality_glob_day.csv",
	} {
		archive, err := api.Create(ctx, name, nil)
		check(err)
		write(archive, "data", nil)
	}

	for _, location := range []string{
		"",
		"impactlab",
		"impactlab/conflict",
		"impactlab/conflict/global",
		"impactlab/conflict/global/conflict_glob_day.csv",
	} {
		below, err := api.ListDir(ctx, location, "")
		check(err)
		fmt.Println(below)
	}
	// Output:
	// [impactlab]
	// [climate conflict labor mortality]
	// [global]
	// [conflict_glob_day.csv]
	// [0.0.1]
}

// openProjects makes 125 archives, tagged with one of three teams.
func openProjects() (api *datafs.API, done func()) {
	api, done = openExample("")
	for i := range 125 {
		tag := "team3"
		if i%3 == 0 {
			tag = "team1"
		} else if i%2 == 0 {
			tag = "team2"
		}
		name := fmt.Sprintf("project%d_variable%d_scenario%d.nc", i/25+1, i/5%5+1, i%5+1)
		tagged(api, name, tag)
	}
	return api, done
}

func ExampleAPI_Filter() {
	api, done := openProjects() // 125 archives
	defer done()

	print := func(opts *datafs.FilterOptions) {
		for name, err := range api.Filter(ctx, opts) {
			check(err)
			fmt.Println(name)
		}
	}
	print(&datafs.FilterOptions{Prefix: "project1_variable1_"})
	print(&datafs.FilterOptions{Pattern: "*_variable4_scenario4.nc", Engine: "path"})

	count := 0
	for _, err := range api.Filter(ctx, &datafs.FilterOptions{Pattern: "variable2", Engine: "str"}) {
		check(err)
		count++
	}
	fmt.Println(count, "with variable2")
	print(&datafs.FilterOptions{Pattern: "^project[12]_.*5_scenario5", Engine: "regex"})
	// Output:
	// project1_variable1_scenario1.nc
	// project1_variable1_scenario2.nc
	// project1_variable1_scenario3.nc
	// project1_variable1_scenario4.nc
	// project1_variable1_scenario5.nc
	// project1_variable4_scenario4.nc
	// project2_variable4_scenario4.nc
	// project3_variable4_scenario4.nc
	// project4_variable4_scenario4.nc
	// project5_variable4_scenario4.nc
	// 25 with variable2
	// project1_variable5_scenario5.nc
	// project2_variable5_scenario5.nc
}

// Without tags, Search lists all archives, as Filter does.
func ExampleAPI_Search_teams() {
	api, done := openProjects() // 125 archives
	defer done()

	for _, tags := range [][]string{nil, {"team3"}, {"team1"}} {
		var found []string
		for name, err := range api.Search(ctx, "", tags...) {
			check(err)
			found = append(found, name)
		}
		fmt.Println(len(found), found[:2])
	}

	archive, err := api.Archive(ctx, "project1_variable1_scenario2.nc", nil)
	check(err)
	fmt.Println(archive.Tags(ctx))
	// Output:
	// 125 [project1_variable1_scenario1.nc project1_variable1_scenario2.nc]
	// 41 [project1_variable1_scenario2.nc project1_variable2_scenario1.nc]
	// 42 [project1_variable1_scenario1.nc project1_variable1_scenario4.nc]
	// [team3] <nil>
}
