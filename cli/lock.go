package cli

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/datafs/datafs"
	"github.com/datafs/datafs/cli/args"
	"github.com/datafs/datafs/cli/render"
	"github.com/datafs/datafs/objects/names"
	"github.com/datafs/datafs/refs/lockfile"
)

func lockCommands(s *session) []*cli.Command {
	requirements := requirementsFlag()
	return []*cli.Command{
		command(catReproduce, "lock", "[NAME...]", "write exact versions and hashes of what is required into a lock", s.lock, requirements,
			&cli.BoolFlag{Name: "deps", Usage: "also lock what they depend on; --deps=false: not (default: as in the lock that is there)"},
			&cli.BoolFlag{Name: "upgrade", Usage: "do not keep the versions in the lock, of all archives or of those that are named"},
			&cli.BoolFlag{Name: "check", Usage: "only see whether the lock satisfies the requirements; exit code 1 where it does not"}),
		command(catReproduce, "freeze", "[ARCHIVE...]", "print requirements that pin what is chosen now", s.freeze, requirements,
			&cli.BoolFlag{Name: "deps", Usage: "also pin what they depend on"},
			&cli.BoolFlag{Name: "all", Usage: "pin all archives, also where there are requirements"}),
		command(catReproduce, "outdated", "", "list what has newer versions than the lock or the requirements choose", s.outdated, requirements,
			&cli.BoolFlag{Name: "exit-code", Usage: "exit code 1 where there is anything newer"}),
		command(catReproduce, "why", "NAME", "tell why an archive is needed", s.why, requirements),
		command(catReproduce, "audit", "[ARCHIVE[==VERSION]...]", "list every use of a version that was yanked or is not there", s.audit, requirements,
			&cli.StringFlag{Name: "locked", Usage: "look through a lock, `FILE`, instead of the requirements"}),
	}
}

type lockJSON struct {
	File     string           `json:"file"`
	Archives int              `json:"archives"`
	Written  bool             `json:"written"`
	Changes  []lockChangeJSON `json:"changes"`
}

type lockChangeJSON struct {
	Archive string `json:"archive"`
	From    string `json:"from,omitempty"`
	To      string `json:"to,omitempty"`
	Change  string `json:"change"` // added, removed or moved
}

func (s *session) lock(c *cli.Context) error {
	opts := &datafs.LockOptions{Requirements: c.String("r"), Upgrade: c.Bool("upgrade"), Names: c.Args().Slice()}
	if c.IsSet("deps") {
		opts.Deps = new(c.Bool("deps"))
	}
	switch {
	case c.Bool("check") && (opts.Upgrade || c.NArg() > 0):
		return args.Usagef("", "--check writes nothing: it goes neither with --upgrade nor with names")
	case c.NArg() > 0 && !opts.Upgrade:
		return args.Usagef("names of archives to lock belong into the requirements", "names say what to upgrade: they go with --upgrade")
	}
	s.local = c.Bool("check")
	api, err := s.open(c)
	if err != nil {
		return err
	}
	if c.Bool("check") {
		return s.checkLock(c, api, opts)
	}
	rep, err := api.Lock(c.Context, opts)
	if err != nil {
		return err
	}
	v := lockJSON{File: shownPath(rep.File), Archives: rep.Archives, Written: rep.Written, Changes: []lockChangeJSON{}}
	for _, x := range rep.Changes {
		v.Changes = append(v.Changes, lockChange(x))
	}
	if c.Bool("quiet") && !c.Bool("json") {
		return nil
	}
	return s.emit(c, v, func(w io.Writer) { v.text(w, c) })
}

func lockChange(x lockfile.Change) lockChangeJSON {
	v := lockChangeJSON{Archive: x.Archive, From: x.From, To: x.To, Change: "moved"}
	if x.Came {
		v.Change = "added"
	} else if x.Gone {
		v.Change = "removed"
	}
	return v
}

func (v lockJSON) text(w io.Writer, c *cli.Context) {
	lines := limited(w, c)
	for _, x := range v.Changes {
		switch {
		case x.Change == "added":
			lines.line("+ %s", strings.TrimSpace(x.Archive+" "+x.To))
		case x.Change == "removed":
			lines.line("- %s", strings.TrimSpace(x.Archive+" "+x.From))
		case x.From == x.To:
			lines.line("%s: other contents", strings.TrimSpace(x.Archive+" "+x.To))
		default:
			lines.line("%s %s --> %s", x.Archive, x.From, x.To)
		}
	}
	lines.end()
	archives := render.Count(int64(v.Archives), "archive")
	if !v.Written {
		fmt.Fprintf(w, "%s is up to date: %s\n", names.Visible(v.File), archives)
		return
	}
	fmt.Fprintf(w, "locked %s in %s\n", archives, names.Visible(v.File))
}

type lockCheckJSON struct {
	File      string   `json:"file"`
	Satisfies bool     `json:"satisfies"`
	Problems  []string `json:"problems"`
}

func (s *session) checkLock(c *cli.Context, api *datafs.API, opts *datafs.LockOptions) error {
	file, problems, err := api.CheckLock(opts)
	if err != nil {
		return err
	}
	file = shownPath(file)
	v := lockCheckJSON{File: file, Satisfies: len(problems) == 0, Problems: append([]string{}, problems...)}
	if v.Satisfies {
		return s.say(c, v, "%s satisfies the requirements", names.Visible(file))
	}
	err = s.emit(c, v, func(w io.Writer) {
		for _, text := range problems {
			fmt.Fprintf(w, "%s: %s\n", names.Visible(file), names.Visible(text))
		}
	})
	if err != nil {
		return err
	}
	return &silentError{errors.New("the lock does not satisfy the requirements")}
}

// shownPath is a path as people see it: from the working directory, if it lies
// below it.
func shownPath(path string) string {
	dir, err := filepath.Abs(".")
	if err != nil {
		return path
	}
	if rel, err := filepath.Rel(dir, path); err == nil && filepath.IsLocal(rel) {
		return rel
	}
	return path
}
