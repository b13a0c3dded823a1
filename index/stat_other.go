//go:build !linux && !darwin && !freebsd && !netbsd

package index

import "io/fs"

func (st *Stat) platform(fs.FileInfo) {}
