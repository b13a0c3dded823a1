package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/datafs/datafs"
	"github.com/datafs/datafs/cli/args"
	"github.com/datafs/datafs/cli/migrate"
	"github.com/datafs/datafs/cli/render"
	"github.com/datafs/datafs/objects/names"
	"github.com/datafs/datafs/remote/config"
)

func migrateCommand(s *session) *cli.Command {
	return command(catConfig, "migrate", "PROFILE [ARCHIVE...]", "take over archives of the original DataFS", s.migrate,
		&cli.BoolFlag{Name: "dry-run", Aliases: []string{"n"}, Usage: "read and verify everything, and change nothing"},
		authorityFlag(),
		&cli.StringFlag{Name: "documents", Usage: "`FILE` of the manager's documents as JSON, such as mongoexport writes; the manager itself is not asked"})
}

type migrateJSON struct {
	DryRun    bool              `json:"dry_run"`
	Archives  int64             `json:"archives"`
	Versions  int64             `json:"versions"`
	Unchanged int64             `json:"unchanged"`
	Size      int64             `json:"size"`
	Changed   int64             `json:"changed"`
	Broken    int64             `json:"broken"`
	Required  bool              `json:"required"`
	Items     []migrateItemJSON `json:"items"`
}

type migrateItemJSON struct {
	Archive   string `json:"archive"`
	Version   string `json:"version,omitempty"`
	Status    string `json:"status"`
	Why       string `json:"why,omitempty"`
	Versions  int64  `json:"versions,omitempty"`
	Unchanged int64  `json:"unchanged,omitempty"`
}

func (s *session) migrate(c *cli.Context) (err error) {
	api, err := s.open(c)
	if err != nil {
		return err
	}
	opts := &migrate.Options{
		Archives: c.Args().Tail(), Authority: c.String("authority_name"), DryRun: c.Bool("dry-run"),
	}
	v := migrateJSON{DryRun: opts.DryRun, Items: []migrateItemJSON{}}
	opts.Each = func(i migrate.Item) {
		i.Why = s.conceal(i.Why)
		if c.Bool("json") {
			v.Items = append(v.Items, migrateItemJSON{i.Archive, i.Version, string(i.Status), i.Why, i.Taken, i.Unchanged})
		} else {
			s.migrateLine(c, i)
		}
	}
	p, err := api.SeedProfile(c.Args().First())
	if err != nil {
		return err
	}
	source, err := s.openSource(c, p, opts)
	if err != nil {
		return fmt.Errorf("profile %q: %w", p.Name, err)
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	rep, err := migrate.Run(c.Context, api, opts)
	v.Archives, v.Versions, v.Unchanged, v.Size = rep.Archives, rep.Versions, rep.Unchanged, rep.Size
	v.Changed, v.Broken, v.Required = rep.Changed, rep.Broken, rep.Required
	if err == nil || rep != (migrate.Report{}) { // one that was broken off says how far it came
		if out := s.emit(c, v, func(w io.Writer) { v.text(w, c.Bool("quiet")) }); out != nil {
			return out
		}
	}
	return goesOn(c, err)
}

// migrateLine prints what became of an archive, or what is strange about it.
func (s *session) migrateLine(c *cli.Context, i migrate.Item) {
	if s.bar != nil {
		s.bar.Clear()
	}
	name := names.Visible(strings.TrimSpace(i.Archive + " " + i.Version))
	switch i.Status {
	case migrate.Changed, migrate.Broken:
		fmt.Fprintf(s.text, "%s: %s: %s\n", i.Status, name, render.Line(i.Why))
		return
	}
	if c.Bool("quiet") {
		return
	}
	what, n := string(i.Status), i.Taken
	if i.Status == migrate.Unchanged {
		n, i.Unchanged = i.Unchanged, 0
	} else if c.Bool("dry-run") {
		what = "would migrate"
	}
	text := fmt.Sprintf("%s %s: %s", what, name, render.Count(n, "version"))
	if i.Unchanged > 0 {
		text += fmt.Sprintf(", %d unchanged", i.Unchanged)
	}
	fmt.Fprintln(s.text, text)
}

func (v migrateJSON) text(w io.Writer, quiet bool) {
	if quiet {
		return
	}
	verb := "migrated"
	if v.DryRun {
		verb = "would migrate"
	}
	if v.Required {
		fmt.Fprintf(w, "%s what is required of archives and users\n", verb)
	}
	fmt.Fprintf(w, "%s %s and %s (%s): %d unchanged, %d changed, %d broken\n", verb, render.Count(v.Archives, "archive"),
		render.Count(v.Versions, "version"), render.Bytes(v.Size), v.Unchanged, v.Changed, v.Broken)
}

// source is what is opened of the original DataFS.
type source []io.Closer

func (s source) Close() (err error) {
	for _, c := range s {
		err = errors.Join(err, c.Close())
	}
	return err
}

// openSource opens the table and the authorities of a profile.
func (s *session) openSource(c *cli.Context, p config.Profile, opts *migrate.Options) (open source, err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, open.Close())
		}
	}()
	if len(p.Authorities) == 0 {
		return nil, args.Usagef("", "it has no authorities")
	}
	opts.Files = map[string]migrate.Files{}
	for _, a := range p.Authorities {
		if offline(c) && a.Service.Service != "OSFS" {
			return open, s.notOffline("authority " + a.Name)
		}
		f, err := openSeedFiles(c.Context, a.Service)
		if err != nil {
			return open, fmt.Errorf("authority %q: %w", a.Name, err)
		}
		open, opts.Files[a.Name] = append(open, f), f
	}
	if file := c.String("documents"); file != "" {
		f, err := os.Open(file)
		if err != nil {
			return open, err
		}
		opts.Seed = migrate.FromJSON(f)
		return append(open, f), nil
	}
	if offline(c) {
		return open, s.notOffline("the manager")
	}
	if opts.Seed, err = openSeed(p.Manager); err != nil {
		return open, err
	}
	return append(open, opts.Seed), nil
}

func (s *session) notOffline(what string) error {
	return fmt.Errorf("this run is offline: %s is not asked: %w", what, datafs.ErrUnavailable)
}
