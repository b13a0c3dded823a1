package cli

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/datafs/datafs"
	"github.com/datafs/datafs/cli/args"
	"github.com/datafs/datafs/objects/names"
)

func adminCommands(s *session) []*cli.Command {
	remove := func(what string) cli.Flag {
		return &cli.BoolFlag{Name: "remove", Usage: "take the " + what + " back"}
	}
	return []*cli.Command{{
		Name: "admin", Category: catConfig, Usage: "tables, and what is required of archives and users", Description: descriptions["admin"],
		Subcommands: []*cli.Command{
			command("", "create-table", "[NAME]", "make a table of archives", s.createTable),
			command("", "delete-table", "[NAME]", "delete a table with all its archives", s.deleteTable),
			command("", "tables", "", "list the tables", s.tables),
			command("", "require-metadata", "KEY[=PROMPT] [KEY[=PROMPT]...]", "require metadata of every new archive", s.requireMetadata, remove("requirement")),
			command("", "require-user-config", "KEY[=PROMPT] [KEY[=PROMPT]...]", "require values of every user who writes", s.requireUserConfig, remove("requirement")),
			command("", "require-pattern", "REGEX [REGEX...]", "require that names of new archives match", s.requirePattern, remove("expression")),
			command("", "show", "", "print what is required", s.showRequired),
		},
	}}
}

// table names the table of the argument, or else the profile's.
func (s *session) table(c *cli.Context) (*datafs.API, string, error) {
	api, err := s.open(c)
	if err != nil {
		return nil, "", err
	}
	if name := c.Args().First(); name != "" {
		return api, name, nil
	}
	return api, api.Table(), nil
}

func (s *session) createTable(c *cli.Context) error {
	api, name, err := s.table(c)
	if err != nil {
		return err
	}
	if err := api.CreateTable(c.Context, name); err != nil {
		return err
	}
	return s.say(c, map[string]string{"created": name}, "created table %s", name)
}

func (s *session) deleteTable(c *cli.Context) error {
	if !c.Bool("yes") && !isTerminal(s.stdin) {
		return args.Usagef("use --yes if that is meant", "a table cannot be brought back, and there is no terminal to ask on: nothing is deleted")
	}
	api, name, err := s.table(c)
	if err != nil {
		return err
	}
	if err := s.confirm(c, fmt.Sprintf("delete table %s with all its archives?", name)); err != nil {
		return err
	}
	if err := api.DeleteTable(c.Context, name); err != nil {
		return err
	}
	return s.say(c, map[string]string{"deleted": name}, "deleted table %s", name)
}

func (s *session) tables(c *cli.Context) error {
	api, err := s.open(c)
	if err != nil {
		return err
	}
	names, err := api.Tables(c.Context)
	if err != nil {
		return err
	}
	return s.emit(c, names, func(w io.Writer) { printLines(w, names) })
}

// prompts reads KEY=PROMPT arguments; with --remove the values are nil.
func prompts(c *cli.Context) (map[string]*string, error) {
	m := map[string]*string{}
	for _, arg := range c.Args().Slice() {
		key, prompt, has := strings.Cut(arg, "=")
		if key == "" {
			return nil, args.Usagef("", "no key in %q: want KEY=PROMPT", arg)
		}
		switch {
		case c.Bool("remove"):
			m[key] = nil
		case has:
			m[key] = &prompt
		default:
			m[key] = &key
		}
	}
	return m, nil
}

func (s *session) require(c *cli.Context, set func(*datafs.API, context.Context, map[string]*string) error) error {
	m, err := prompts(c)
	if err != nil {
		return err
	}
	api, err := s.open(c)
	if err != nil {
		return err
	}
	return set(api, c.Context, m)
}

func (s *session) requireMetadata(c *cli.Context) error {
	return s.require(c, (*datafs.API).RequireMetadata)
}

func (s *session) requireUserConfig(c *cli.Context) error {
	return s.require(c, (*datafs.API).RequireUserConfig)
}

func (s *session) requirePattern(c *cli.Context) error {
	api, err := s.open(c)
	if err != nil {
		return err
	}
	if c.Bool("remove") {
		return api.RequirePatterns(c.Context, nil, c.Args().Slice())
	}
	return api.RequirePatterns(c.Context, c.Args().Slice(), nil)
}

type specJSON struct {
	UserConfig map[string]string `json:"required_user_config"`
	Metadata   map[string]string `json:"required_archive_metadata"`
	Patterns   []string          `json:"required_archive_patterns"`
}

func (s *session) showRequired(c *cli.Context) error {
	api, err := s.open(c)
	if err != nil {
		return err
	}
	spec, err := api.Spec(c.Context)
	if err != nil {
		return err
	}
	v := specJSON{spec.UserConfig, spec.Metadata, append([]string{}, spec.Patterns...)}
	return s.emit(c, v, func(w io.Writer) {
		for _, key := range sortedKeys(v.UserConfig) {
			fmt.Fprintf(w, "user config  %s=%s\n", names.Visible(key), names.Visible(v.UserConfig[key]))
		}
		for _, key := range sortedKeys(v.Metadata) {
			fmt.Fprintf(w, "metadata     %s=%s\n", names.Visible(key), names.Visible(v.Metadata[key]))
		}
		for _, p := range v.Patterns {
			fmt.Fprintf(w, "pattern      %s\n", names.Visible(p))
		}
	})
}
