package lockfile

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/objects"
	"github.com/datafs/datafs/refs"
)

// file checks an entry.
func (x *entryJSON) file() (f Entry, err error) {
	bad := func(what string) (Entry, error) {
		return f, leaf.Errorf(fs.ErrInvalid, "entry %q: %s", f.Path, what)
	}
	f = Entry{Path: x.Path, Kind: x.Kind, Hash: x.Hash}
	if x.Path64 != "" {
		raw, err := base64.StdEncoding.DecodeString(x.Path64)
		if err != nil || x.Path != "" {
			return bad("path_base64 is wrong")
		}
		f.Path = string(raw)
	}
	if f.Kind == "" {
		f.Kind = plainKind
	}
	if !fs.ValidPath(strings.ToValidUTF8(f.Path, "?")) || f.Path == "." || strings.ContainsRune(f.Path, 0) {
		return bad("the path is not clean")
	}
	if x.Link != nil {
		f.Link = *x.Link
	}
	if x.Link64 != nil {
		raw, err := base64.StdEncoding.DecodeString(*x.Link64)
		if err != nil || x.Link != nil {
			return bad("link_base64 is wrong")
		}
		f.Link = string(raw)
	}
	return f, x.checkKind(&f)
}

// checkKind checks that an entry has what its kind has, and nothing else.
func (x *entryJSON) checkKind(f *Entry) error {
	bad := func(what string) error { return leaf.Errorf(fs.ErrInvalid, "entry %q: %s", f.Path, what) }
	switch f.Kind {
	case objects.KindFile.String(), objects.KindExec.String():
		if x.Size == nil || *x.Size < 0 {
			return bad("a file needs a size that is not negative")
		}
		if f.Size = *x.Size; f.Link != "" {
			return bad("a file has no link")
		}
		return inEntry(f.Path, checkHex("blake3", f.Hash))
	case objects.KindSymlink.String():
		if err := objects.CheckLink(f.Path, f.Link); err != nil {
			return bad(err.Error())
		}
	case objects.KindDir.String():
		if f.Link != "" {
			return bad("a directory has no link")
		}
	default:
		return bad(fmt.Sprintf("unknown kind %q", f.Kind))
	}
	if x.Size != nil || f.Hash != "" {
		return bad("only files have a size and a hash")
	}
	return nil
}

func inEntry(path string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("entry %q: %w", path, err)
}

// checkHex checks a hash, which must be written in one way only.
func checkHex(what, s string) error {
	id, err := objects.ParseID(s)
	if err != nil || id.String() != s || id.IsZero() {
		return leaf.Errorf(fs.ErrInvalid, "%s %.80q is no hash of 64 hexadecimal digits", what, s)
	}
	return nil
}

// check checks an archive's fields against each other.
func (l *Archive) check(sum *entrySum) error {
	prefix, name, err := refs.ParseName(l.Archive)
	if err != nil {
		return err
	}
	if prefix != "" || name != l.Archive {
		return leaf.Errorf(fs.ErrInvalid, "the name is not in its normal form, %q", name)
	}
	if err := refs.CheckAuthorityName(l.Authority); err != nil {
		return err
	}
	if l.Version != "" {
		v, err := refs.ParseVersion(l.Version)
		if err != nil {
			return err
		}
		if v.String() != l.Version {
			return leaf.Errorf(fs.ErrInvalid, "version %q is not in its normal form, %q", l.Version, v)
		}
	}
	if err := errors.Join(checkHex("tree", l.Tree), checkHex("blake3", l.Hash)); err != nil {
		return err
	}
	return l.checkCounts(sum)
}

func (l *Archive) checkCounts(sum *entrySum) error {
	switch {
	case l.Size < 0 || l.Count < 0:
		return leaf.Errorf(fs.ErrInvalid, "size and files must not be negative")
	case l.Dir && !sum.listed:
		return leaf.Errorf(fs.ErrInvalid, "it is a directory, and has no entries")
	case !l.Dir && (sum.listed || l.Count != 1):
		return leaf.Errorf(fs.ErrInvalid, "it is a single file, and has entries, or not one file")
	case l.Dir && sum.files != l.Count:
		return leaf.Errorf(fs.ErrInvalid, "it has %d files, but its entries are %d", l.Count, sum.files)
	case l.Dir && sum.size != l.Size:
		return leaf.Errorf(fs.ErrInvalid, "its entries have %d bytes, and its size is %d", sum.size, l.Size)
	case l.Dir && l.Hash != l.Tree:
		return leaf.Errorf(fs.ErrInvalid, "blake3 and tree of a directory differ")
	}
	return nil
}
