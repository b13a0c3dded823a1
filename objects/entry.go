package objects

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/datafs/datafs/objects/codec"
)

// Kind is what an entry of a tree is.
type Kind uint8

// The kinds of entries.
const (
	KindFile    Kind = 1
	KindExec    Kind = 2 // a file that may be executed
	KindDir     Kind = 3 // an empty directory; others follow from the paths below them
	KindSymlink Kind = 4
)

// IsFile says whether entries of this kind have content.
func (k Kind) IsFile() bool { return k == KindFile || k == KindExec }

// Entry is one line of a tree. A tree that is a single file has one entry,
// whose path is empty.
type Entry struct {
	Path string // components separated by "/"
	Kind Kind
	Size int64  // bytes, of a file
	Hash ID     // BLAKE3 of the whole file
	Link string // target of a symbolic link

	inline []ref // the file's chunks, where they are few
	root   ID    // else the node that leads to them
	level  uint8 // and one more than its level
}

func appendEntry(b []byte, e *Entry) []byte {
	b = append(b, byte(e.Kind))
	b = appendString(b, e.Path)
	switch e.Kind {
	case KindFile, KindExec:
		b = binary.AppendUvarint(b, uint64(e.Size))
		b = append(b, e.Hash[:]...)
		b = append(b, e.level)
		if e.level > 0 {
			return append(b, e.root[:]...)
		}
		b = binary.AppendUvarint(b, uint64(len(e.inline)))
		for _, r := range e.inline {
			b = appendRef(b, r)
		}
	case KindSymlink:
		b = appendString(b, e.Link)
	}
	return b
}

func (c *fields) entry() (e Entry) {
	e.Kind, e.Path = Kind(c.Byte()), c.string()
	switch e.Kind {
	case KindFile, KindExec:
		c.fileEntry(&e)
	case KindDir:
	case KindSymlink:
		e.Link = c.string()
		if c.Err == nil {
			c.Err = CheckLink(e.Path, e.Link)
		}
	default:
		c.Fail(fmt.Errorf("unknown kind of entry %d", e.Kind))
	}
	if c.Err == nil {
		c.Err = checkPath(&e)
	}
	return e
}

func (c *fields) fileEntry(e *Entry) {
	e.Size, e.Hash = int64(c.Uvarint(codec.MaxLength)), c.ID()
	if e.level = c.Byte(); e.level > maxNodeLevel+1 {
		c.Fail(fmt.Errorf("content at level %d", e.level))
	}
	if e.level > 0 {
		if e.root = c.ID(); e.Size == 0 {
			c.Fail(fmt.Errorf("entry %q: an empty file has content", e.Path))
		}
		return
	}
	left := e.Size
	for range c.Uvarint(maxInline) {
		r := c.ref()
		if r.len > left {
			c.Fail(fmt.Errorf("entry %q: its chunks are longer than the file", e.Path))
		}
		left -= r.len
		e.inline = append(e.inline, r)
	}
	if left != 0 {
		c.Fail(fmt.Errorf("entry %q: its chunks are %d bytes shorter than the file", e.Path, left))
	}
}

// checkPath refuses what could lead out of the directory that a tree is
// written to.
func checkPath(e *Entry) error {
	if e.Path == "" {
		if !e.Kind.IsFile() {
			return errors.New("only a file may have the empty path")
		}
		return nil
	}
	if strings.ContainsRune(e.Path, 0) || len(e.Path) > maxPathLen {
		return fmt.Errorf("path %.100q has a NUL byte or more than %d bytes", e.Path, maxPathLen)
	}
	for part := range strings.SplitSeq(e.Path, "/") {
		if part == "" || part == "." || part == ".." {
			return fmt.Errorf("path %q is not clean", e.Path)
		}
	}
	return nil
}

// checkOrder refuses b behind a in one tree.
func checkOrder(a, b *Entry) error {
	switch {
	case a.Path == "":
		return errors.New("a single file has another entry behind it")
	case ComparePaths(a.Path, b.Path) >= 0:
		return fmt.Errorf("paths %q and %q are not in order", a.Path, b.Path)
	case strings.HasPrefix(b.Path, a.Path) && b.Path[len(a.Path)] == '/':
		return fmt.Errorf("path %q lies below %q", b.Path, a.Path)
	}
	return nil
}

// ComparePaths orders paths by their components, as a walk of a directory meets
// them: like the bytes of the paths, with "/" before all others.
func ComparePaths(a, b string) int {
	for i := 0; i < len(a) && i < len(b); i++ {
		x, y := a[i], b[i]
		if x == y {
			continue
		}
		if x == '/' {
			return -1
		}
		if y == '/' || x > y {
			return 1
		}
		return -1
	}
	return len(a) - len(b)
}

// CheckLink refuses a symbolic link at path whose target could lie outside the
// tree: an absolute one, one with more ".." than the link has parents, and one
// with ".." behind a name (the name could be a link itself).
func CheckLink(path, target string) error {
	bad := func(why string) error { return fmt.Errorf("symbolic link %q -> %q %s", path, target, why) }
	if target == "" || strings.HasPrefix(target, "/") || strings.ContainsRune(target, 0) {
		return bad("is not relative")
	}
	up, named := 0, false
	for part := range strings.SplitSeq(target, "/") {
		switch part {
		case "", ".":
		case "..":
			if named {
				return bad(`has ".." behind a name`)
			}
			up++
		default:
			named = true
		}
	}
	if up > strings.Count(path, "/") {
		return bad("leads out of the tree")
	}
	return nil
}

// String names the kind.
func (k Kind) String() string {
	switch k {
	case KindFile:
		return "file"
	case KindExec:
		return "executable"
	case KindDir:
		return "directory"
	case KindSymlink:
		return "link"
	}
	return "unknown"
}
