package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/datafs/datafs"
	"github.com/datafs/datafs/cli/args"
	"github.com/datafs/datafs/objects/names"
	"github.com/datafs/datafs/refs"
)

func yankCommands(s *session) []*cli.Command {
	return []*cli.Command{
		command(catReproduce, "yank", "ARCHIVE==VERSION...", "mark versions that turned out wrong", s.yank,
			&cli.StringFlag{Name: "reason", Usage: "`TEXT` that says what is wrong"},
			&cli.BoolFlag{Name: "undo", Usage: "take it back"}),
	}
}

type yankJSON struct {
	Archive string  `json:"archive"`
	Version string  `json:"version"`
	Yanked  bool    `json:"yanked"`
	Reason  *string `json:"reason"`
}

// yanking is one version to yank.
type yanking struct {
	archive *datafs.Archive
	version string
}

func (s *session) yank(c *cli.Context) error {
	reason, undo := strings.TrimSpace(c.String("reason")), c.Bool("undo")
	switch {
	case c.Args().Len() == 0:
		return args.Usagef("", "yank needs ARCHIVE==VERSION")
	case undo && c.IsSet("reason"):
		return args.Usagef("", "--undo takes no --reason")
	case !undo && reason == "":
		return args.Usagef("datafs yank ARCHIVE==VERSION --reason TEXT", "yank needs a --reason")
	}
	list, err := s.yankings(c)
	if err != nil {
		return err
	}
	done := []yankJSON{}
	for _, y := range list {
		if undo {
			err = y.archive.Unyank(c.Context, y.version)
			done = append(done, yankJSON{y.archive.Name(), y.version, false, nil})
		} else {
			err = y.archive.Yank(c.Context, y.version, reason)
			done = append(done, yankJSON{y.archive.Name(), y.version, true, &reason})
		}
		if err != nil {
			return err
		}
	}
	if c.Bool("quiet") && !c.Bool("json") {
		return nil
	}
	return s.emit(c, done, func(w io.Writer) {
		for _, y := range done {
			fmt.Fprintln(w, y.text())
		}
	})
}

// yankings finds all versions that are named, before any is yanked.
func (s *session) yankings(c *cli.Context) ([]yanking, error) {
	api, err := s.open(c)
	if err != nil {
		return nil, err
	}
	var list []yanking
	for _, arg := range c.Args().Slice() {
		name, number, ok := strings.Cut(arg, "==")
		if !ok {
			return nil, args.Usagef("", "yank %s: want ARCHIVE==VERSION", arg)
		}
		v, err := refs.ParseVersion(strings.TrimSpace(number))
		if err != nil {
			return nil, err
		}
		a, err := api.Archive(c.Context, strings.TrimSpace(name), nil)
		if err != nil {
			return nil, err
		}
		if err := a.CheckYank(c.Context, v.String()); err != nil {
			return nil, err
		}
		list = append(list, yanking{a, v.String()})
	}
	return list, nil
}

func (y yankJSON) text() string {
	if !y.Yanked {
		return names.Visible(fmt.Sprintf("%s %s is no longer yanked", y.Archive, y.Version))
	}
	return names.Visible(fmt.Sprintf("yanked %s %s: %s", y.Archive, y.Version, *y.Reason))
}
