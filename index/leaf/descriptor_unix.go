//go:build unix

package leaf

import (
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// maxDescriptorLinks is how many symbolic links lead to a descriptor at most.
const maxDescriptorLinks = 40

// Descriptor returns the number of the file that the process has open and that a
// name stands for: /dev/stdin, /dev/stdout, /dev/stderr, /dev/fd/N (which shells
// make of <(COMMAND)), /proc/self/fd/N, or a link to one of these. To open such
// a name may open the file behind it again, at its beginning.
func Descriptor(name string) (fd int, ok bool) {
	for range maxDescriptorLinks {
		dir, err := filepath.EvalSymlinks(filepath.Dir(name))
		if err != nil {
			return 0, false
		}
		name = filepath.Join(dir, filepath.Base(name))
		if fd, ok := descriptorNamed(name); ok {
			return fd, true
		}
		to, err := os.Readlink(name)
		if err != nil {
			return 0, false
		}
		if !filepath.IsAbs(to) {
			to = filepath.Join(dir, to)
		}
		name = to
	}
	return 0, false
}

// descriptorNamed reads a name in whose directory there are no links any more.
func descriptorNamed(name string) (fd int, ok bool) {
	switch name {
	case "/dev/stdin":
		return 0, true
	case "/dev/stdout":
		return 1, true
	case "/dev/stderr":
		return 2, true
	}
	dir, base := filepath.Split(name)
	own := "/proc/" + strconv.Itoa(os.Getpid())
	thread, _ := filepath.Match(own+"/task/*/fd/", dir)
	if dir != "/dev/fd/" && dir != own+"/fd/" && !thread {
		return 0, false
	}
	n, err := strconv.ParseUint(base, 10, 31)
	return int(n), err == nil
}

// duplicate refuses what this program has opened itself: that is closed on exec,
// so nobody can have given it.
func duplicate(fd int, name string) (*os.File, error) {
	if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC != 0 {
		return nil, fs.ErrNotExist
	}
	n, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(n), name), nil
}
