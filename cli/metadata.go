package cli

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/datafs/datafs"
	"github.com/datafs/datafs/cli/render"
	"github.com/datafs/datafs/objects/names"
)

func metadataCommands(s *session) []*cli.Command {
	return []*cli.Command{
		command(catMeta, "metadata", "NAME", "print the metadata of an archive", s.metadata),
		command(catMeta, "update_metadata", "NAME", "set metadata of an archive", s.updateMetadata,
			&cli.StringSliceFlag{Name: "remove", Usage: "`KEY` to take away; may be repeated"}),
		command(catMeta, "get_dependencies", "NAME", "print what a version depends on", s.getDependencies, versionFlag()),
		command(catMeta, "set_dependencies", "NAME", "replace the dependencies of the latest version", s.setDependencies, dependencyFlag(), strictFlag()),
		command(catMeta, "get_tags", "NAME", "print the tags of an archive", s.getTags),
		command(catMeta, "add_tags", "NAME TAG [TAG...]", "add tags to an archive", s.addTags),
		command(catMeta, "delete_tags", "NAME TAG [TAG...]", "remove tags from an archive", s.deleteTags),
	}
}

// sortedKeys returns the keys of several maps in order, each once.
func sortedKeys[M ~map[string]V, V any](ms ...M) []string {
	all := map[string]bool{}
	for _, m := range ms {
		for k := range m {
			all[k] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}

func (s *session) metadata(c *cli.Context) error {
	a, err := s.archive(c)
	if err != nil {
		return err
	}
	m, err := a.Metadata(c.Context)
	if err != nil {
		return err
	}
	return s.emit(c, m, func(w io.Writer) { fmt.Fprintln(w, render.Literal(m)) })
}

func (s *session) updateMetadata(c *cli.Context) error {
	a, err := s.archive(c)
	if err != nil {
		return err
	}
	set := s.freeSet()
	for _, key := range c.StringSlice("remove") {
		set[key] = nil
	}
	return a.UpdateMetadata(c.Context, set)
}

func (s *session) getDependencies(c *cli.Context) error {
	a, err := s.archive(c)
	if err != nil {
		return err
	}
	deps, err := a.Dependencies(c.Context, c.String("version"))
	if err != nil {
		return err
	}
	return s.emit(c, deps, func(w io.Writer) { fmt.Fprintln(w, render.Literal(deps)) })
}

func (s *session) setDependencies(c *cli.Context) error {
	deps, err := datafs.ParseDependencies(c.StringSlice("dependency"))
	if err != nil {
		return err
	}
	a, err := s.archive(c)
	if err != nil {
		return err
	}
	if c.Bool("strict") {
		return a.SetDependenciesStrict(c.Context, deps)
	}
	return a.SetDependencies(c.Context, deps)
}

func strictFlag() cli.Flag {
	return &cli.BoolFlag{Name: "strict", Usage: "a dependency that is not here, or was yanked, is an error"}
}

func (s *session) getTags(c *cli.Context) error {
	a, err := s.archive(c)
	if err != nil {
		return err
	}
	tags, err := a.Tags(c.Context)
	if err != nil {
		return err
	}
	return s.emit(c, append([]string{}, tags...), func(w io.Writer) { fmt.Fprintln(w, names.Visible(strings.Join(tags, " "))) })
}

func (s *session) addTags(c *cli.Context) error {
	a, err := s.archive(c)
	if err != nil {
		return err
	}
	return a.AddTags(c.Context, c.Args().Tail()...)
}

func (s *session) deleteTags(c *cli.Context) error {
	a, err := s.archive(c)
	if err != nil {
		return err
	}
	return a.DeleteTags(c.Context, c.Args().Tail()...)
}
