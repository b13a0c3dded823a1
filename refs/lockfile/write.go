package lockfile

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"iter"
	"unicode/utf8"

	"github.com/datafs/datafs/objects"
)

// currentFormat is the number of the format that docs/lockfile.md describes.
const currentFormat = 1

// Writer writes a lock: JSON whose line breaks are fixed, an entry of a
// directory on one line, so that two locks can be compared by lines.
type Writer struct {
	w     *bufio.Writer
	begun bool // an archive has been written
}

// NewWriter returns a writer of one lock: Begin, Archive for each, End.
func NewWriter(w io.Writer) *Writer { return &Writer{w: bufio.NewWriterSize(w, 64<<10)} }

// Errors of w stay in it until End.
func (l *Writer) text(parts ...string) {
	for _, s := range parts {
		l.w.WriteString(s)
	}
}

// Begin writes what stands before the archives, which it leaves out.
func (l *Writer) Begin(lock *Lock) {
	l.text("{\n  \"format\": ", jsonText(currentFormat), ",\n  \"requirements\": ")
	l.list(lock.Requirements, "    ", "\n  ")
	l.text(",\n  \"deps\": ", jsonText(lock.Deps), ",\n  \"archives\": [")
}

// list writes texts, each on a line.
func (l *Writer) list(list []string, indent, end string) {
	l.text("[")
	for i, s := range list {
		if i > 0 {
			l.text(",")
		}
		l.text("\n", indent, jsonText(s))
	}
	if len(list) > 0 {
		l.text(end)
	}
	l.text("]")
}

func (l *Writer) field(name string, value any) {
	l.text(",\n      ", jsonText(name), ": ", jsonText(value))
}

// Archive writes one archive, and of a directory the entries, whose first error it
// returns.
func (l *Writer) Archive(e *Archive, files iter.Seq2[Entry, error]) error {
	if l.begun {
		l.text(",")
	}
	l.begun = true
	l.text("\n    {\n      \"archive\": ", jsonText(e.Archive))
	if e.Version != "" {
		l.field("version", e.Version)
	}
	l.field("authority", e.Authority)
	l.field("tree", e.Tree)
	l.field("blake3", e.Hash)
	l.field("size", e.Size)
	l.field("files", e.Count)
	l.field("directory", e.Dir)
	if e.Place != "" {
		l.field("place", e.Place)
	}
	l.text(",\n      \"why\": ")
	l.list(e.Why, "        ", "\n      ")
	if err := l.entries(e, files); err != nil {
		return err
	}
	l.text("\n    }")
	return nil
}

func (l *Writer) entries(e *Archive, files iter.Seq2[Entry, error]) error {
	if !e.Dir {
		return nil
	}
	l.text(",\n      \"entries\": [")
	before := "\n        "
	for f, err := range files {
		if err != nil {
			return err
		}
		l.text(before, jsonText(encodeEntry(f)))
		before = ",\n        "
	}
	if before[0] == ',' {
		l.text("\n      ")
	}
	l.text("]")
	return nil
}

// End writes the rest; the error is the first of the writer below.
func (l *Writer) End() error {
	if l.begun {
		l.text("\n  ")
	}
	l.text("]\n}\n")
	return l.w.Flush()
}

// entryJSON is an entry of a directory as a lock has it. Names that are not
// UTF-8, which JSON cannot hold, are in base64.
type entryJSON struct {
	Path   string  `json:"path,omitempty"`
	Path64 string  `json:"path_base64,omitempty"`
	Kind   string  `json:"kind,omitempty"` // of what is not just a file
	Hash   string  `json:"blake3,omitempty"`
	Size   *int64  `json:"size,omitempty"`
	Link   *string `json:"link,omitempty"`
	Link64 *string `json:"link_base64,omitempty"`
}

// plainKind is the kind that a lock does not name.
const plainKind = "file"

func encodeEntry(f Entry) entryJSON {
	e := entryJSON{Path: f.Path, Hash: f.Hash}
	if !utf8.ValidString(f.Path) {
		e.Path, e.Path64 = "", base64.StdEncoding.EncodeToString([]byte(f.Path))
	}
	if f.Kind != plainKind {
		e.Kind = f.Kind
	}
	switch {
	case f.Hash != "":
		e.Size = &f.Size
	case f.Link != "" && utf8.ValidString(f.Link):
		e.Link = &f.Link
	case f.Link != "":
		e.Link64 = new(base64.StdEncoding.EncodeToString([]byte(f.Link)))
	}
	return e
}

// jsonText is a value as JSON on one line.
func jsonText(v any) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(err) // it has only texts and numbers
	}
	return string(bytes.TrimSuffix(b.Bytes(), []byte("\n")))
}

// Entries turns the entries of a tree into those of a lock.
func Entries(entries iter.Seq2[objects.Entry, error]) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		for e, err := range entries {
			f := Entry{Path: e.Path, Kind: e.Kind.String(), Size: e.Size, Link: e.Link}
			if e.Kind.IsFile() {
				f.Hash = e.Hash.String()
			}
			if !yield(f, err) || err != nil {
				return
			}
		}
	}
}
