package index

import (
	"os"
	"path/filepath"
	"strings"
)

// NetworkFS tells the kind of filesystem that path lies on, as far as the
// platform names it, and whether it is one that other machines may share: nfs,
// cifs, smb, lustre, gpfs, ceph, fuse filesystems that are not known to be
// local, and their like. The index must not lie there: locks and mappings do
// not hold between machines. A path that does not exist lies where its nearest
// existing parent does. Where the platform cannot tell, network is false.
func NetworkFS(path string) (kind string, network bool) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", false
	}
	for {
		if _, err := os.Stat(path); err == nil {
			return networkFS(path)
		}
		parent := filepath.Dir(path)
		if parent == path {
			return "", false
		}
		path = parent
	}
}

// networkKind tells by a filesystem's name whether it is shared.
func networkKind(kind string) bool {
	base, sub, _ := strings.Cut(kind, ".")
	switch base {
	case "nfs", "nfs4", "cifs", "smb", "smb2", "smb3", "smbfs", "ncpfs", "afs", "afpfs", "coda", "ceph", "lustre", "gpfs",
		"beegfs", "panfs", "orangefs", "pvfs2", "ocfs2", "gfs2", "acfs", "ibrix", "wekafs", "webdav", "ftp",
		"9p", "virtiofs", "vboxsf", "vmhgfs", "prl_fs", "glusterfs":
		return true
	case "fuse", "macfuse", "osxfuse":
		return !localFuse(sub)
	}
	return false
}

// localFuse names the fuse filesystems that only change the form of a local
// directory or device.
func localFuse(sub string) bool {
	switch sub {
	case "ntfs-3g", "ntfs", "exfat", "ext2", "gocryptfs", "encfs", "cryfs", "securefs", "mergerfs", "mhddfs", "unionfs",
		"bindfs", "fuse-overlayfs", "overlayfs", "lxcfs", "apfs-fuse", "squashfuse", "zfs-fuse", "fuseiso", "archivemount":
		return true
	}
	return false
}
