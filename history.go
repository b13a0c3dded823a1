package datafs

import (
	"context"
	"io"

	"github.com/datafs/datafs/objects"
	"github.com/datafs/datafs/refs"
)

// A HistoryWriter takes in archives with a history that another program recorded:
// versions with their numbers, times, users and messages. Contents are written first,
// then flushed, and then archives that name them are added. It is not safe for
// concurrent use. GC waits while there are contents that no archive names yet.
type HistoryWriter struct {
	api    *API
	label  string          // of the progress
	writer *objects.Writer // nil: nothing was written
	full   bool            // writer is flushed
	added  bool
}

// HistoryWriter returns a writer whose progress has the label. Close ends it.
func (a *API) HistoryWriter(label string) *HistoryWriter {
	return &HistoryWriter{api: a, label: label}
}

// A History is an archive with versions to be registered. An archive that is here keeps
// its properties, and a version that is here gets the updates that it lacks.
type History struct {
	Archive  refs.Archive // Created is now if it is zero
	Versions []refs.VersionRecord
	Contents []*objects.Result // of Versions, by slot; nil: the record has its content
}

// Write takes in the contents of one file.
func (w *HistoryWriter) Write(ctx context.Context, r io.Reader) (_ *objects.Result, err error) {
	if w.full {
		w.discard()
	}
	if w.writer == nil {
		if w.writer, err = w.api.writer(ctx, w.label); err != nil {
			return nil, err
		}
	}
	return w.writer.File(r)
}

// Flush brings to disk what was written. The results of Write are whole then.
func (w *HistoryWriter) Flush() error {
	if w.writer == nil || w.full {
		return nil
	}
	w.full = true
	return w.writer.Finish()
}

// Add registers an archive and its versions at once. The error wraps fs.ErrInvalid for
// what cannot be, ErrConflict for what contradicts what is here.
func (w *HistoryWriter) Add(ctx context.Context, h *History) error {
	for slot, c := range h.Contents {
		if v := &h.Versions[slot]; c != nil {
			v.Tree, v.Hash, v.Size, v.Files, v.Dir = c.Tree, c.Hash, c.Size, c.Files, c.Dir
		}
	}
	rec := h.Archive
	if rec.Created.IsZero() {
		rec.Created = w.api.opts.Now()
	}
	err := w.api.refs.AddMigrated(ctx, rec, h.Versions)
	w.added = w.added || err == nil
	return err
}

// discard lets GC go on. Contents that no version names are garbage then.
func (w *HistoryWriter) discard() {
	if w.writer != nil {
		w.writer.Close()
		w.writer, w.full = nil, false
	}
}

// Close discards what no archive names. With sync: auto in the profile it pushes what
// was added.
func (w *HistoryWriter) Close(ctx context.Context) error {
	w.discard()
	if !w.added {
		return nil
	}
	w.added = false
	return w.api.tellTeam(ctx, "")
}
