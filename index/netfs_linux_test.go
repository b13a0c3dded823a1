package index

import "testing"

func TestMagicNumbersNameTheirFilesystems(t *testing.T) {
	for magic, want := range map[uint32]string{0x6969: "nfs", 0xFF534D42: "cifs", 0x47504653: "gpfs", 0x0BD00BD0: "lustre", 0xEF53: "ext4", 0x42: "0x42"} {
		if got := linuxKind(magic); got != want {
			t.Errorf("%#x: got %q, want %q", magic, got, want)
		}
	}
}

func TestTheMountTableNamesFuseFilesystems(t *testing.T) {
	const table = `21 28 0:20 / /sys rw,nosuid shared:7 - sysfs sysfs rw
88 28 0:45 / /mnt/a rw,nosuid,nodev shared:39 - fuse.sshfs user@host:/data rw,user_id=0
89 28 0:46 / /mnt/with\040space rw - virtiofs share rw
broken
`
	for dev, want := range map[string]string{"0:45": "fuse.sshfs", "0:46": "virtiofs", "0:20": "sysfs", "0:4": "fuse"} {
		if got := mountKind(table, dev); got != want {
			t.Errorf("%s: got %q, want %q", dev, got, want)
		}
	}
	if got := fuseKind(t.TempDir()); got == "" {
		t.Error("the temporary directory has no kind")
	}
	if got := fuseKind("/no/such/path"); got != "fuse" {
		t.Errorf("a path that does not exist: got %q", got)
	}
}
