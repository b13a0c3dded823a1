package datafs

import "golang.org/x/sys/windows"

// freeSpace gives the bytes that the user may still write at path.
func freeSpace(path string) (free int64, known bool) {
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return 0, false
	}
	var bytes uint64
	if err := windows.GetDiskFreeSpaceEx(name, &bytes, nil, nil); err != nil {
		return 0, false
	}
	return int64(bytes), true
}
