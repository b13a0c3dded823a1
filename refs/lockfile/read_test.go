package lockfile

import (
	"bytes"
	_ "embed"
	"errors"
	"io/fs"
	"strings"
	"testing"
)

// goodLock has an archive of each form.
//
//go:embed testdata/good.lock
var goodLock string

func TestALockIsReadAsItWasWritten(t *testing.T) {
	l := decode(t, goodLock, true)
	var b bytes.Buffer
	write(t, l, &b)
	if got := b.String(); got != goodLock {
		t.Errorf("written again: got %s, want %s", got, goodLock)
	}
	if got, want := l.Archives[1].Files[4], (Entry{Path: "\xff", Kind: "link", Link: "\xff"}); got != want {
		t.Errorf("the odd one: got %v, want %v", got, want)
	}
	short := decode(t, goodLock, false)
	if n := len(short.Archives[1].Files); n != 0 {
		t.Errorf("got %d entries that are not kept, want none", n)
	}
	unknown := strings.Replace(goodLock, `"deps"`, `"later": {"a": [1, {}]}, "deps"`, 1)
	decode(t, unknown, true)
}

func TestABrokenLockIsRefused(t *testing.T) {
	for name, edit := range map[string][3]string{
		"a higher format":             {`"format": 1`, `"format": 2`, "it has the format 2, this program knows formats up to 1"},
		"no such format":              {`"format": 1`, `"format": 0`, "it has the format 0, which there is not"},
		"a format that is no number":  {`"format": 1`, `"format": "1"`, `"format" cannot be a string`},
		"no format":                   {`"format": 1,`, ``, "it is no lock: it names no format"},
		"a key twice":                 {`"deps": false`, `"deps": false, "deps": true`, `"deps" stands there twice`},
		"no list of archives":         {`"archives": [`, `"archives": 1, "x": [`, `it is no lock: "[" is expected before byte`},
		"a requirement that is none":  {`"a>=1.0"`, `"../a"`, "Too many backrefs in '../a'"},
		"a name twice":                {`"archive": "dir"`, `"archive": "a"`, `archive "a": it stands behind "a"`},
		"names out of order":          {`"archive": "a"`, `"archive": "z"`, `archive "dir": it stands behind "z"`},
		"a name that is not normal":   {`"archive": "a"`, `"archive": "/a"`, `archive "/a": the name is not in its normal form, "a"`},
		"a name with an authority":    {`"archive": "a"`, `"archive": "team://a"`, `archive "team://a": the name is not in its normal form`},
		"no name":                     {`"archive": "a",`, ``, "Archive name missing"},
		"a version that is none":      {`"1.0"`, `"one"`, `archive "a": invalid version number 'one'`},
		"a version not normal":        {`"1.0"`, `"1.0.0"`, `archive "a": version "1.0.0" is not in its normal form, "1.0"`},
		"a short tree":                {`"1111`, `"11`, `archive "a": tree "1111`},
		"a hash that is none":         {`"2222`, `"x222`, `archive "a": blake3 "x222`},
		"a hash in capitals":          {`"2222`, `"AAAA`, `archive "a": blake3 "AAAA`},
		"a negative size":             {`"size": 5`, `"size": -5`, `archive "a": size and files must not be negative`},
		"a size that is a fraction":   {`"size": 5`, `"size": 0.5`, `"size" cannot be a number`},
		"two files in a single one":   {`"files": 1`, `"files": 2`, `archive "a": it is a single file`},
		"a directory without entries": {`"directory": false`, `"directory": true`, `archive "a": it is a directory, and has no entries`},
		"an entry too many":           {`"files": 4`, `"files": 3`, `archive "dir": it has 3 files, but its entries are 4`},
		"another sum of sizes":        {`"size": 3,`, `"size": 4,`, `archive "dir": its entries have 3 bytes, and its size is 4`},
		"entries out of order":        {`"path":"a"`, `"path":"b/y"`, `"b/x" stands behind "b/y"`},
		"an entry below a file":       {`"path":"a"`, `"path":"b"`, `"b/x" stands behind "b"`},
		"an entry outside":            {`"path":"a"`, `"path":"../a"`, `entry "../a": the path is not clean`},
		"an absolute entry":           {`"path":"a"`, `"path":"/a"`, `entry "/a": the path is not clean`},
		"an entry without a name":     {`"path":"a"`, `"path":""`, `entry "": the path is not clean`},
		"a link outside":              {`"link":"a"`, `"link":"../a"`, `leads out of the tree`},
		"a link without a target":     {`,"link":"a"`, ``, `is not relative`},
		"a file without a size":       {`,"size":3}`, `}`, `a file needs a size`},
		"a directory with a size":     {`"kind":"directory"`, `"kind":"directory","size":0`, `only files have a size and a hash`},
		"an unknown kind":             {`"kind":"directory"`, `"kind":"pipe"`, `entry "c": unknown kind "pipe"`},
		"base64 that is none":         {`"/w==","kind"`, `"?","kind"`, `path_base64 is wrong`},
		"two trees of a directory":    {`"tree": "333`, `"tree": "433`, `blake3 and tree of a directory differ`},
		"something behind":            {"  ]\n}\n", "  ]\n}\n{}", "something stands behind its end"},
		"conflict marks":              {`  "deps"`, "<<<<<<< HEAD\n", "invalid character '<'"},
	} {
		t.Run(name, func(t *testing.T) {
			if !strings.Contains(goodLock, edit[0]) {
				t.Fatal("the case changes nothing")
			}
			_, err := Decode(strings.NewReader(strings.Replace(goodLock, edit[0], edit[1], 1)), true)
			if err == nil || !strings.Contains(err.Error(), edit[2]) || !errors.Is(err, fs.ErrInvalid) {
				t.Errorf("got %v\nwant %s", err, edit[2])
			}
		})
	}
}

func TestALockThatWasCutOffIsRefused(t *testing.T) {
	for n := range len(goodLock) - 2 { // without the last bracket
		if _, err := Decode(strings.NewReader(goodLock[:n]), true); !errors.Is(err, fs.ErrInvalid) {
			t.Fatalf("of the first %d bytes: got %v", n, err)
		}
	}
}

// FuzzDecode wants of what is read that it is the same when it is written and
// read again.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(goodLock))
	f.Add([]byte(`{"format":1}`))
	f.Add([]byte(`{"format":1,"archives":[{"archive":"a"`))
	f.Fuzz(func(t *testing.T, data []byte) {
		l, err := Decode(bytes.NewReader(data), true)
		if err != nil {
			if !errors.Is(err, fs.ErrInvalid) {
				t.Errorf("got %v", err)
			}
			return
		}
		var once, twice bytes.Buffer
		write(t, l, &once)
		again, err := Decode(bytes.NewReader(once.Bytes()), true)
		if err != nil {
			t.Fatalf("%v\n%s", err, &once)
		}
		write(t, again, &twice)
		if twice.String() != once.String() {
			t.Errorf("written again: got %s, want %s", &twice, &once)
		}
	})
}

// write writes a lock that is in memory.
func write(t *testing.T, l *Lock, b *bytes.Buffer) {
	t.Helper()
	w := NewWriter(b)
	w.Begin(l)
	for i := range l.Archives {
		w.Archive(&l.Archives[i], func(yield func(Entry, error) bool) {
			for _, f := range l.Archives[i].Files {
				if !yield(f, nil) {
					return
				}
			}
		})
	}
	if err := w.End(); err != nil {
		t.Fatal(err)
	}
}

func decode(t *testing.T, text string, files bool) *Lock {
	t.Helper()
	l, err := Decode(strings.NewReader(text), files)
	if err != nil {
		t.Fatal(err)
	}
	return l
}
