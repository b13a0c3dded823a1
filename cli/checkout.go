package cli

import (
	"fmt"
	"io"
	"runtime/debug"

	"github.com/urfave/cli/v2"

	"github.com/datafs/datafs"
	"github.com/datafs/datafs/cli/args"
	"github.com/datafs/datafs/cli/render"
	"github.com/datafs/datafs/objects/checkout"
)

// checkoutMemory is how many bytes the garbage collector lets a checkout take
// before it works harder.
const checkoutMemory = 200 << 20

func checkoutCommands(s *session) []*cli.Command {
	return []*cli.Command{
		command(catReproduce, "checkout", "[ARCHIVE[REQUIREMENT]...]", "write what is required into a directory", s.checkout,
			requirementsFlag(),
			&cli.StringFlag{Name: "dir", Usage: "`DIR` to write to, which is made (default: the working directory)"},
			&cli.StringFlag{Name: "link", Value: "auto", Usage: "`WAY` to write files: copy, reflink (share blocks), hardlink (share files, read-only), or auto: reflink where that works, else copy (default: auto)"},
			&cli.BoolFlag{Name: "locked", Usage: "take exactly what the lock beside the requirements says; ask no manager"},
			&cli.StringFlag{Name: "lock", Usage: "`FILE` that is the lock; goes with --locked"},
			&cli.BoolFlag{Name: "deps", Usage: "also what the versions depend on"},
			&cli.BoolFlag{Name: "force", Usage: "replace files that were edited, or that no checkout wrote"},
			&cli.BoolFlag{Name: "prune", Usage: "remove what earlier checkouts wrote and is not wanted any more"},
			&cli.BoolFlag{Name: "dry-run", Aliases: []string{"n"}, Usage: "only print what would be done"}),
	}
}

type checkoutJSON struct {
	DryRun    bool             `json:"dry_run"`
	Archives  []checkedOutJSON `json:"archives"`
	Written   int64            `json:"written"`
	Bytes     int64            `json:"written_bytes"`
	Unchanged int64            `json:"unchanged"`
	Removed   int64            `json:"removed"`
	Left      int64            `json:"left"`
	Way       string           `json:"way"`
	Kept      []keptJSON       `json:"kept"`
}

type checkedOutJSON struct {
	Name     string `json:"archive"`
	Version  string `json:"version,omitempty"`
	Before   string `json:"before,omitempty"`
	Size     int64  `json:"size"`
	Files    int64  `json:"files"`
	New      int64  `json:"new"`
	Replaced int64  `json:"replaced"`
	Removed  int64  `json:"removed"`
	Kept     int64  `json:"kept"`
}

type keptJSON struct {
	Path    string `json:"path"`
	Archive string `json:"archive"`
	Why     string `json:"why"`
}

func (s *session) checkout(c *cli.Context) error {
	if c.String("lock") != "" && !c.Bool("locked") {
		return args.Usagef("", "--lock goes with --locked")
	}
	api, err := s.open(c)
	if err != nil {
		return err
	}
	opts := &datafs.CheckoutOptions{
		Requirements: c.String("r"), Archives: c.Args().Slice(), Deps: c.Bool("deps"), Link: c.String("link"),
		Force: c.Bool("force"), Prune: c.Bool("prune"), DryRun: c.Bool("dry-run"),
	}
	if c.Bool("locked") {
		if opts.Locked = c.String("lock"); opts.Locked == "" {
			opts.Locked = api.LockFile(c.String("r"))
		}
	}
	// With very many files memory is dearer than time.
	defer debug.SetGCPercent(debug.SetGCPercent(50))
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(min(checkoutMemory, debug.SetMemoryLimit(-1))))
	rep, err := api.Checkout(c.Context, c.String("dir"), opts)
	if err == nil || len(rep.Kept) > 0 {
		if out := s.showCheckout(c, rep, opts); out != nil {
			return out
		}
	}
	return goesOn(c, err)
}

func (s *session) showCheckout(c *cli.Context, rep datafs.CheckoutReport, opts *datafs.CheckoutOptions) error {
	if c.Bool("json") {
		return s.emit(c, checkoutReport(rep, opts.DryRun), nil)
	}
	if c.Bool("quiet") {
		s.keptNotes(c, rep)
		return nil
	}
	err := s.emit(c, nil, func(w io.Writer) {
		some := limited(w, c)
		for _, a := range rep.Archives {
			checkoutLine(some, a, opts.DryRun)
		}
		some.end()
		fmt.Fprintln(w, checkoutSummary(rep, opts.DryRun))
	})
	s.keptNotes(c, rep)
	if rep.Left > 0 {
		s.note("%s of earlier checkouts not wanted any more: --prune removes them", render.Count(rep.Left, "file"))
	}
	return err
}

// keptNotes names the files that are in the way.
func (s *session) keptNotes(c *cli.Context, rep datafs.CheckoutReport) {
	for i, k := range rep.Kept {
		if i == listed && !c.Bool("verbose") {
			s.note("and %d more (--verbose lists all)", len(rep.Kept)-i)
			return
		}
		s.note("kept %s: %s", k.Path, k.Why)
	}
}

// checkoutLine is what happened to one archive, if anything.
func checkoutLine(some *someLines, a checkout.Archive, dry bool) {
	name := named(a.Name, a.Version)
	size := fmt.Sprintf("%s, %s", render.Count(a.Files, "file"), render.Bytes(a.Size))
	switch {
	case dry && a.New+a.Replaced+a.Removed+a.Kept > 0:
		some.line("%s: %s", name, joined(some1(a.New, "to write"), some1(a.Replaced, "to replace"), some1(a.Removed, "to remove"), some1(a.Kept, "to keep")))
	case dry:
	case a.New+a.Replaced > 0:
		some.line("checked out %s (%s)", name, size)
	case a.Removed > 0:
		some.line("removed %s of %s", render.Count(a.Removed, "file"), a.Name)
	}
}

func some1(n int64, what string) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("%s %s", render.Count(n, "file"), what)
}

// checkoutSummary is such as "12 files written (4.5 MiB), 988 unchanged, 0
// removed, by copy".
func checkoutSummary(rep datafs.CheckoutReport, dry bool) string {
	would := ""
	if dry {
		would = "would be "
	}
	text := fmt.Sprintf("%s %swritten (%s), %d unchanged, %d removed", render.Count(rep.Written, "file"), would, render.Bytes(rep.Bytes), rep.Unchanged, rep.Removed)
	if rep.Way != "" {
		text += ", by " + string(rep.Way)
	}
	return text
}

func checkoutReport(rep datafs.CheckoutReport, dry bool) checkoutJSON {
	v := checkoutJSON{
		DryRun: dry, Archives: []checkedOutJSON{}, Written: rep.Written, Bytes: rep.Bytes, Unchanged: rep.Unchanged,
		Removed: rep.Removed, Left: rep.Left, Way: string(rep.Way), Kept: []keptJSON{},
	}
	for _, a := range rep.Archives {
		v.Archives = append(v.Archives, checkedOutJSON(a))
	}
	for _, k := range rep.Kept {
		v.Kept = append(v.Kept, keptJSON(k))
	}
	return v
}
