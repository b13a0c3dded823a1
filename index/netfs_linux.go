package index

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

const fuseMagic = 0x65735546

// linuxKind names the filesystems that matter by their magic numbers (statfs(2)
// and the drivers' own headers).
func linuxKind(magic uint32) string {
	switch magic {
	case 0x6969:
		return "nfs"
	case 0xFF534D42:
		return "cifs"
	case 0x517B:
		return "smb"
	case 0xFE534D42:
		return "smb2"
	case 0x564C:
		return "ncpfs"
	case 0x5346414F, 0x6B414653:
		return "afs"
	case 0x73757245:
		return "coda"
	case 0x00C36400:
		return "ceph"
	case 0x0BD00BD0:
		return "lustre"
	case 0x47504653:
		return "gpfs"
	case 0x19830326:
		return "beegfs"
	case 0xAAD7AAEA:
		return "panfs"
	case 0x20030528:
		return "pvfs2"
	case 0x7461636F:
		return "ocfs2"
	case 0x01161970:
		return "gfs2"
	case 0x61636673:
		return "acfs"
	case 0x013111A8:
		return "ibrix"
	case 0x01021997:
		return "9p"
	case 0x786F4256:
		return "vboxsf"
	case 0xBACBACBC:
		return "vmhgfs"
	case 0x7C7C6673:
		return "prl_fs"
	case fuseMagic:
		return "fuse"
	case 0xEF53:
		return "ext4"
	case 0x58465342:
		return "xfs"
	case 0x9123683E:
		return "btrfs"
	case 0x01021994:
		return "tmpfs"
	case 0x794C7630:
		return "overlay"
	case 0x2FC12FC1:
		return "zfs"
	}
	return fmt.Sprintf("%#x", magic)
}

func networkFS(path string) (string, bool) {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return "", false
	}
	kind := linuxKind(uint32(st.Type))
	if kind == "fuse" {
		kind = fuseKind(path)
	}
	return kind, networkKind(kind)
}

// fuseKind asks the mount table for the name of a fuse filesystem, such as
// fuse.sshfs, fuseblk or virtiofs: they have one magic number in common.
func fuseKind(path string) string {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return "fuse"
	}
	table, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return "fuse"
	}
	dev := strconv.Itoa(int(unix.Major(uint64(st.Dev)))) + ":" + strconv.Itoa(int(unix.Minor(uint64(st.Dev))))
	return mountKind(string(table), dev)
}

// mountKind finds the kind of the filesystem on a device in a mount table
// (proc_pid_mountinfo(5)).
func mountKind(table, dev string) string {
	for line := range strings.Lines(table) {
		mount, source, ok := strings.Cut(line, " - ")
		fields := strings.Fields(mount)
		kind, _, _ := strings.Cut(source, " ")
		if ok && len(fields) > 2 && fields[2] == dev && kind != "" {
			return kind
		}
	}
	return "fuse"
}
