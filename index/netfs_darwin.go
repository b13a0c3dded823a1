package index

import "golang.org/x/sys/unix"

func networkFS(path string) (string, bool) {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return "", false
	}
	kind := unix.ByteSliceToString(st.Fstypename[:])
	return kind, st.Flags&unix.MNT_LOCAL == 0 || networkKind(kind)
}
