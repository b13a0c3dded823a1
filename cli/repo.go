package cli

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/urfave/cli/v2"

	"github.com/datafs/datafs"
)

func repoCommands(s *session) []*cli.Command {
	return []*cli.Command{
		command(catRepo, "init", "[DIR]", "make a repository (.datafs) here", s.init),
		command(catRepo, "stats", "", "print how much is stored, and how well", s.stats),
		command(catRepo, "fsck", "", "check the repository for damage", s.fsck,
			&cli.BoolFlag{Name: "full", Usage: "read and verify every chunk"},
			&cli.BoolFlag{Name: "rebuild-index", Usage: "first make the index anew from packs and journal"}),
		command(catRepo, "gc", "", "remove content that no version needs", s.gc,
			&cli.BoolFlag{Name: "dry-run", Aliases: []string{"n"}, Usage: "only print what would be removed"}),
	}
}

func (s *session) init(c *cli.Context) error {
	dir := c.Args().First()
	if dir == "" {
		dir = "."
	}
	repo, err := datafs.Init(c.Context, dir, s.options(c))
	if err != nil {
		return err
	}
	return s.say(c, map[string]string{"repository": repo}, "initialized repository %s", repo)
}

type statsJSON struct {
	Repository  string  `json:"repository"`
	Archives    int64   `json:"archives"`
	Versions    int64   `json:"versions"`
	Logical     int64   `json:"logical_bytes"`
	Unique      int64   `json:"unique_bytes"`
	Stored      int64   `json:"stored_bytes"`
	Packs       int64   `json:"packs"`
	Chunks      int64   `json:"chunks"`
	Dedup       float64 `json:"deduplication"`
	Compression float64 `json:"compression"`
	Copies      int64   `json:"copies,omitempty"`
	CopyBytes   int64   `json:"copy_bytes,omitempty"`
}

func (s *session) stats(c *cli.Context) error {
	api, err := s.open(c)
	if err != nil {
		return err
	}
	st, err := api.Stats(c.Context)
	if err != nil {
		return err
	}
	v := statsJSON{
		api.Repo(), st.Archives, st.Versions, st.Logical, st.Unique, st.Stored, st.Packs, st.Chunks,
		ratio(st.Logical, st.Unique), ratio(st.Unique, st.Stored), st.Copies, st.CopyBytes,
	}
	return s.emit(c, v, func(w io.Writer) {
		fmt.Fprintf(w, "repository    %s\n", visible(v.Repository))
		fmt.Fprintf(w, "archives      %d\n", v.Archives)
		fmt.Fprintf(w, "versions      %d\n", v.Versions)
		fmt.Fprintf(w, "logical size  %s\n", formatBytes(v.Logical))
		fmt.Fprintf(w, "unique        %s in %s (deduplication %.1f x)\n", formatBytes(v.Unique), plural(v.Chunks, "chunk"), v.Dedup)
		fmt.Fprintf(w, "stored        %s in %s (compression %.1f x)\n", formatBytes(v.Stored), plural(v.Packs, "pack"), v.Compression)
		if v.Copies > 0 {
			fmt.Fprintf(w, "copies        %s in %s that checkouts share\n", formatBytes(v.CopyBytes), plural(v.Copies, "file"))
		}
	})
}

func ratio(a, b int64) float64 {
	if b == 0 {
		return 1
	}
	return float64(a) / float64(b)
}

type fsckJSON struct {
	Packs    int64    `json:"packs"`
	Chunks   int64    `json:"chunks"`
	Bytes    int64    `json:"bytes"`
	Archives int64    `json:"archives"`
	Versions int64    `json:"versions"`
	Leftover int64    `json:"leftover_packs"`
	Problems []string `json:"problems"`
}

func (s *session) fsck(c *cli.Context) error {
	api, err := s.open(c)
	if err != nil {
		return err
	}
	problems := []string{}
	if c.Bool("rebuild-index") {
		if problems, err = s.rebuild(c, api); err != nil {
			return err
		}
	}
	rep, err := api.Check(c.Context, &datafs.CheckOptions{Full: c.Bool("full")})
	if err != nil {
		return err
	}
	for _, p := range rep.Problems {
		if !slices.Contains(problems, p) {
			problems = append(problems, p)
		}
	}
	if rep.Leftover > 0 && !c.Bool("quiet") {
		s.note("%s left by an interrupted write; gc takes care of that", plural(rep.Leftover, "pack"))
	}
	v := fsckJSON{rep.Packs, rep.Chunks, rep.Bytes, rep.Archives, rep.Versions, rep.Leftover, problems}
	err = s.emit(c, v, func(w io.Writer) { v.text(w, c.Bool("quiet")) })
	if err == nil && len(problems) > 0 {
		err = &silentError{datafs.ErrCorrupt}
	}
	return err
}

// rebuild makes the index anew, and returns what could not be read.
func (s *session) rebuild(c *cli.Context, api *datafs.API) ([]string, error) {
	problems, err := api.RebuildIndex(c.Context)
	if errors.Is(err, datafs.ErrCorrupt) {
		hint := "index and journal are both damaged: put one of them back from a copy"
		return nil, &datafs.HintError{Err: err, Hint: hint}
	}
	if err == nil && !c.Bool("quiet") {
		s.note("index rebuilt")
	}
	return append([]string{}, problems...), err
}

func (v fsckJSON) text(w io.Writer, quiet bool) {
	for _, p := range v.Problems {
		fmt.Fprintf(w, "damaged: %s\n", oneLine(p))
	}
	if !quiet {
		fmt.Fprintf(w, "checked %s, %s, %s (%s), %s, index and journal: %s\n", plural(v.Archives, "archive"), plural(v.Versions, "version"),
			plural(v.Packs, "pack"), formatBytes(v.Bytes), plural(v.Chunks, "chunk"), verdict(v.Problems))
	}
}

func verdict(problems []string) string {
	if len(problems) == 0 {
		return "all is well"
	}
	return plural(int64(len(problems)), "problem")
}

type gcJSON struct {
	Packs     int64 `json:"packs"`
	Removed   int64 `json:"removed"`
	Rewritten int64 `json:"rewritten"`
	Live      int64 `json:"live_chunks"`
	Freed     int64 `json:"freed_bytes"`
	Copies    int64 `json:"removed_copies,omitempty"`
	CopyBytes int64 `json:"removed_copy_bytes,omitempty"`
}

func (s *session) gc(c *cli.Context) error {
	api, err := s.open(c)
	if err != nil {
		return err
	}
	rep, err := api.GC(c.Context, c.Bool("dry-run"))
	if err != nil {
		return err
	}
	would := ""
	if c.Bool("dry-run") {
		would = "would have "
	}
	copies := ""
	if rep.Copies > 0 {
		copies = fmt.Sprintf(", and %s of checkouts (%s)", plural(rep.Copies, "shared file"), formatBytes(rep.CopyBytes))
	}
	return s.say(c, gcJSON{rep.Packs, rep.Removed, rep.Rewritten, rep.Live, rep.Freed, rep.Copies, rep.CopyBytes},
		"%sremoved %s of %d, rewritten %d, freed %s%s", would, plural(rep.Removed, "pack"), rep.Packs, rep.Rewritten, formatBytes(rep.Freed), copies)
}
