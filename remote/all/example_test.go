package all_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/datafs/datafs"
	"github.com/datafs/datafs/remote/all"
)

// A program that opens what a configuration names in S3, MongoDB and DynamoDB, as the
// command does. Nothing is asked of them before something is pushed or read.
func Example() {
	ctx := context.Background()
	for _, manager := range []string{
		"mongodb://localhost:27017/lab?table=climate",
		"dynamodb://climate?region=eu-central-1",
	} {
		api, err := datafs.Open(ctx, &datafs.Options{
			Kinds: all.Kinds(),
			Repo:  repository,
			Config: strings.NewReader(`
authorities: {team: "s3://bucket/prefix?region=eu-central-1"}
manager: "` + manager + `"
`),
		})
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(api.Authorities(), api.Manager().URL, api.Table())
		if err := api.Close(); err != nil {
			fmt.Println(err)
		}
	}
	// Output:
	// [team] mongodb://localhost:27017/lab?table=climate climate
	// [team] dynamodb://climate?region=eu-central-1 climate
}
