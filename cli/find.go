package cli

import (
	"fmt"
	"io"

	"github.com/urfave/cli/v2"

	"github.com/datafs/datafs"
	"github.com/datafs/datafs/objects/names"
)

func findCommands(s *session) []*cli.Command {
	return []*cli.Command{
		command(catFind, "filter", "", "list archives by name", s.filter,
			&cli.StringFlag{Name: "prefix", Usage: "`TEXT` at the beginning of the name"},
			&cli.StringFlag{Name: "pattern", Usage: "`PATTERN` that names must match"},
			&cli.StringFlag{Name: "engine", Value: "path", Usage: "`ENGINE` of the pattern: path, str or regex (default: path)"}),
		command(catFind, "search", "[TAG...]", "list archives that have all the tags", s.search,
			&cli.StringFlag{Name: "prefix", Usage: "`TEXT` at the beginning of the name"}),
		command(catFind, "listdir", "LOCATION", "list what lies directly below a path of the name space", s.listdir, authorityFlag("a")),
	}
}

func (s *session) filter(c *cli.Context) error {
	api, err := s.open(c)
	if err != nil {
		return err
	}
	return s.list(c, api.Filter(c.Context, &datafs.FilterOptions{
		Prefix: c.String("prefix"), Pattern: c.String("pattern"), Engine: c.String("engine"),
	}))
}

func (s *session) search(c *cli.Context) error {
	api, err := s.open(c)
	if err != nil {
		return err
	}
	return s.list(c, api.Search(c.Context, c.String("prefix"), c.Args().Slice()...))
}

func (s *session) listdir(c *cli.Context) error {
	api, err := s.open(c)
	if err != nil {
		return err
	}
	names, err := api.ListDir(c.Context, c.Args().First(), c.String("authority_name"))
	if err != nil {
		return err
	}
	return s.emit(c, append([]string{}, names...), func(w io.Writer) { printLines(w, names) })
}

// list prints names, when all are known: after an error stdout stays empty.
func (s *session) list(c *cli.Context, seq func(yield func(string, error) bool)) error {
	names := []string{}
	for name, err := range seq {
		if err != nil {
			return err
		}
		names = append(names, name)
	}
	return s.emit(c, names, func(w io.Writer) { printLines(w, names) })
}

func printLines(w io.Writer, lines []string) {
	for _, l := range lines {
		fmt.Fprintln(w, names.Visible(l))
	}
}
