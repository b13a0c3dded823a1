package cli

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/datafs/datafs"
	"github.com/datafs/datafs/cli/args"
	"github.com/datafs/datafs/cli/render"
	"github.com/datafs/datafs/objects/names"
)

func writeCommands(s *session) []*cli.Command {
	return []*cli.Command{
		command(catData, "create", "NAME", "make an archive", s.create,
			authorityFlag(),
			&cli.BoolFlag{Name: "versioned", Value: true, Usage: "every change makes a new, permanent version (the default)"},
			&cli.BoolFlag{Name: "not-versioned", Usage: "contents are replaced in place; the log still grows"},
			tagFlag(),
			&cli.BoolFlag{Name: "helper", Usage: "ask for required metadata that is missing"}),
		command(catData, "update", "NAME [FILE]", "make a new version of a file or a directory", s.update,
			&cli.StringFlag{Name: "bumpversion", Usage: "`KIND` of number to raise: major, minor or patch"},
			&cli.StringFlag{Name: "prerelease", Usage: "`STAGE` of a prerelease: alpha or beta"},
			dependencyFlag(), strictFlag(),
			messageFlag(),
			&cli.BoolFlag{Name: "string", Usage: "FILE is the text itself; without FILE, the contents are standard input"},
			&cli.StringFlag{Name: "requirements_file", Usage: "`FILE` of requirements, which become the dependencies of this version"},
			&cli.BoolFlag{Name: "allow-empty", Usage: "make a version even if there are no contents"}),
		command(catData, "import", "DIR", "make an archive of each file below a directory", s.importDir,
			&cli.StringFlag{Name: "prefix", Usage: "`NAME` in front of the files' paths"},
			authorityFlag(), tagFlag(), messageFlag(), dependencyFlag(), strictFlag(),
			&cli.BoolFlag{Name: "dry-run", Aliases: []string{"n"}, Usage: "only print what would be taken"}),
	}
}

func deleteCommand(s *session) *cli.Command {
	return command(catData, "delete", "NAME", "delete an archive with all its versions", s.delete)
}

type archiveJSON struct {
	Archive   string `json:"archive"`
	Authority string `json:"authority"`
	Versioned bool   `json:"versioned"`
}

func (s *session) create(c *cli.Context) error {
	api, err := s.open(c)
	if err != nil {
		return err
	}
	if c.IsSet("versioned") && c.Bool("versioned") && c.Bool("not-versioned") {
		return args.Usagef("", "--versioned and --not-versioned contradict each other")
	}
	a, err := api.Create(c.Context, c.Args().First(), &datafs.CreateOptions{
		Authority:   c.String("authority_name"),
		Unversioned: c.Bool("not-versioned") || !c.Bool("versioned"),
		Metadata:    s.free(), Tags: c.StringSlice("tag"), Helper: s.helper(c),
	})
	if err != nil {
		return err
	}
	kind := "archive"
	if a.Versioned() {
		kind = "versioned archive"
	}
	return s.say(c, archiveJSON{a.Name(), a.Authority(), a.Versioned()}, "created %s %s", kind, a)
}

type updateJSON struct {
	Archive  string `json:"archive"`
	Version  string `json:"version,omitempty"`
	Previous string `json:"previous,omitempty"`
	Created  bool   `json:"created"`
	Files    int64  `json:"files"`
	Size     int64  `json:"size"`
	New      int64  `json:"new_bytes"`
	Stored   int64  `json:"stored_bytes"`
}

func (s *session) update(c *cli.Context) error {
	opts, err := s.updateOptions(c)
	if err != nil {
		return err
	}
	a, err := s.archive(c)
	if err != nil {
		return err
	}
	res, err := s.takeIn(c, a, opts)
	if err != nil {
		return err
	}
	s.verbose(c, "%s in %s, %s new, stored as %s", render.Bytes(res.Size), render.Count(res.Files, "file"), render.Bytes(res.New), render.Bytes(res.Stored))
	return s.say(c, updateReport(a, res),
		"uploaded data to %s.%s", a, outcome(a, res))
}

func updateReport(a *datafs.Archive, r datafs.Result) updateJSON {
	return updateJSON{a.Name(), r.Version, r.Previous, r.Created, r.Files, r.Size, r.New, r.Stored}
}

// outcome is what the seed prints behind the first sentence.
func outcome(a *datafs.Archive, r datafs.Result) string {
	switch {
	case !a.Versioned():
		return ""
	case !r.Created:
		return fmt.Sprintf(" version remains %s.", r.Version)
	case r.Previous == "":
		return fmt.Sprintf(" new version %s created.", r.Version)
	}
	return fmt.Sprintf(" version bumped %s --> %s.", r.Previous, r.Version)
}

func (s *session) updateOptions(c *cli.Context) (*datafs.UpdateOptions, error) {
	opts := &datafs.UpdateOptions{
		Bump: c.String("bumpversion"), Prerelease: c.String("prerelease"),
		Requirements: c.String("requirements_file"), Metadata: s.freeSet(), AllowEmpty: c.Bool("allow-empty"),
		Strict: c.Bool("strict"),
	}
	var err error
	if c.IsSet("dependency") {
		opts.Dependencies, err = datafs.ParseDependencies(c.StringSlice("dependency"))
	}
	opts.Message = message(c)
	return opts, err
}

func message(c *cli.Context) *string {
	if !c.IsSet("message") {
		return nil
	}
	m := c.String("message")
	return &m
}

// takeIn finds the source of the new contents and takes it in.
func (s *session) takeIn(c *cli.Context, a *datafs.Archive, opts *datafs.UpdateOptions) (datafs.Result, error) {
	source := c.Args().Get(1)
	switch {
	case c.Bool("string") && c.NArg() > 1:
		return a.UpdateFrom(c.Context, strings.NewReader(source), opts)
	case c.Bool("string"), source == "-":
		return a.UpdateFrom(c.Context, s.input(c.Context), opts)
	case c.NArg() < 2:
		var err error
		if source, err = s.ask(c.Context, "enter filepath: "); err != nil {
			return datafs.Result{}, err
		}
	}
	if source == "" {
		return datafs.Result{}, args.Usagef(`use "-" for standard input`, "no file was named")
	}
	if in, err := s.openInput(c.Context, source); in != nil || err != nil {
		if err != nil {
			return datafs.Result{}, fmt.Errorf("update %s: %w", a, err)
		}
		defer in.Close()
		return a.UpdateFrom(c.Context, in, opts)
	}
	if fi, err := os.Stat(source); err == nil && fi.Mode().IsRegular() {
		s.total = fi.Size()
	}
	return a.Update(c.Context, source, opts)
}

func (s *session) verbose(c *cli.Context, format string, args ...any) {
	if c.Bool("verbose") && !c.Bool("quiet") {
		s.note(format, args...)
	}
}

type importJSON struct {
	Created   int64            `json:"created"`
	Updated   int64            `json:"updated"`
	Unchanged int64            `json:"unchanged"`
	Skipped   int64            `json:"skipped"`
	Size      int64            `json:"size"`
	New       int64            `json:"new_bytes"`
	Stored    int64            `json:"stored_bytes"`
	Files     []importFileJSON `json:"files"`
}

type importFileJSON struct {
	Path    string `json:"path"`
	Archive string `json:"archive,omitempty"`
	Version string `json:"version,omitempty"`
	Status  string `json:"status"`
	Why     string `json:"why,omitempty"`
}

func (s *session) importDir(c *cli.Context) error {
	api, err := s.open(c)
	if err != nil {
		return err
	}
	files := []importFileJSON{}
	opts := &datafs.ImportOptions{
		Prefix: c.String("prefix"), Authority: c.String("authority_name"), Tags: c.StringSlice("tag"),
		Message: message(c), Metadata: s.free(), DryRun: c.Bool("dry-run"), Strict: c.Bool("strict"),
		Each: func(i datafs.ImportItem) {
			if i.Status == datafs.ImportSkipped && !c.Bool("quiet") {
				s.note("skipped %s: %s", i.Path, i.Why)
			}
			if c.Bool("json") || c.Bool("dry-run") || c.Bool("verbose") {
				files = append(files, importFileJSON{i.Path, i.Archive, i.Version, string(i.Status), i.Why})
			}
		},
	}
	if c.IsSet("dependency") {
		if opts.Dependencies, err = datafs.ParseDependencies(c.StringSlice("dependency")); err != nil {
			return err
		}
	}
	sum, err := api.Import(c.Context, c.Args().First(), opts)
	if err != nil {
		return err
	}
	v := importJSON{sum.Created, sum.Updated, sum.Unchanged, sum.Skipped, sum.Size, sum.New, sum.Stored, files}
	return s.emit(c, v, func(w io.Writer) { importText(c, w, v) })
}

func importText(c *cli.Context, w io.Writer, v importJSON) {
	for _, f := range v.Files {
		if f.Status != string(datafs.ImportSkipped) {
			fmt.Fprintln(w, names.Visible(strings.TrimRight(fmt.Sprintf("%-9s %s %s", f.Status, f.Archive, f.Version), " ")))
		}
	}
	if c.Bool("quiet") {
		return
	}
	verb := "imported"
	if c.Bool("dry-run") {
		verb = "would import"
	}
	fmt.Fprintf(w, "%s %s: %d created, %d updated, %d unchanged, %d skipped\n", verb,
		render.Count(v.Created+v.Updated+v.Unchanged, "file"), v.Created, v.Updated, v.Unchanged, v.Skipped)
}

func (s *session) delete(c *cli.Context) error {
	a, err := s.archive(c)
	if err != nil {
		return err
	}
	if err := s.confirm(c, fmt.Sprintf("delete %s with all its versions?", a)); err != nil {
		return err
	}
	if err := a.Delete(c.Context); err != nil {
		return err
	}
	s.sayUndelete(c, a.Name())
	return s.say(c, map[string]string{"deleted": a.Name()}, "deleted archive %s", a)
}
