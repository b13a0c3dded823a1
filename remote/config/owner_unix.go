//go:build unix

package config

import (
	"io/fs"
	"os"
	"strconv"
	"syscall"
)

// ownerOf returns the number of the user that a file belongs to, "" where the
// system does not say.
func ownerOf(fi fs.FileInfo) string {
	if st, ok := fi.Sys().(*syscall.Stat_t); ok {
		return strconv.FormatUint(uint64(st.Uid), 10)
	}
	return ""
}

// othersWrite reports whether others than its owner can write a file.
func othersWrite(fi fs.FileInfo) bool { return fi.Mode().Perm()&0o022 != 0 }

// thisUser is the number of the user that this program runs as.
func thisUser() string { return strconv.Itoa(os.Geteuid()) }

// giveAway leaves a file that root has written in a user's directory to that
// user, who could not read it otherwise.
func giveAway(file, dir string) {
	fi, err := os.Stat(dir)
	if err != nil || os.Geteuid() != 0 {
		return
	}
	if st, ok := fi.Sys().(*syscall.Stat_t); ok {
		_ = os.Lchown(file, int(st.Uid), int(st.Gid))
	}
}
