//go:build darwin || freebsd || netbsd

package index

import (
	"io/fs"
	"syscall"
)

func (st *Stat) platform(fi fs.FileInfo) {
	if sys, ok := fi.Sys().(*syscall.Stat_t); ok {
		st.CTime = sys.Ctimespec.Nano()
		st.Dev, st.Inode = uint64(sys.Dev), uint64(sys.Ino)
	}
}
