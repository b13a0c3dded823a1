package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/datafs/datafs"
	"github.com/datafs/datafs/cli/args"
	"github.com/datafs/datafs/cli/render"
	"github.com/datafs/datafs/objects/names"
)

func undeleteCommand(s *session) *cli.Command {
	return command(catData, "undelete", "NAME...", "bring a deleted archive back", s.undelete,
		&cli.StringFlag{Name: "as", Usage: "`NAME` that it gets, where there is a new archive by the old one"})
}

// sayUndelete tells how to take a deletion back.
func (s *session) sayUndelete(c *cli.Context, name string) {
	if c.Bool("quiet") {
		return
	}
	until := "the next gc"
	if grace := s.api.Grace(); grace > 0 {
		until = "gc's grace ends (" + graceText(grace) + ")"
	}
	fmt.Fprintf(s.stderr, "hint: datafs undelete %s brings it back until %s\n", render.Line(quoteArgument(name)), until)
}

// graceText writes a duration in days or hours, where it is one of these.
func graceText(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d%day == 0:
		return render.Count(int64(d/day), "day")
	case d%time.Hour == 0:
		return render.Count(int64(d/time.Hour), "hour")
	}
	return d.String()
}

// quoteArgument quotes a name for a shell, where it needs that.
func quoteArgument(name string) string {
	if strings.HasPrefix(name, "-") {
		return "-- " + quoteText(name)
	}
	return quoteText(name)
}

func quoteText(name string) string {
	plain := func(r rune) bool {
		return r > 127 || strings.ContainsRune("._-/:=@+,", r) || '0' <= r && r <= '9' || 'a' <= r|0x20 && r|0x20 <= 'z'
	}
	if strings.TrimFunc(name, plain) == "" {
		return name
	}
	return "'" + strings.ReplaceAll(name, "'", `'\''`) + "'"
}

type undeletedJSON struct {
	Archive   string   `json:"archive"`
	Authority string   `json:"authority"`
	Versions  []string `json:"versions"`
	Lost      []string `json:"lost"`
}

func (s *session) undelete(c *cli.Context) error {
	wanted := c.Args().Slice()
	if len(wanted) > 1 && c.IsSet("as") {
		return args.Usagef("", "--as is for one archive")
	}
	api, err := s.open(c)
	if err != nil {
		return err
	}
	done := []undeletedJSON{}
	for _, name := range wanted {
		var u datafs.Undeleted
		if u, err = api.Undelete(c.Context, name, &datafs.UndeleteOptions{As: c.String("as")}); err != nil {
			if errors.Is(err, datafs.ErrMadeAgain) {
				err = &datafs.HintError{Err: err, Hint: fmt.Sprintf("datafs undelete %s --as NAME brings the old one back by another name", name)}
			}
			break
		}
		for _, v := range u.Lost {
			s.note("%s %s: its content is gone, it is not brought back", u.Archive, v)
		}
		done = append(done, undeletedJSON{u.Archive.Name(), u.Archive.Authority(), u.Versions, u.Lost})
	}
	if c.Bool("quiet") && !c.Bool("json") || len(done) == 0 && err != nil {
		return err
	}
	return cmp.Or(err, s.emit(c, done, func(w io.Writer) {
		for _, u := range done {
			fmt.Fprintln(w, names.Visible(u.text()))
		}
	}))
}

func (u undeletedJSON) text() string {
	return fmt.Sprintf("brought back archive <DataArchive %s://%s> with %s", u.Authority, u.Archive, render.Count(int64(len(u.Versions)), "version"))
}
