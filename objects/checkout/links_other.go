//go:build !unix

package checkout

import "io/fs"

// links is how many names a file has, as far as one can tell here.
func links(fs.FileInfo) uint64 { return 1 }
