package index

import (
	"path/filepath"
	"strings"

	"golang.org/x/sys/windows"
)

func networkFS(path string) (string, bool) {
	root := filepath.VolumeName(path) + `\`
	if strings.HasPrefix(root, `\\`) && !strings.HasPrefix(root, `\\?\`) && !strings.HasPrefix(root, `\\.\`) {
		return "smb", true
	}
	name, err := windows.UTF16PtrFromString(root)
	if err != nil {
		return "", false
	}
	if windows.GetDriveType(name) == windows.DRIVE_REMOTE {
		return "remote", true
	}
	return "", false
}
