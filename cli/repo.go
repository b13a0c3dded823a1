package cli

import (
	"fmt"
	"io"

	"github.com/urfave/cli/v2"

	"github.com/datafs/datafs"
	"github.com/datafs/datafs/cli/render"
	"github.com/datafs/datafs/objects/names"
)

func repoCommands(s *session) []*cli.Command {
	return []*cli.Command{
		command(catRepo, "init", "[DIR]", "make a repository (.datafs) here", s.init),
		command(catRepo, "stats", "", "print how much is stored, and how well", s.stats),
		fsckCommand(s),
		gcCommand(s),
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
		fmt.Fprintf(w, "repository    %s\n", names.Visible(v.Repository))
		fmt.Fprintf(w, "archives      %d\n", v.Archives)
		fmt.Fprintf(w, "versions      %d\n", v.Versions)
		fmt.Fprintf(w, "logical size  %s\n", render.Bytes(v.Logical))
		fmt.Fprintf(w, "unique        %s in %s (deduplication %.1f x)\n", render.Bytes(v.Unique), render.Count(v.Chunks, "chunk"), v.Dedup)
		fmt.Fprintf(w, "stored        %s in %s (compression %.1f x)\n", render.Bytes(v.Stored), render.Count(v.Packs, "pack"), v.Compression)
		if v.Copies > 0 {
			fmt.Fprintf(w, "copies        %s in %s that checkouts share\n", render.Bytes(v.CopyBytes), render.Count(v.Copies, "file"))
		}
	})
}

func ratio(a, b int64) float64 {
	if b == 0 {
		return 1
	}
	return float64(a) / float64(b)
}
