package cli

import (
	"fmt"
	"io"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/datafs/datafs"
	"github.com/datafs/datafs/cli/args"
	"github.com/datafs/datafs/cli/render"
	"github.com/datafs/datafs/objects/names"
	"github.com/datafs/datafs/remote/config"
)

func gcCommand(s *session) *cli.Command {
	return command(catRepo, "gc", "", "remove content that no version needs", s.gc,
		&cli.BoolFlag{Name: "dry-run", Aliases: []string{"n"}, Usage: "only print what would be removed"},
		&cli.StringFlag{Name: "grace", Usage: "how long what was deleted stays, a `TIME` such as 14d or 12h; 0: not at all (default: the profile's, or 14d)", Action: checkTime})
}

func checkTime(_ *cli.Context, text string) error {
	if _, err := config.ParseTime(text); err != nil {
		return args.Usagef("", "--grace: %v", err)
	}
	return nil
}

type gcJSON struct {
	Packs     int64         `json:"packs"`
	Removed   int64         `json:"removed"`
	Rewritten int64         `json:"rewritten"`
	Live      int64         `json:"live_chunks"`
	Freed     int64         `json:"freed_bytes"`
	Waiting   int64         `json:"waiting_bytes"`
	Until     *time.Time    `json:"waiting_until,omitempty"`
	Unsure    int64         `json:"unsure_bytes,omitempty"`
	Copies    int64         `json:"removed_copies,omitempty"`
	CopyBytes int64         `json:"removed_copy_bytes,omitempty"`
	Gone      []deletedJSON `json:"gone,omitempty"`
	Left      []deletedJSON `json:"left,omitempty"`
}

type deletedJSON struct {
	Archive string    `json:"archive"`
	Version string    `json:"version"`
	Size    int64     `json:"size"`
	Deleted time.Time `json:"deleted"`
	Until   time.Time `json:"until"`
}

func (s *session) gc(c *cli.Context) error {
	api, err := s.open(c)
	if err != nil {
		return err
	}
	opts := &datafs.GCOptions{Dry: c.Bool("dry-run")}
	if c.IsSet("grace") {
		grace, _ := config.ParseTime(c.String("grace")) // the flag has been checked
		opts.Grace = &grace
	}
	rep, err := api.GC(c.Context, opts)
	if err != nil {
		return err
	}
	v := newGCJSON(&rep)
	if c.Bool("quiet") && !c.Bool("json") {
		return nil
	}
	err = s.emit(c, v, func(w io.Writer) { v.text(w, opts.Dry) })
	if rep.NoRoom {
		s.note("the disk is full: packs that hold garbage among other things stay until there is room to write them anew")
	}
	return err
}

func newGCJSON(rep *datafs.GCReport) gcJSON {
	v := gcJSON{
		Packs: rep.Packs, Removed: rep.Removed, Rewritten: rep.Rewritten, Live: rep.Live, Freed: rep.Freed,
		Waiting: rep.Waiting, Unsure: rep.Unsure, Copies: rep.Copies, CopyBytes: rep.CopyBytes,
	}
	until := rep.Until
	for _, d := range rep.Gone {
		v.Gone = append(v.Gone, deletedJSON(d))
	}
	for _, d := range rep.Left {
		v.Left = append(v.Left, deletedJSON(d))
		if until.IsZero() || d.Until.Before(until) {
			until = d.Until
		}
	}
	if rep.Waiting > 0 {
		v.Until = &until
	}
	return v
}

func (v gcJSON) text(w io.Writer, dry bool) {
	would := ""
	if dry {
		would = "would have "
		for _, d := range v.Gone {
			fmt.Fprintf(w, "%s==%s, %s, deleted %s\n", names.Visible(d.Archive), d.Version, render.Bytes(d.Size), d.Deleted.Local().Format(time.DateTime))
		}
	}
	copies := ""
	if v.Copies > 0 {
		copies = fmt.Sprintf(", and %s of checkouts (%s)", render.Count(v.Copies, "shared file"), render.Bytes(v.CopyBytes))
	}
	fmt.Fprintf(w, "%sremoved %s of %d, rewritten %d, freed %s%s\n", would, render.Count(v.Removed, "pack"), v.Packs, v.Rewritten, render.Bytes(v.Freed), copies)
	if v.Waiting > 0 {
		fmt.Fprintf(w, "%s that no version needs stays, the first until %s; \"datafs gc --grace 0\" frees it now\n", render.Bytes(v.Waiting), v.Until.Local().Format(time.DateTime))
	}
	if v.Unsure > 0 {
		fmt.Fprintf(w, "%s stays because it may be needed: by versions of which parts are not here, or that a lost journal named\n", render.Bytes(v.Unsure))
	}
}
