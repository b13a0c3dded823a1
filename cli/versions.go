package cli

import (
	"fmt"
	"io"
	"slices"

	"github.com/urfave/cli/v2"

	"github.com/datafs/datafs"
	"github.com/datafs/datafs/cli/render"
	"github.com/datafs/datafs/objects/names"
)

func versionCommands(s *session) []*cli.Command {
	return []*cli.Command{
		command(catMeta, "versions", "NAME", "list the versions, ascending", s.versions),
		command(catMeta, "history", "NAME", "print the full records of all versions, oldest first", s.history),
		command(catMeta, "log", "NAME", "show who wrote what when, newest first", s.log),
		command(catMeta, "diff", "NAME VERSION [VERSION]", "show what changed between two versions", s.diff),
	}
}

func (s *session) versions(c *cli.Context) error {
	a, err := s.archive(c)
	if err != nil {
		return err
	}
	list, err := a.Versions(c.Context)
	if err != nil {
		return err
	}
	if list == nil {
		list = []string{}
	}
	return s.emit(c, list, func(w io.Writer) { fmt.Fprintln(w, render.Literal(list)) })
}

const timestamp = "20060102-150405"

type recordJSON struct {
	Version      *string             `json:"version"`
	Algorithm    string              `json:"algorithm"`
	Checksum     string              `json:"checksum"`
	Size         int64               `json:"size"`
	Files        int64               `json:"files"`
	Tree         string              `json:"tree"`
	Dependencies datafs.Dependencies `json:"dependencies"`
	Message      *string             `json:"message"`
	UserConfig   map[string]string   `json:"user_config"`
	Updated      string              `json:"updated"`
	Checksums    map[string]string   `json:"checksums,omitempty"`
	Yanked       *string             `json:"yanked,omitempty"` // why
}

func (s *session) history(c *cli.Context) error {
	a, err := s.archive(c)
	if err != nil {
		return err
	}
	records, err := records(c, a)
	if err != nil {
		return err
	}
	return s.emit(c, records, func(w io.Writer) {
		literal := []render.Dict{}
		for _, r := range records {
			literal = append(literal, r.literal())
		}
		fmt.Fprintln(w, render.Literal(literal))
	})
}

// records returns the history of an archive, oldest first.
func records(c *cli.Context, a *datafs.Archive) ([]recordJSON, error) {
	history, err := a.History(c.Context)
	list := []recordJSON{}
	for _, e := range history {
		list = append(list, record(a, e))
	}
	return list, err
}

func record(a *datafs.Archive, e datafs.HistoryEntry) recordJSON {
	r := recordJSON{
		Algorithm: "blake3", Checksum: e.Hash.String(), Size: e.Size, Files: e.Files, Tree: e.Tree.String(),
		Dependencies: e.Dependencies, Message: e.Message, UserConfig: e.UserConfig,
		Updated: e.Time.UTC().Format(timestamp), Checksums: e.Checksums,
	}
	if y := e.Yanked(); y != nil {
		r.Yanked = &y.Reason
	}
	if a.Versioned() {
		v := e.Version.String()
		r.Version = &v
	}
	return r
}

func (r recordJSON) literal() render.Dict {
	d := render.Dict{
		{Key: "version", Value: r.Version},
		{Key: "algorithm", Value: r.Algorithm},
		{Key: "checksum", Value: r.Checksum},
		{Key: "dependencies", Value: r.Dependencies},
		{Key: "message", Value: r.Message},
		{Key: "user_config", Value: r.UserConfig},
		{Key: "updated", Value: r.Updated},
		{Key: "size", Value: r.Size},
		{Key: "files", Value: r.Files},
		{Key: "tree", Value: r.Tree},
	}
	for _, name := range sortedKeys(r.Checksums) {
		d = append(d, render.Item{Key: name, Value: r.Checksums[name]})
	}
	return d
}

func (s *session) log(c *cli.Context) error {
	a, err := s.archive(c)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		records, err := records(c, a)
		if err != nil {
			return err
		}
		slices.Reverse(records)
		return s.emit(c, records, nil)
	}
	return s.page(func(w io.Writer) error { return a.Log(c.Context, w) })
}

type diffJSON struct {
	Archive      string           `json:"archive"`
	Old          string           `json:"old"`
	New          string           `json:"new"`
	OldSize      int64            `json:"old_size"`
	NewSize      int64            `json:"new_size"`
	Shared       int64            `json:"shared_bytes"`
	Added        int64            `json:"new_bytes"`
	SharedChunks int64            `json:"shared_chunks"`
	AddedChunks  int64            `json:"new_chunks"`
	Files        []fileChangeJSON `json:"files"`
	Dependencies []depChangeJSON  `json:"dependencies"`
}

type fileChangeJSON struct {
	Path    string `json:"path"`
	Change  string `json:"change"`
	OldSize int64  `json:"old_size"`
	NewSize int64  `json:"new_size"`
	OldHash string `json:"old_blake3,omitempty"`
	NewHash string `json:"new_blake3,omitempty"`
}

type depChangeJSON struct {
	Name string  `json:"name"`
	Old  *string `json:"old"`
	New  *string `json:"new"`
	Kind string  `json:"change"`
}

func (s *session) diff(c *cli.Context) error {
	a, err := s.archive(c)
	if err != nil {
		return err
	}
	d, err := a.Diff(c.Context, c.Args().Get(1), c.Args().Get(2))
	if err != nil {
		return err
	}
	v := diffJSON{
		Archive: a.Name(), Old: d.Old.Version.String(), New: d.New.Version.String(),
		OldSize: d.Old.Size, NewSize: d.New.Size, Shared: d.Shared, Added: d.Added,
		SharedChunks: d.SharedChunks, AddedChunks: d.AddedChunks,
		Files: []fileChangeJSON{}, Dependencies: depChanges(d.Old.Last().Dependencies, d.New.Last().Dependencies),
	}
	for f, err := range d.Files(c.Context) {
		if err != nil {
			return err
		}
		v.Files = append(v.Files, fileChange(f))
	}
	return s.emit(c, v, func(w io.Writer) { diffText(w, v) })
}

func fileChange(f datafs.FileChange) fileChangeJSON {
	out := fileChangeJSON{Path: f.Path, Change: "changed"}
	if f.Old == nil {
		out.Change = "added"
	} else {
		out.OldSize, out.OldHash = f.Old.Size, describe(*f.Old).Hash
	}
	if f.New == nil {
		out.Change = "removed"
	} else {
		out.NewSize, out.NewHash = f.New.Size, describe(*f.New).Hash
	}
	return out
}

// depChanges lists the dependencies that differ.
func depChanges(from, to datafs.Dependencies) []depChangeJSON {
	list := []depChangeJSON{}
	for _, name := range sortedKeys(from, to) {
		old, had := from[name]
		now, has := to[name]
		switch {
		case !had:
			list = append(list, depChangeJSON{name, nil, now, "added"})
		case !has:
			list = append(list, depChangeJSON{name, old, nil, "removed"})
		case render.Literal(old) != render.Literal(now):
			list = append(list, depChangeJSON{name, old, now, "changed"})
		}
	}
	return list
}

func diffText(w io.Writer, v diffJSON) {
	fmt.Fprintf(w, "%s: %s (%s) --> %s (%s)\n", names.Visible(v.Archive), v.Old, render.Bytes(v.OldSize), v.New, render.Bytes(v.NewSize))
	for _, f := range v.Files {
		if f.Path == "" {
			continue // the one file of the archive: the first line says it
		}
		fmt.Fprintf(w, "  %-8s %s (%s)\n", f.Change, names.Visible(f.Path), sizes(f))
	}
	for _, d := range v.Dependencies {
		fmt.Fprintf(w, "  %-8s dependency %s\n", d.Kind, names.Visible(depText(d)))
	}
	fmt.Fprintf(w, "shared %s in %s, new %s in %s\n",
		render.Bytes(v.Shared), render.Count(v.SharedChunks, "chunk"), render.Bytes(v.Added), render.Count(v.AddedChunks, "chunk"))
}

func sizes(f fileChangeJSON) string {
	switch f.Change {
	case "added":
		return render.Bytes(f.NewSize)
	case "removed":
		return render.Bytes(f.OldSize)
	}
	return render.Bytes(f.OldSize) + " --> " + render.Bytes(f.NewSize)
}

func depText(d depChangeJSON) string {
	text := func(v *string) string {
		if v == nil {
			return "any"
		}
		return *v
	}
	switch d.Kind {
	case "added":
		return d.Name + " " + text(d.New)
	case "removed":
		return d.Name + " " + text(d.Old)
	}
	return d.Name + " " + text(d.Old) + " --> " + text(d.New)
}
