package index

import (
	"path/filepath"
	"testing"
)

func TestNetworkFilesystemsAreToldByTheirNames(t *testing.T) {
	for kind, want := range map[string]bool{
		"nfs": true, "nfs4": true, "cifs": true, "smb2": true, "lustre": true, "gpfs": true, "ceph": true, "9p": true,
		"virtiofs": true, "fuse": true, "fuse.sshfs": true, "fuse.glusterfs": true, "fuse.s3fs": true,
		"ext4": false, "xfs": false, "btrfs": false, "tmpfs": false, "overlay": false, "apfs": false, "0x1234": false, "": false,
		"fuseblk": false, "fuse.gocryptfs": false, "fuse.mergerfs": false,
	} {
		if got := networkKind(kind); got != want {
			t.Errorf("%q: got %v, want %v", kind, got, want)
		}
	}
}

func TestAPathThatDoesNotExistLiesWhereItsParentDoes(t *testing.T) {
	dir := t.TempDir()
	kind, network := NetworkFS(dir)
	if network {
		t.Skipf("the temporary directory lies on %s", kind)
	}
	if got, net := NetworkFS(filepath.Join(dir, "no", "such", "file")); got != kind || net {
		t.Errorf("got %q, %v, want %q", got, net, kind)
	}
}
