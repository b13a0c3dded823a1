package cli

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"github.com/datafs/datafs"
	"github.com/datafs/datafs/cli/args"
)

func configCommands(s *session) []*cli.Command {
	return []*cli.Command{
		command(catConfig, "configure", "", "set who you are, or edit the configuration", s.configure,
			&cli.BoolFlag{Name: "helper", Usage: "ask for required values that are missing"},
			&cli.BoolFlag{Name: "edit", Usage: "open the configuration file in an editor (VISUAL, EDITOR), do nothing else"},
			&cli.StringFlag{Name: "trust", Usage: "trust the own configuration of the repository in `DIR`, do nothing else"}),
	}
}

func (s *session) configure(c *cli.Context) error {
	opts := s.options(c)
	if c.IsSet("trust") {
		return s.trust(c, opts)
	}
	if c.Bool("edit") {
		return s.edit(opts)
	}
	return datafs.Configure(c.Context, opts, s.free(), s.helper(c))
}

// trust records that a repository's own configuration may do what the user's may.
func (s *session) trust(c *cli.Context, opts *datafs.Options) error {
	dir := c.String("trust")
	if dir == "" {
		return args.Usagef("", "--trust needs the directory of a repository")
	}
	if len(s.free()) > 0 || c.Bool("edit") || c.Bool("helper") {
		return args.Usagef("", "--trust does nothing else: give it alone")
	}
	repo, err := datafs.Trust(c.Context, dir, opts)
	if err != nil {
		return err
	}
	return s.say(c, map[string]string{"repository": repo}, "repository %s and its own configuration are trusted", repo)
}

// edit opens the configuration file in the user's editor.
func (s *session) edit(opts *datafs.Options) error {
	file, _, err := datafs.ConfigureTarget(opts)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	editor, err := words(firstSet("VISUAL", "EDITOR"))
	if err != nil {
		return fmt.Errorf("edit %s: VISUAL or EDITOR: %w", file, err)
	}
	if len(editor) == 0 {
		editor = []string{"vi"}
	}
	cmd := exec.Command(editor[0], append(editor[1:], file)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = s.stdin, s.stdout, s.stderr
	lent.Add(1)
	defer lent.Add(-1)
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("edit %s with %s: %w", file, editor[0], err)
	}
	return nil
}

func firstSet(names ...string) string {
	for _, n := range names {
		if v := os.Getenv(n); v != "" {
			return v
		}
	}
	return ""
}
