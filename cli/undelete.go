package cli

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/datafs/datafs"
)

func undeleteCommand(s *session) *cli.Command {
	return command(catData, "undelete", "NAME...", "bring a deleted archive back", s.undelete,
		&cli.StringFlag{Name: "as", Usage: "`NAME` that it gets, where there is a new archive by the old one"})
}

// deletedFor is how long a deleted archive can be brought back, as it is told: how
// long gc keeps what became unreachable.
const deletedFor = "14 days"

// sayUndelete tells how to take a deletion back.
func (s *session) sayUndelete(c *cli.Context, name string) {
	if !c.Bool("quiet") {
		fmt.Fprintf(s.stderr, "hint: datafs undelete %s brings it back until gc's grace ends (%s)\n", oneLine(quoteArgument(name)), deletedFor)
	}
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
	names := c.Args().Slice()
	switch {
	case len(names) == 0:
		return usagef("", "undelete needs the NAME of an archive")
	case len(names) > 1 && c.IsSet("as"):
		return usagef("", "--as is for one archive")
	}
	api, err := s.open(c)
	if err != nil {
		return err
	}
	done := []undeletedJSON{}
	for _, name := range names {
		var u datafs.Undeleted
		if u, err = api.Undelete(c.Context, name, &datafs.UndeleteOptions{As: c.String("as")}); err != nil {
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
			fmt.Fprintln(w, visible(u.text()))
		}
	}))
}

func (u undeletedJSON) text() string {
	return fmt.Sprintf("brought back archive <DataArchive %s://%s> with %s", u.Authority, u.Archive, plural(int64(len(u.Versions)), "version"))
}
