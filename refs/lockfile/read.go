package lockfile

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/objects"
	"github.com/datafs/datafs/refs/solve"
)

// ErrNewer is wrapped by errors of Decode for a lock in a format of a newer program; it
// wraps fs.ErrInvalid.
var ErrNewer = fmt.Errorf("newer format: %w", fs.ErrInvalid)

// maxSize bounds a lock; 100,000 files take some 15 MB.
const maxSize = 4 << 30

// Decode reads and checks a lock. Entries of directories are checked in any case, and
// kept with files. Errors wrap fs.ErrInvalid, but for those of r.
func Decode(r io.Reader, files bool) (*Lock, error) {
	limited := &io.LimitedReader{R: r, N: maxSize}
	d := &decoder{dec: json.NewDecoder(bufio.NewReaderSize(limited, 64<<10)), files: files}
	err := d.lock()
	switch {
	case err == nil:
		return &d.l, nil
	case limited.N <= 0:
		return nil, leaf.Errorf(fs.ErrInvalid, "it has more than %d bytes", int64(maxSize))
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return nil, leaf.Errorf(fs.ErrInvalid, "it ends too early")
	case errors.Is(err, fs.ErrInvalid), isFileError(err):
		return nil, err
	}
	return nil, leaf.Errorf(fs.ErrInvalid, "it is no lock: %v", err)
}

func isFileError(err error) bool {
	var path *fs.PathError
	return errors.As(err, &path)
}

// decoder reads a lock bit by bit, so that little is kept.
type decoder struct {
	dec   *json.Decoder
	files bool
	l     Lock
}

// object reads an object: field is called for each key, and reads its value.
// Keys that it does not know are left out; none may come twice.
func (d *decoder) object(field func(key string) (known bool, err error)) error {
	if err := d.delim('{'); err != nil {
		return err
	}
	seen := map[string]bool{}
	for d.dec.More() {
		t, err := d.dec.Token()
		if err != nil {
			return err
		}
		key, _ := t.(string)
		if seen[key] {
			return d.invalid("%q stands there twice", key)
		}
		seen[key] = true
		known, err := field(key)
		if err == nil && !known {
			err = d.dec.Decode(&json.RawMessage{})
		}
		if err != nil {
			return d.within(key, err)
		}
	}
	return d.delim('}')
}

// within says of errors of other packages where they are.
func (d *decoder) within(key string, err error) error {
	var typ *json.UnmarshalTypeError
	if errors.As(err, &typ) {
		return d.invalid("%q cannot be a %s", key, typ.Value)
	}
	return err
}

func (d *decoder) array(item func() error) error {
	if err := d.delim('['); err != nil {
		return err
	}
	for d.dec.More() {
		if err := item(); err != nil {
			return err
		}
	}
	return d.delim(']')
}

func (d *decoder) delim(want json.Delim) error {
	t, err := d.dec.Token()
	if err != nil {
		return err
	}
	if got, ok := t.(json.Delim); !ok || got != want {
		return d.invalid("it is no lock: %q is expected before byte %d", want.String(), d.dec.InputOffset())
	}
	return nil
}

func (d *decoder) invalid(format string, args ...any) error {
	return leaf.Errorf(fs.ErrInvalid, format, args...)
}

func (d *decoder) lock() error {
	format := 0
	err := d.object(func(key string) (bool, error) {
		switch key {
		case "format":
			if err := d.dec.Decode(&format); err != nil {
				return true, err
			}
			return true, checkFormat(format)
		case "requirements":
			return true, d.dec.Decode(&d.l.Requirements)
		case "deps":
			return true, d.dec.Decode(&d.l.Deps)
		case "archives":
			return true, d.array(d.archive)
		}
		return false, nil
	})
	if err != nil {
		return err
	}
	if format == 0 {
		return d.invalid("it is no lock: it names no format")
	}
	if _, err := d.dec.Token(); err != io.EOF {
		return d.invalid("something stands behind its end")
	}
	return d.checkRequirements()
}

func checkFormat(format int) error {
	switch {
	case format > currentFormat:
		return leaf.Errorf(ErrNewer, "it has the format %d, this program knows formats up to %d", format, currentFormat)
	case format < 1:
		return leaf.Errorf(fs.ErrInvalid, "it has the format %d, which there is not", format)
	}
	return nil
}

func (d *decoder) checkRequirements() error {
	for _, text := range d.l.Requirements {
		if _, err := solve.ParseRequirement(text); err != nil {
			return err
		}
	}
	return nil
}

// archive reads one archive. Fields that must be there are found by what they
// must hold.
func (d *decoder) archive() error {
	var e Archive
	var sum entrySum
	fields := map[string]any{
		"archive": &e.Archive, "version": &e.Version, "authority": &e.Authority, "tree": &e.Tree, "blake3": &e.Hash,
		"size": &e.Size, "files": &e.Count, "directory": &e.Dir, "place": &e.Place, "why": &e.Why,
	}
	err := d.object(func(key string) (bool, error) {
		if key == "entries" {
			sum.listed = true
			return true, d.entries(&e, &sum)
		}
		if into, ok := fields[key]; ok {
			return true, d.dec.Decode(into)
		}
		return false, nil
	})
	if err == nil {
		err = e.check(&sum)
	}
	if n := len(d.l.Archives); err == nil && n > 0 && d.l.Archives[n-1].Archive >= e.Archive {
		err = d.invalid("it stands behind %q: the archives must be in the order of their names, each once", d.l.Archives[n-1].Archive)
	}
	if err != nil {
		return inArchive(e.Archive, err)
	}
	d.l.Archives = append(d.l.Archives, e)
	return nil
}

func inArchive(name string, err error) error {
	if name == "" {
		return err
	}
	return fmt.Errorf("archive %q: %w", name, err)
}

// entrySum is what the entries of a directory come to.
type entrySum struct {
	listed bool  // there is a list, perhaps an empty one
	files  int64 // that are no directories
	size   int64
}

// entries reads the entries of a directory.
func (d *decoder) entries(e *Archive, sum *entrySum) error {
	last, any := "", false
	return d.array(func() error {
		var x entryJSON
		if err := d.dec.Decode(&x); err != nil {
			return d.within("entries", err)
		}
		f, err := x.file()
		if err != nil {
			return err
		}
		if any && (objects.ComparePaths(last, f.Path) >= 0 || strings.HasPrefix(f.Path, last+"/")) {
			return d.invalid("%q stands behind %q: the entries must be in order, each once", f.Path, last)
		}
		any = true
		if last = f.Path; f.Kind != objects.KindDir.String() {
			sum.files++
		}
		if sum.size += f.Size; sum.size < 0 {
			return d.invalid("its entries have more bytes than there can be")
		}
		if d.files {
			e.Files = append(e.Files, f)
		}
		return nil
	})
}
