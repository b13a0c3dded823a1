package cli

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/urfave/cli/v2"

	"github.com/datafs/datafs"
	"github.com/datafs/datafs/cli/render"
	"github.com/datafs/datafs/objects/names"
	"github.com/datafs/datafs/remote/team"
)

func syncCommands(s *session) []*cli.Command {
	return []*cli.Command{
		command(catTeam, "push", "[ARCHIVE...]", "send the team what it lacks", s.push,
			&cli.BoolFlag{Name: "dry-run", Aliases: []string{"n"}, Usage: "only print what would be sent"},
			&cli.BoolFlag{Name: "renumber", Usage: "move one's own versions behind those of the team that have the same numbers"}),
		command(catTeam, "pull", "[ARCHIVE[==VERSION]...]", "bring the team's changes, and contents", s.pull,
			&cli.BoolFlag{Name: "all", Usage: "bring the contents of the latest version of every archive"},
			&cli.BoolFlag{Name: "refs-only", Usage: "bring no contents"}),
		command(catTeam, "status", "[ARCHIVE...]", "show what is not pushed and what is in conflict", s.status,
			&cli.StringFlag{Name: "checkout", Usage: "look at `DIR` instead: what was edited since it was checked out"}),
		command(catTeam, "resolve", "ARCHIVE [KEY...]", "settle a conflict that pull or push reported", s.resolve,
			&cli.BoolFlag{Name: "renumber", Usage: "move one's own versions behind those of the team"},
			&cli.BoolFlag{Name: "ours", Usage: "keep what is here; the next push sends it"},
			&cli.BoolFlag{Name: "theirs", Usage: "take what the team has; one's own versions are dropped"}),
	}
}

// listed is how many lines of a kind are printed without --verbose.
const listed = 20

type pushJSON struct {
	DryRun     bool          `json:"dry_run"`
	Versions   []versionJSON `json:"versions"`
	Changed    []string      `json:"changed"`
	Deleted    []string      `json:"deleted"`
	Required   bool          `json:"required"`
	Renumbered []movedJSON   `json:"renumbered"`
	Refused    []refusedJSON `json:"refused"`
	New        int64         `json:"new_bytes"`
	Shared     int64         `json:"shared_bytes"`
	Sent       int64         `json:"sent_bytes"`
	Packs      int64         `json:"packs"`
	Requests   int64         `json:"requests"`
}

type versionJSON struct {
	Archive string `json:"archive"`
	Version string `json:"version,omitempty"`
}

type movedJSON struct {
	Archive string `json:"archive"`
	From    string `json:"from"`
	To      string `json:"to"`
}

type refusedJSON struct {
	Archive string `json:"archive"`
	Error   string `json:"error"`
	Hint    string `json:"hint,omitempty"`
}

func (s *session) push(c *cli.Context) error {
	api, err := s.open(c)
	if err != nil {
		return err
	}
	rep, err := api.Push(c.Context, &datafs.PushOptions{
		Archives: c.Args().Slice(), DryRun: c.Bool("dry-run"), Renumber: c.Bool("renumber"),
	})
	refused := slices.ContainsFunc(rep.Refused, func(r datafs.Refusal) bool { return errors.Is(err, r.Err) })
	if err == nil || refused || !nothingPushed(rep) || len(rep.Renumbered) > 0 { // a push that was broken off says how far it came
		if out := s.showPush(c, rep); out != nil {
			return out
		}
	}
	for _, r := range rep.Refused {
		s.complain(r.Err)
	}
	if refused {
		return &silentError{err}
	}
	return goesOn(c, err)
}

func nothingPushed(r datafs.PushReport) bool {
	return len(r.Versions)+len(r.Changed)+len(r.Deleted) == 0 && !r.Required
}

// goesOn says of a transfer that was broken off that it is not lost.
func goesOn(c *cli.Context, err error) error {
	if errors.Is(err, datafs.ErrUnavailable) && hintOf(err) == "" && !offline(c) {
		return &datafs.HintError{Err: err, Hint: "the same command goes on where this one ended"}
	}
	return err
}

// complain prints an error of one archive among several.
func (s *session) complain(err error) {
	s.note("%s", err)
	if hint := hintOf(err); hint != "" {
		fmt.Fprintf(s.stderr, "hint: %s\n", render.Line(hint))
	}
}

func (s *session) showPush(c *cli.Context, r datafs.PushReport) error {
	if c.Bool("json") {
		return s.emit(c, pushReport(r), nil)
	}
	if c.Bool("quiet") {
		return nil
	}
	return s.emit(c, nil, func(w io.Writer) {
		pushText(limited(w, c), r)
		fmt.Fprintln(w, pushSummary(r))
	})
}

func pushText(some *someLines, r datafs.PushReport) {
	for _, m := range r.Renumbered {
		some.line("%s", movedText(m))
	}
	some.end()
	withVersions := map[string]bool{}
	for _, v := range r.Versions {
		withVersions[v.Archive] = true
		some.line("%s %s", tense(r, "pushed", "would push"), named(v.Archive, v.Version))
	}
	some.end()
	for _, name := range r.Deleted {
		some.line("%s %s", tense(r, "deleted", "would delete"), name)
	}
	some.end()
	for _, name := range r.Changed {
		if !withVersions[name] { // else its line says enough
			some.line("%s %s", tense(r, "changed", "would change"), name)
		}
	}
	some.end()
}

// named is an archive with the version, if it has some.
func named(archive, label string) string {
	if text := printed(label); text != "" {
		return archive + " " + text
	}
	return archive
}

func tense(r datafs.PushReport, done, would string) string {
	if r.DryRun {
		return would
	}
	return done
}

func movedText(m team.Renumbered) string {
	return fmt.Sprintf("%s %s is %s now", m.Archive, m.From, m.To)
}

// pushSummary is such as "3 versions, 2 changed archives: 1.2 MiB new (0.9 MiB
// sent in 1 pack), 4.1 GiB shared, 7 requests".
func pushSummary(r datafs.PushReport) string {
	text := r.String()
	switch {
	case nothingPushed(r) && len(r.Refused)+len(r.Renumbered) > 0:
		return "nothing pushed"
	case nothingPushed(r):
		return text
	case r.DryRun:
		text = "would push " + text
	}
	text += ": " + render.Bytes(r.New) + " new"
	if r.Packs > 0 && !r.DryRun {
		text += fmt.Sprintf(" (%s sent in %s)", render.Bytes(r.Sent), render.Count(r.Packs, "pack"))
	}
	return text + fmt.Sprintf(", %s shared, %s", render.Bytes(r.Shared), render.Count(r.Requests, "request"))
}

func pushReport(r datafs.PushReport) pushJSON {
	v := pushJSON{
		DryRun: r.DryRun, Versions: []versionJSON{}, Changed: append([]string{}, r.Changed...), Deleted: append([]string{}, r.Deleted...),
		Required: r.Required, Renumbered: movedReport(r.Renumbered), Refused: []refusedJSON{},
		New: r.New, Shared: r.Shared, Sent: r.Sent, Packs: r.Packs, Requests: r.Requests,
	}
	for _, p := range r.Versions {
		v.Versions = append(v.Versions, versionJSON{p.Archive, printed(p.Version)})
	}
	for _, x := range r.Refused {
		v.Refused = append(v.Refused, refusedJSON{x.Archive, x.Err.Error(), hintOf(x.Err)})
	}
	return v
}

func movedReport(moved []team.Renumbered) []movedJSON {
	list := []movedJSON{}
	for _, m := range moved {
		list = append(list, movedJSON{m.Archive, m.From, m.To})
	}
	return list
}

// someLines prints the first lines of each kind, and how many more there are.
type someLines struct {
	w       io.Writer
	max, n  int
	verbose bool
}

func limited(w io.Writer, c *cli.Context) *someLines {
	return &someLines{w: w, max: listed, verbose: c.Bool("verbose")}
}

func (s *someLines) line(format string, a ...any) {
	if s.n++; s.verbose || s.n <= s.max {
		fmt.Fprintln(s.w, names.Visible(fmt.Sprintf(format, a...)))
	}
}

// end ends the lines of a kind.
func (s *someLines) end() {
	if more := s.n - s.max; more > 0 && !s.verbose {
		fmt.Fprintf(s.w, "and %d more (--verbose lists all)\n", more)
	}
	s.n = 0
}
