package migrate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/refs"
)

// FromJSON is a table that was exported as JSON: documents one after
// another, as mongoexport writes them, or a list of them. Those of the table of
// requirements may be among them. Closing it does not close r, which is read
// once.
func FromJSON(r io.Reader) Seed { return &jsonSeed{r: r, spec: map[string]any{}} }

type jsonSeed struct {
	r    io.Reader
	spec map[string]any // what was met among the documents
	read bool
}

func (s *jsonSeed) Close() error { return nil }

func (s *jsonSeed) Documents(ctx context.Context) iter.Seq2[map[string]any, error] {
	return func(yield func(map[string]any, error) bool) {
		if s.read {
			yield(nil, leaf.Errorf(fs.ErrInvalid, "the documents can be read once only"))
			return
		}
		s.read = true
		for doc, err := range s.documents(ctx) {
			if err == nil && s.required(doc) {
				continue
			}
			if !yield(doc, err) || err != nil {
				return
			}
		}
	}
}

// required keeps a document that is one of the table of requirements.
func (s *jsonSeed) required(doc map[string]any) bool {
	id, _ := doc["_id"].(string)
	config, ok := doc["config"]
	kinds := []string{string(refs.RequiredUserConfig), string(refs.RequiredMetadata), requiredPatterns}
	if ok = ok && slices.Contains(kinds, id) && doc["version_history"] == nil; ok {
		s.spec[id] = config
	}
	return ok
}

func (s *jsonSeed) documents(ctx context.Context) iter.Seq2[map[string]any, error] {
	return func(yield func(map[string]any, error) bool) {
		dec := json.NewDecoder(leaf.ContextReader(ctx, s.r))
		dec.UseNumber()
		for {
			var v any
			err := dec.Decode(&v)
			if err == io.EOF {
				return
			}
			if err != nil {
				yield(nil, fmt.Errorf("the exported documents: %w", err))
				return
			}
			list, ok := v.([]any)
			if !ok {
				list = []any{v}
			}
			for _, x := range list {
				doc, ok := x.(map[string]any)
				if !ok {
					yield(nil, leaf.Errorf(fs.ErrInvalid, "the exported documents: one of them is no object"))
					return
				}
				if !yield(doc, nil) {
					return
				}
			}
		}
	}
}

// Spec gives the requirements that were among the documents.
func (s *jsonSeed) Spec(ctx context.Context) (map[string]any, error) {
	if !s.read {
		for _, err := range s.Documents(ctx) {
			if err != nil {
				return nil, err
			}
		}
	}
	return s.spec, nil
}

// OpenDir opens the directory of an OSFS authority of the original. A link
// that leads out of it is not followed.
func OpenDir(dir string) (Files, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	return seedDir{root}, nil
}

type seedDir struct{ root *os.Root }

func (d seedDir) Close() error { return d.root.Close() }

func (d seedDir) Open(ctx context.Context, path string) (io.ReadCloser, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	name := filepath.FromSlash(strings.Trim(path, "/"))
	fi, err := d.root.Stat(name) // before it is opened: a pipe would wait for a writer
	if err != nil {
		return nil, notThereIn(path, err)
	}
	if !fi.Mode().IsRegular() {
		return nil, leaf.Errorf(fs.ErrInvalid, "%s is no file", path)
	}
	f, err := d.root.Open(name)
	if err != nil {
		return nil, notThereIn(path, err)
	}
	return f, nil
}

// notThereIn makes of a path that leads through a file one that is not there.
func notThereIn(path string, err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return leaf.Errorf(fs.ErrNotExist, "%s is not there", path)
	}
	return err
}
