package datafs

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"
)

// goodLock has an archive of each form.
const goodLock = `{
  "format": 1,
  "requirements": [
    "a>=1.0"
  ],
  "deps": false,
  "archives": [
    {
      "archive": "a",
      "version": "1.0",
      "authority": "team",
      "tree": "1111111111111111111111111111111111111111111111111111111111111111",
      "blake3": "2222222222222222222222222222222222222222222222222222222222222222",
      "size": 5,
      "files": 1,
      "directory": false,
      "place": "x:1:2:3:4",
      "why": [
        "required as a>=1.0"
      ]
    },
    {
      "archive": "dir",
      "authority": "team",
      "tree": "3333333333333333333333333333333333333333333333333333333333333333",
      "blake3": "3333333333333333333333333333333333333333333333333333333333333333",
      "size": 3,
      "files": 4,
      "directory": true,
      "why": [],
      "entries": [
        {"path":"a","blake3":"4444444444444444444444444444444444444444444444444444444444444444","size":3},
        {"path":"b/x","kind":"executable","blake3":"5555555555555555555555555555555555555555555555555555555555555555","size":0},
        {"path":"c","kind":"directory"},
        {"path":"d","kind":"link","link":"a"},
        {"path_base64":"/w==","kind":"link","link_base64":"/w=="}
      ]
    }
  ]
}
`

func TestALockIsReadAsItWasWritten(t *testing.T) {
	l := must(decodeLock(strings.NewReader(goodLock), withFiles))(t)
	var b bytes.Buffer
	noError(t, l.encode(&b))
	equal(t, "written again", b.String(), goodLock)
	equal(t, "the odd one", l.Archives[1].Files[4], LockedFile{Path: "\xff", Kind: "link", Link: "\xff"})
	for _, path := range []string{"a", "b/x", "c", "d", "\xff"} {
		if _, ok := l.Archives[1].entry(path); !ok {
			t.Errorf("entry %q is not found", path)
		}
	}
	if _, ok := l.Archives[1].entry("b"); ok {
		t.Error("an entry is found that there is not")
	}
	short := must(decodeLock(strings.NewReader(goodLock), withoutFiles))(t)
	equal(t, "entries that are not kept", len(short.Archives[1].Files), 0)
	unknown := strings.Replace(goodLock, `"deps"`, `"later": {"a": [1, {}]}, "deps"`, 1)
	must(decodeLock(strings.NewReader(unknown), withFiles))(t)
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
			_, err := decodeLock(strings.NewReader(strings.Replace(goodLock, edit[0], edit[1], 1)), withFiles)
			if err == nil || !strings.Contains(err.Error(), edit[2]) || !errors.Is(err, fs.ErrInvalid) {
				t.Errorf("got %v\nwant %s", err, edit[2])
			}
		})
	}
}

func TestALockThatWasCutOffIsRefused(t *testing.T) {
	for n := range len(goodLock) - 2 { // without the last bracket
		if _, err := decodeLock(strings.NewReader(goodLock[:n]), withFiles); !errors.Is(err, fs.ErrInvalid) {
			t.Fatalf("of the first %d bytes: got %v", n, err)
		}
	}
	_, err := ReadLock(t.TempDir() + "/none")
	if !errors.Is(err, fs.ErrNotExist) || !strings.HasPrefix(err.Error(), "read lock: ") {
		t.Errorf("got %v", err)
	}
	file := t.TempDir() + "/x.lock"
	noError(t, os.WriteFile(file, []byte("[]"), 0o644))
	_, err = ReadLock(file)
	wantError(t, err, "lock "+file+`: it is no lock: "{" is expected before byte 1`, fs.ErrInvalid)
	dir := t.TempDir()
	_, err = ReadLock(dir)
	wantError(t, err, "read lock: "+dir+" is a directory, not a file", fs.ErrInvalid)
}

// FuzzReadLock wants of what is read that it is the same when it is written and
// read again.
func FuzzReadLock(f *testing.F) {
	f.Add([]byte(goodLock))
	f.Add([]byte(`{"format":1}`))
	f.Add([]byte(`{"format":1,"archives":[{"archive":"a"`))
	f.Fuzz(func(t *testing.T, data []byte) {
		l, err := decodeLock(bytes.NewReader(data), withFiles)
		if err != nil {
			if !errors.Is(err, fs.ErrInvalid) {
				t.Errorf("got %v", err)
			}
			return
		}
		var once, twice bytes.Buffer
		noError(t, l.encode(&once))
		again, err := decodeLock(bytes.NewReader(once.Bytes()), withFiles)
		if err != nil {
			t.Fatalf("%v\n%s", err, &once)
		}
		noError(t, again.encode(&twice))
		equal(t, "written again", twice.String(), once.String())
	})
}
