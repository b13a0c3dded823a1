//go:build !unix

package index

// readOnlyFS tells that an error comes from a filesystem that nobody can write.
func readOnlyFS(error) bool { return false }
