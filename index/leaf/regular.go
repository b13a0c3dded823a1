package leaf

import (
	"io/fs"
	"os"
)

// OpenRegular opens a file that is read to its end before anything is done: a
// configuration, requirements, a lock. What is no regular file is refused
// unopened, since a pipe would be waited for and a device may never end. The
// null device is an empty file, as elsewhere; what the process was given open,
// such as /dev/stdin or <(COMMAND), the caller has meant.
func OpenRegular(path string) (*os.File, error) {
	fi, err := os.Stat(path)
	if err != nil || fi.Mode().IsRegular() || isNullDevice(fi) {
		return os.Open(path)
	}
	if fd, ok := Descriptor(path); ok && !fi.IsDir() {
		return OpenDescriptor(fd, path)
	}
	return nil, Errorf(fs.ErrInvalid, "%s is a %s, not a file", path, KindOf(fi.Mode()))
}

// isNullDevice says whether a file is the null device.
func isNullDevice(fi fs.FileInfo) bool {
	if fi.Mode()&fs.ModeDevice == 0 {
		return false
	}
	null, err := os.Stat(os.DevNull)
	return err == nil && os.SameFile(fi, null)
}

// OpenDescriptor opens again, at the same place, what the process was given open.
func OpenDescriptor(fd int, name string) (*os.File, error) {
	f, err := duplicate(fd, name)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return f, nil
}

// KindOf returns what people call a file that is not regular, such as "named pipe".
func KindOf(m fs.FileMode) string {
	switch {
	case m.IsDir():
		return "directory"
	case m&fs.ModeNamedPipe != 0:
		return "named pipe"
	case m&fs.ModeSocket != 0:
		return "socket"
	case m&fs.ModeDevice != 0:
		return "device"
	}
	return "special file"
}
