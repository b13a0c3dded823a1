package cli

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/datafs/datafs"
	"github.com/datafs/datafs/cli/args"
	"github.com/datafs/datafs/cli/render"
)

func fsckCommand(s *session) *cli.Command {
	return command(catRepo, "fsck", "", "check the repository for damage, and repair it", s.fsck,
		&cli.BoolFlag{Name: "full", Usage: "read and verify every chunk"},
		&cli.StringFlag{Name: "read-data-subset", Usage: "read and verify a `PART` of the packs, such as 5%: those that were not for the longest time", Action: checkPercent},
		&cli.StringFlag{Name: "since", Usage: "read and verify the packs that were not since a `DATE`, such as 2026-11-30", Action: checkDate},
		&cli.BoolFlag{Name: "repair", Usage: "make good what is damaged from other copies, here and at the authorities"},
		&cli.BoolFlag{Name: "rebuild-index", Usage: "first make the index anew from packs and journal"})
}

type fsckJSON struct {
	Packs    int64         `json:"packs"`
	Chunks   int64         `json:"chunks"`
	Bytes    int64         `json:"bytes"`
	Verified int64         `json:"verified_packs"`
	Archives int64         `json:"archives"`
	Versions int64         `json:"versions"`
	Whole    int64         `json:"whole_versions"`
	Leftover int64         `json:"leftover_packs"`
	TakenIn  int64         `json:"taken_in_packs"`
	Stray    []string      `json:"stray_files,omitempty"`
	Problems []string      `json:"problems"`
	Unread   []string      `json:"unreadable,omitempty"`
	Damaged  []damagedJSON `json:"damaged,omitempty"`
	Repaired *repairedJSON `json:"repaired,omitempty"`
}

type damagedJSON struct {
	Archive string `json:"archive"`
	Version string `json:"version"`
	Path    string `json:"path,omitempty"`
	Why     string `json:"why"`
}

type repairedJSON struct {
	Found       []string `json:"found"`
	Rebuilt     bool     `json:"index_rebuilt"`
	Salvaged    int64    `json:"salvaged_chunks"`
	Fetched     int64    `json:"fetched_chunks"`
	Quarantined []string `json:"quarantined_packs"`
}

func (s *session) fsck(c *cli.Context) error {
	opts, err := checkOptions(c)
	if err != nil {
		return err
	}
	api, err := s.open(c)
	if err != nil {
		return err
	}
	if c.Bool("rebuild-index") { // what it could not read, the check finds, if it is still so
		if err := s.rebuild(c, api); err != nil {
			return err
		}
	}
	if c.Bool("repair") {
		return s.repair(c, api, opts)
	}
	rep, err := api.Check(c.Context, opts)
	if err != nil {
		return err
	}
	s.fsckNotes(c, &rep)
	v := newFsckJSON(&rep)
	err = s.emit(c, v, func(w io.Writer) { v.text(w, c.Bool("quiet")) })
	switch {
	case err != nil:
		return err
	case len(rep.Problems) > 0:
		s.hint(c, fsckHint)
		return &silentError{datafs.ErrCorrupt}
	}
	return unread(&rep)
}

// unread is the error of a check that could not read everything.
func unread(rep *datafs.CheckReport) error {
	if len(rep.Unreadable) == 0 {
		return nil
	}
	return fmt.Errorf("not everything could be read: %w", rep.Unreadable[0])
}

const fsckHint = `"datafs fsck --repair" makes good what it finds other copies of, here and at the authorities`

// hint writes what can be done now to stderr.
func (s *session) hint(c *cli.Context, text string) {
	if !c.Bool("quiet") {
		fmt.Fprintf(s.stderr, "hint: %s\n", render.Line(text))
	}
}

// checkOptions reads how deep to look. A repair looks at everything unless it is
// told otherwise.
func checkOptions(c *cli.Context) (*datafs.CheckOptions, error) {
	subset, since := c.String("read-data-subset"), c.String("since")
	chosen := 0
	for _, yes := range []bool{c.Bool("full"), subset != "", since != ""} {
		if yes {
			chosen++
		}
	}
	if chosen > 1 {
		return nil, args.Usagef("", "--full, --read-data-subset and --since exclude each other")
	}
	o := &datafs.CheckOptions{Full: c.Bool("full") || c.Bool("repair") && chosen == 0}
	o.Subset, _ = parsePercent(subset) // these flags have been checked
	o.Since, _ = parseDate(since)
	return o, nil
}

func parsePercent(text string) (float64, error) {
	number, found := strings.CutSuffix(text, "%")
	n, err := strconv.ParseFloat(number, 64)
	if !found || err != nil || !(n > 0 && n <= 100) {
		return 0, fmt.Errorf("want a part such as 5%%, got %q", text)
	}
	return n / 100, nil
}

func checkPercent(_ *cli.Context, text string) error {
	if _, err := parsePercent(text); err != nil {
		return args.Usagef("", "--read-data-subset: %v", err)
	}
	return nil
}

func parseDate(text string) (time.Time, error) {
	for _, layout := range []string{time.DateOnly, "2006-01-02T15:04", time.RFC3339} {
		if t, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("want a date such as 2026-11-30, got %q", text)
}

func checkDate(_ *cli.Context, text string) error {
	if _, err := parseDate(text); err != nil {
		return args.Usagef("", "--since: %v", err)
	}
	return nil
}

// rebuild builds a new index.
func (s *session) rebuild(c *cli.Context, api *datafs.API) error {
	_, err := api.RebuildIndex(c.Context)
	if errors.Is(err, datafs.ErrCorrupt) {
		return &datafs.HintError{Err: err, Hint: "index and journal are both damaged: put one of them back from a copy"}
	}
	if err == nil && !c.Bool("quiet") {
		s.note("index rebuilt")
	}
	return err
}

// fsckNotes tells what is strange, but no damage.
func (s *session) fsckNotes(c *cli.Context, rep *datafs.CheckReport) {
	if c.Bool("quiet") {
		return
	}
	if rep.TakenIn > 0 {
		s.note("the index did not know %s, and does now", render.Count(rep.TakenIn, "pack"))
	}
	if rep.Missing > 0 {
		s.note("%s that the index knew %s not there any more: what versions need of them is looked for elsewhere", render.Count(rep.Missing, "pack"), isAre(rep.Missing))
	}
	if rep.Leftover > 0 {
		s.note("%s left by an interrupted write; gc takes care of that", render.Count(rep.Leftover, "pack"))
	}
	for i, name := range rep.Stray {
		if i == maxStray {
			s.note("and %s more", render.Count(int64(len(rep.Stray)-i), "such file"))
			break
		}
		s.note("%s is no file of datafs, and is left alone", name)
	}
}

func isAre(n int64) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

// maxStray is how many files are named that are none of ours.
const maxStray = 5

func newFsckJSON(rep *datafs.CheckReport) fsckJSON {
	v := fsckJSON{
		Packs: rep.Packs, Chunks: rep.Chunks, Bytes: rep.Bytes, Verified: rep.Verified, Archives: rep.Archives, Versions: rep.Versions,
		Whole: rep.Whole, Leftover: rep.Leftover, TakenIn: rep.TakenIn, Stray: rep.Stray, Problems: append([]string{}, rep.Problems...),
	}
	for _, err := range rep.Unreadable {
		v.Unread = append(v.Unread, err.Error())
	}
	for _, d := range rep.Damaged {
		v.Damaged = append(v.Damaged, damagedJSON(d))
	}
	return v
}

func (v fsckJSON) text(w io.Writer, quiet bool) {
	for _, p := range v.Problems {
		fmt.Fprintf(w, "damaged: %s\n", render.Line(p))
	}
	for _, p := range v.Unread {
		fmt.Fprintf(w, "unreadable: %s\n", render.Line(p))
	}
	if quiet {
		return
	}
	fmt.Fprintf(w, "checked %s, %s, %s (%s), %s, index and journal: %s\n", render.Count(v.Archives, "archive"), render.Count(v.Versions, "version"),
		render.Count(v.Packs, "pack"), render.Bytes(v.Bytes), render.Count(v.Chunks, "chunk"), verdict(len(v.Problems)+len(v.Unread)))
	if v.Versions > 0 {
		fmt.Fprintf(w, "%s\n", v.whole())
	}
}

// whole says how many versions are here in full.
func (v fsckJSON) whole() string {
	hurt := map[[2]string]bool{}
	for _, d := range v.Damaged {
		hurt[[2]string{d.Archive, d.Version}] = true
	}
	text := fmt.Sprintf("versions that are whole here: %d", v.Whole)
	if n := v.Versions - v.Whole - int64(len(hurt)); n > 0 {
		text += fmt.Sprintf(", that need an authority: %d", n)
	}
	if len(hurt) > 0 {
		text += fmt.Sprintf(", that are damaged: %d", len(hurt))
	}
	return text
}

func verdict(problems int) string {
	if problems == 0 {
		return "all is well"
	}
	return render.Count(int64(problems), "problem")
}

// repair repairs the repository, and tells what is lost.
func (s *session) repair(c *cli.Context, api *datafs.API, opts *datafs.CheckOptions) error {
	rep, err := api.Repair(c.Context, opts)
	if err != nil {
		return err
	}
	s.fsckNotes(c, &rep.CheckReport)
	v := newFsckJSON(&rep.CheckReport)
	v.Repaired = &repairedJSON{append([]string{}, rep.Found...), rep.Rebuilt, rep.Salvaged, rep.Fetched, append([]string{}, rep.Quarantined...)}
	for _, err := range rep.Unasked {
		s.note("not asked for copies: %v", err)
	}
	err = s.emit(c, v, func(w io.Writer) { v.repaired(w, c.Bool("quiet")) })
	switch {
	case err != nil:
		return err
	case len(rep.Problems) > 0 && len(rep.Unasked) > 0:
		s.hint(c, "run it again when the authorities can be asked; whoever has the files can store them again, too")
		return &silentError{datafs.ErrCorrupt}
	case len(rep.Problems) > 0:
		s.hint(c, "what is listed has no other copy that is known: whoever has the files can store them again; that heals older versions, too")
		return &silentError{datafs.ErrCorrupt}
	case rep.Unknown > 0:
		s.hint(c, "run it again when the authorities can be asked")
		return &silentError{datafs.ErrUnavailable}
	}
	return unread(&rep.CheckReport)
}

func (v fsckJSON) repaired(w io.Writer, quiet bool) {
	r := v.Repaired
	if !quiet {
		for _, p := range r.Found {
			fmt.Fprintf(w, "was damaged: %s\n", render.Line(p))
		}
		if r.Rebuilt {
			fmt.Fprintln(w, "made good: index and journal")
		}
		for _, id := range r.Quarantined {
			fmt.Fprintf(w, "moved to quarantine/: pack %s\n", id)
		}
		if r.Salvaged+r.Fetched > 0 {
			fmt.Fprintf(w, "salvaged %s of damaged packs, fetched %s from authorities\n", render.Count(r.Salvaged, "chunk"), render.Count(r.Fetched, "chunk"))
		}
	}
	v.text(w, quiet)
}
