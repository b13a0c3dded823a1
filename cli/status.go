package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/datafs/datafs"
	"github.com/datafs/datafs/cli/args"
	"github.com/datafs/datafs/cli/render"
	"github.com/datafs/datafs/objects/names"
	"github.com/datafs/datafs/refs"
	"github.com/datafs/datafs/remote/team"
)

type statusJSON struct {
	Team     bool          `json:"team"`
	LastPull *string       `json:"last_pull"`
	Archives []pendingJSON `json:"archives"`
}

type pendingJSON struct {
	Archive   string         `json:"archive"`
	New       bool           `json:"new"`
	Deleted   bool           `json:"deleted"`
	Versions  []string       `json:"versions"`
	Contents  bool           `json:"contents"` // of an archive without versions
	Edited    []string       `json:"edited"`
	Yanked    []string       `json:"yanked"`
	Unyanked  []string       `json:"unyanked"`
	Metadata  []string       `json:"metadata"`
	Tags      []string       `json:"tags"`
	Conflicts []conflictJSON `json:"conflicts"`

	edited bool // also of an archive without versions
}

func (s *session) status(c *cli.Context) error {
	if c.IsSet("checkout") {
		return s.checkoutStatus(c)
	}
	s.local = true
	api, err := s.open(c)
	if err != nil {
		return err
	}
	if alone(api) {
		return s.say(c, statusJSON{Archives: []pendingJSON{}}, "no authority: this repository is all there is")
	}
	st, err := api.Status(c.Context, c.Args().Slice()...)
	if err != nil {
		return err
	}
	if err := known(c, api, st); err != nil {
		return err
	}
	v := statusJSON{Team: true, Archives: []pendingJSON{}}
	if st.LastPull != "" {
		v.LastPull = &st.LastPull
	}
	for _, p := range st.Pending {
		v.Archives = append(v.Archives, pendingReport(p))
	}
	return s.emit(c, v, func(w io.Writer) { v.text(w, c) })
}

// alone says that the profile names nobody to share with.
func alone(api *datafs.API) bool {
	if m := api.Manager(); m != nil {
		return m.Class == "EmbeddedManager"
	}
	return len(api.Profile().Authorities) == 0
}

// known refuses a name of an archive that is not here and was not deleted.
func known(c *cli.Context, api *datafs.API, st datafs.Status) error {
	pending := map[string]bool{}
	for _, p := range st.Pending {
		pending[p.Archive] = true
	}
	for _, name := range c.Args().Slice() {
		_, normal, err := refs.ParseName(name)
		if err == nil && !pending[normal] {
			_, err = api.Archive(c.Context, name, nil)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func pendingReport(p team.Pending) pendingJSON {
	yanked, not := yanks(p.Yanked)
	return pendingJSON{
		Archive: p.Archive, New: p.New, Deleted: p.Deleted, Versions: labels(p.Versions), Edited: labels(p.Edited), edited: len(p.Edited) > 0,
		Yanked: yanked, Unyanked: not,
		Contents: len(p.Versions) > 0 && p.Versions[0].Number > 0, Metadata: append([]string{}, p.Metadata...), Tags: append([]string{}, p.Tags...), Conflicts: conflictReport(p.Conflicts),
	}
}

// yanks tells the versions that were yanked from those of which it was taken back.
func yanks(versions []refs.VersionRecord) (yanked, not []string) {
	yanked, not = []string{}, []string{}
	for _, v := range versions {
		if v.Yanked() != nil {
			yanked = append(yanked, v.Label())
		} else {
			not = append(not, v.Label())
		}
	}
	return yanked, not
}

// labels are the printed versions; those of an archive without versions have
// none.
func labels(versions []refs.VersionRecord) []string {
	list := []string{}
	for _, v := range versions {
		if text := printed(v.Label()); text != "" {
			list = append(list, text)
		}
	}
	return list
}

// printed is a version as people see it, "" for the number of a state of an
// archive without versions.
func printed(label string) string {
	if !strings.Contains(label, ".") {
		return ""
	}
	return label
}

func (v statusJSON) text(w io.Writer, c *cli.Context) {
	for _, p := range v.Archives {
		p.text(w, c.Bool("verbose"))
	}
	if c.Bool("quiet") {
		return
	}
	if len(v.Archives) == 0 {
		fmt.Fprintln(w, "everything is pushed")
	}
	if v.LastPull == nil {
		fmt.Fprintln(w, "last pull: never")
	} else {
		fmt.Fprintf(w, "last pull: %s\n", *v.LastPull)
	}
}

// text prints a line for each kind of change of an archive.
func (p pendingJSON) text(w io.Writer, verbose bool) {
	say := func(format string, a ...any) {
		fmt.Fprintln(w, names.Visible(p.Archive+": "+fmt.Sprintf(format, a...)))
	}
	switch versions := p.versions(verbose); {
	case p.Deleted:
		say("deleted, not pushed")
	case p.New && versions == "":
		say("new, not pushed")
	case p.New:
		say("new, %s not pushed", versions)
	case versions != "":
		say("%s not pushed", versions)
	}
	switch {
	case len(p.Edited) > 0:
		say("dependencies of %s changed", enumerated(p.Edited, verbose))
	case p.edited:
		say("dependencies changed")
	}
	if len(p.Yanked) > 0 {
		say("yanked %s, not pushed", enumerated(p.Yanked, verbose))
	}
	if len(p.Unyanked) > 0 {
		say("no longer yanked %s, not pushed", enumerated(p.Unyanked, verbose))
	}
	if len(p.Metadata) > 0 && (!p.New || verbose) {
		say("metadata: %s changed", enumerated(p.Metadata, verbose))
	}
	if len(p.Tags) > 0 && (!p.New || verbose) {
		say("tags: %s", strings.Join(p.Tags, " "))
	}
	for _, x := range p.Conflicts {
		say("conflict: %s", render.Line(x.Text))
		if x.Hint != "" {
			fmt.Fprintf(w, "  %s\n", render.Line(x.Hint))
		}
	}
}

// versions names those that are not pushed; an archive without versions has
// contents instead.
func (p pendingJSON) versions(verbose bool) string {
	switch {
	case p.Contents:
		return "contents"
	case len(p.Versions) == 0:
		return ""
	case len(p.Versions) == 1:
		return "version " + p.Versions[0]
	}
	return "versions " + enumerated(p.Versions, verbose)
}

// enumerated lists names, the first ones if there are too many for a line.
func enumerated(names []string, all bool) string {
	const most = 10
	if all || len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most-1], ", "), len(names)-most+1)
}

// joined joins what is not empty with commas.
func joined(parts ...string) string {
	var there []string
	for _, p := range parts {
		if p != "" {
			there = append(there, p)
		}
	}
	return strings.Join(there, ", ")
}

type resolvedJSON struct {
	Archive    string      `json:"archive"`
	Renumbered []movedJSON `json:"renumbered"`
}

func (s *session) resolve(c *cli.Context) error {
	name, keys := c.Args().First(), c.Args().Tail()
	if err := oneWay(c, keys); err != nil {
		return err
	}
	s.local = true
	api, err := s.open(c)
	if err != nil {
		return err
	}
	moved, err := api.Resolve(c.Context, name, &datafs.ResolveOptions{
		Renumber: c.Bool("renumber"), Ours: c.Bool("ours"), Theirs: c.Bool("theirs"), Keys: keys,
	})
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return s.emit(c, resolvedJSON{name, movedReport(moved)}, nil)
	}
	if c.Bool("quiet") {
		return nil
	}
	return s.emit(c, nil, func(w io.Writer) {
		some := limited(w, c)
		for _, m := range moved {
			some.line("%s", movedText(m))
		}
		some.end()
		switch {
		case c.Bool("theirs"):
			some.line("%s is resolved: what the team has counts", name)
		case c.Bool("ours"):
			some.line(`%s is resolved: what is here counts, and "datafs push" sends it`, name)
		}
	})
}

// oneWay checks that one way out of a conflict was chosen.
func oneWay(c *cli.Context, keys []string) error {
	ways := 0
	for _, way := range []string{"renumber", "ours", "theirs"} {
		if c.Bool(way) {
			ways++
		}
	}
	switch {
	case ways != 1:
		return args.Usagef(`"datafs status" shows what is in conflict`, "resolve takes one of --renumber, --ours and --theirs")
	case c.Bool("renumber") && len(keys) > 0:
		return args.Usagef("", "--renumber is for versions: it takes no metadata keys")
	}
	return nil
}
