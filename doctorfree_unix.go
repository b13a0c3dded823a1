//go:build linux || darwin || freebsd

package datafs

import "golang.org/x/sys/unix"

// freeSpace gives the bytes that the user may still write at path.
func freeSpace(path string) (free int64, known bool) {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return 0, false
	}
	return int64(st.Bavail) * int64(st.Bsize), true
}
