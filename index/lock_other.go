//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package index

import "os"

// readOnlyFS tells that an error comes from a filesystem that nobody can write.
func readOnlyFS(error) bool { return false }

// abandon closes a file that bbolt has locked and mapped.
func abandon(f *os.File) {
	if f != nil {
		f.Close()
	}
}
