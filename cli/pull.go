package cli

import (
	"fmt"
	"io"

	"github.com/urfave/cli/v2"

	"github.com/datafs/datafs"
	"github.com/datafs/datafs/cli/args"
	"github.com/datafs/datafs/cli/render"
	"github.com/datafs/datafs/remote/team"
)

type pullJSON struct {
	NewArchives     int64          `json:"new_archives"`
	ChangedArchives int64          `json:"changed_archives"`
	ChangedVersions int64          `json:"changed_versions"`
	DeletedArchives int64          `json:"deleted_archives"`
	NewVersions     int64          `json:"new_versions"`
	Conflicts       []conflictJSON `json:"conflicts"`
	Contents        []pulledJSON   `json:"contents"`
	Requests        int64          `json:"requests"`
	Received        int64          `json:"received_bytes"`
}

type conflictJSON struct {
	Archive string  `json:"archive"`
	Kind    string  `json:"kind"`
	Version string  `json:"version,omitempty"`
	Key     string  `json:"key,omitempty"`
	Mine    *string `json:"mine"`
	Theirs  *string `json:"theirs"`
	Base    *string `json:"base"`
	Text    string  `json:"text"`
	Hint    string  `json:"hint,omitempty"`
}

type pulledJSON struct {
	Archive string `json:"archive"`
	Version string `json:"version,omitempty"`
	Size    int64  `json:"size"`
	Here    bool   `json:"was_here"`
}

func (s *session) pull(c *cli.Context) error {
	if c.Bool("refs-only") && (c.Bool("all") || c.NArg() > 0) {
		return args.Usagef("", "--refs-only brings no contents: it goes with neither --all nor archives")
	}
	if c.Bool("all") && c.NArg() > 0 {
		return args.Usagef("", "--all is every archive: it does not go with names")
	}
	api, err := s.open(c)
	if err != nil {
		return err
	}
	rep, err := api.Pull(c.Context, &datafs.PullOptions{
		RefsOnly: c.Bool("refs-only"), All: c.Bool("all"), Archives: c.Args().Slice(),
	})
	// What was merged and fetched before an error is here to stay.
	if err == nil || newsText(rep) != "" || len(rep.Conflicts)+len(rep.Contents) > 0 {
		if out := s.showPull(c, rep); out != nil {
			return out
		}
	}
	return goesOn(c, err)
}

func (s *session) showPull(c *cli.Context, r datafs.PullReport) error {
	if c.Bool("json") {
		return s.emit(c, pullReport(r), nil)
	}
	if c.Bool("quiet") {
		return nil
	}
	return s.emit(c, nil, func(w io.Writer) {
		if text := newsText(r); text != "" {
			fmt.Fprintln(w, text)
		} else if len(r.Conflicts) == 0 {
			fmt.Fprintln(w, "up to date")
		}
		some := limited(w, c)
		for _, p := range r.Contents {
			switch {
			case !p.Cached:
				some.line("pulled %s (%s)", named(p.Archive, p.Version), render.Bytes(p.Size))
			case some.verbose:
				some.line("%s is here already", named(p.Archive, p.Version))
			}
		}
		some.end()
	})
}

// newsText is such as "12 new archives, 30 new versions, 2 changed, 1 deleted",
// "" when there is nothing new.
func newsText(r datafs.PullReport) string {
	count := func(n int64, text string) string {
		if n == 0 {
			return ""
		}
		return text
	}
	return joined(
		count(int64(r.NewArchives), render.Count(int64(r.NewArchives), "new archive")),
		count(int64(r.NewVersions), render.Count(int64(r.NewVersions), "new version")),
		count(int64(r.ChangedVersions), render.Count(int64(r.ChangedVersions), "changed version")),
		count(int64(r.ChangedArchives), fmt.Sprintf("%d changed", r.ChangedArchives)),
		count(int64(r.DeletedArchives), fmt.Sprintf("%d deleted", r.DeletedArchives)),
	)
}

func pullReport(r datafs.PullReport) pullJSON {
	v := pullJSON{
		NewArchives: int64(r.NewArchives), ChangedArchives: int64(r.ChangedArchives), ChangedVersions: int64(r.ChangedVersions), DeletedArchives: int64(r.DeletedArchives),
		NewVersions: int64(r.NewVersions), Conflicts: conflictReport(r.Conflicts), Contents: []pulledJSON{},
		Requests: r.Requests, Received: r.Received,
	}
	for _, p := range r.Contents {
		v.Contents = append(v.Contents, pulledJSON{p.Archive, printed(p.Version), p.Size, p.Cached})
	}
	return v
}

func conflictReport(conflicts []team.Conflict) []conflictJSON {
	list := []conflictJSON{}
	for _, x := range conflicts {
		list = append(list, conflictJSON{x.Archive, x.Kind, x.Version, x.Key, x.Mine, x.Theirs, x.Base, x.String(), conflictHint(x)})
	}
	return list
}
