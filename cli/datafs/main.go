// Command datafs is a package manager for data.
package main

import (
	"os"

	"github.com/datafs/datafs/cli"
)

func main() { os.Exit(cli.Main()) }
