package checkout

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/objects"
)

func someManifest() *manifest {
	a, b := objects.Hash([]byte("a")), objects.Hash([]byte("b"))
	return &manifest{
		dirs: []string{"d", "d/sub", "x"},
		archives: []checkedArchive{
			{name: "d", version: "1.0", tree: a, dir: true, files: []checkedFile{
				{path: "empty", identity: identity{kind: objects.KindDir}},
				{path: "link", identity: identity{kind: objects.KindSymlink, link: "sub/f"}},
				{path: "sub/f", size: 5, identity: identity{kind: objects.KindExec, hash: b}, found: true, at: 99,
					stat: index.Stat{Size: 5, MTime: -1, CTime: 1 << 60, Dev: 3, Inode: 1 << 63}},
				{path: "z", size: 1, left: true, identity: identity{kind: objects.KindFile, hash: a}, was: &identity{kind: objects.KindFile, hash: b}},
			}},
			{name: "x/y.nc", tree: b, files: []checkedFile{{size: 7, identity: identity{kind: objects.KindFile, hash: a}}}},
		},
	}
}

func TestManifest(t *testing.T) {
	b := someManifest().encode()
	got, err := decodeManifest(b)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.encode(), b) {
		t.Error("it is not the same again")
	}
	if got, want := got.find("d").find("sub/f").cached(), someManifest().find("d").find("sub/f").cached(); got != want {
		t.Errorf("a file: got %+v, want %+v", got, want)
	}
	if got, want := *got.find("d").find("z").was, *someManifest().find("d").find("z").was; got != want {
		t.Errorf("what was there: got %+v, want %+v", got, want)
	}
	for n := range len(b) {
		if _, err := decodeManifest(b[:n]); !errors.Is(err, index.ErrCorrupt) {
			t.Fatalf("cut to %d bytes: %v", n, err)
		}
	}
}

// sealed puts a checksum behind a manifest's bytes.
func sealed(b []byte) []byte {
	sum := objects.Hash(b)
	return append(bytes.Clone(b), sum[:]...)
}

func TestBrokenManifests(t *testing.T) {
	change := func(f func(*manifest)) []byte {
		m := someManifest()
		f(m)
		return m.encode()
	}
	for _, test := range []struct {
		name, want string
		bytes      []byte
	}{
		{"nothing", "it is not a manifest of a checkout", nil},
		{"another version", "version 2 of the manifest is not known to this program (it knows 1): use a newer datafs", sealed([]byte(manifestMagic + "\x02"))},
		{"a flipped bit", "the checksum of the manifest is wrong", append(someManifest().encode()[:40], make([]byte, 100)...)},
		{"a path that leads out", `path "../x" is not clean`, change(func(m *manifest) { m.archives[0].files[0].path = "../x" })},
		{"a directory that leads out", `path "/" is not clean`, change(func(m *manifest) { m.dirs[0] = "/" })},
		{"files out of order", `files of "d" are not in order`, change(func(m *manifest) { m.archives[0].files[0].path = "zz" })},
		{"archives out of order", "archives are not in order", change(func(m *manifest) { m.archives[0].name = "y" })},
		{"directories out of order", "directories are not in order", change(func(m *manifest) { m.dirs[0] = "z" })},
		{"an unknown kind", "an unknown kind of entry", change(func(m *manifest) { m.archives[0].files[0].kind = 9 })},
		{"bytes behind the end", "bytes behind the last archive", sealed(append([]byte(manifestMagic), 1, 0, 0, 0))},
		{"a count that is too high", "there are fewer items than it says", sealed(append([]byte(manifestMagic), 1, 0xff, 0xff, 0xff, 0x7f))},
	} {
		if _, err := decodeManifest(test.bytes); err == nil || !strings.HasSuffix(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %s", test.name, err, test.want)
		}
	}
}

func FuzzDecodeManifest(f *testing.F) {
	f.Add(someManifest().encode())
	f.Add((&manifest{}).encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > len(objects.ID{}) {
			b = sealed(b[:len(b)-len(objects.ID{})]) // past the checksum
		}
		m, err := decodeManifest(b)
		if err != nil {
			return
		}
		again, err := decodeManifest(m.encode())
		if err != nil || !bytes.Equal(again.encode(), m.encode()) {
			t.Errorf("not the same again: %v", err)
		}
	})
}
