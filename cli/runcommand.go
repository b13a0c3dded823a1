package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/datafs/datafs"
	"github.com/datafs/datafs/cli/args"
	"github.com/datafs/datafs/cli/render"
	"github.com/datafs/datafs/refs"
)

func runCommands(s *session) []*cli.Command {
	return []*cli.Command{
		command(catReproduce, "run", "-- COMMAND [ARG...]", "run a program on pinned versions, and record what it makes", s.run,
			&cli.StringSliceFlag{Name: "out", Usage: "`ARCHIVE=FILE` that the program makes and that becomes a new version; may be repeated"},
			&cli.StringFlag{Name: "dir", Usage: "`DIR` for the pinned versions (default: a temporary directory)"},
			messageFlag(),
			requirementsFlag(),
			&cli.BoolFlag{Name: "locked", Usage: "take exactly what the lock says"},
			&cli.BoolFlag{Name: "deps", Usage: "also what the pinned versions depend on"},
			&cli.StringFlag{Name: "bumpversion", Usage: "`KIND` of number to raise: major, minor or patch"},
			&cli.BoolFlag{Name: "create", Usage: "make the archives of --out that are not there"}),
	}
}

const checkoutEnv = "DATAFS_CHECKOUT"

// runOut is one --out.
type runOut struct{ archive, file string }

// run lets go of the repository while the program runs: others may work in it
// meanwhile, for hours.
func (s *session) run(c *cli.Context) error {
	outs, err := parseOuts(c.StringSlice("out"))
	if err != nil {
		return err
	}
	argv := c.Args().Slice()
	program, err := exec.LookPath(argv[0])
	if err != nil {
		return s.cannotRun(argv[0], err)
	}
	if err := s.checkOuts(c, outs); err != nil {
		return err
	}
	dir, remove, err := runDir(c.String("dir"))
	if err != nil {
		return err
	}
	defer func() {
		if err := remove(); err != nil {
			s.note("warning: %v", err)
		}
	}()
	deps, err := s.pinned(c, dir)
	if err := cmp.Or(err, s.letGo()); err != nil {
		return err
	}
	ran, err := s.execute(c, program, argv, dir)
	if err != nil || len(outs) == 0 {
		return err
	}
	return s.publish(c, outs, deps, ran)
}

// parseOuts reads ARCHIVE=FILE. Names are normalised.
func parseOuts(list []string) ([]runOut, error) {
	var outs []runOut
	seen := map[string]bool{}
	for _, text := range list {
		name, file, ok := strings.Cut(text, "=")
		if !ok || file == "" {
			return nil, args.Usagef("", "--out %s: want ARCHIVE=FILE", text)
		}
		_, normal, err := refs.ParseName(name)
		if err != nil {
			return nil, err
		}
		if seen[normal] {
			return nil, args.Usagef("", "--out %s: archive %q is there twice", text, normal)
		}
		seen[normal] = true
		outs = append(outs, runOut{name, file})
	}
	return outs, nil
}

// checkOuts refuses before the program runs what would be refused afterwards.
func (s *session) checkOuts(c *cli.Context, outs []runOut) error {
	api, err := s.open(c)
	if err != nil {
		return err
	}
	for _, out := range outs {
		a, err := api.Archive(c.Context, out.archive, nil)
		if errors.Is(err, fs.ErrNotExist) && c.Bool("create") {
			continue
		}
		if errors.Is(err, fs.ErrNotExist) {
			return &datafs.HintError{Err: err, Hint: "--create makes the archives that are not there"}
		}
		if err == nil {
			err = a.CheckUpdate(c.Context, runUpdate(c, datafs.Dependencies{}, nil))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func runUpdate(c *cli.Context, deps datafs.Dependencies, message *string) *datafs.UpdateOptions {
	return &datafs.UpdateOptions{Bump: c.String("bumpversion"), Dependencies: deps, Unchecked: true, Message: message}
}

// runDir finds the directory for the checkout: its absolute path, and what
// takes it away in the end.
func runDir(given string) (dir string, remove func() error, err error) {
	if given != "" {
		dir, err = filepath.Abs(given)
		return dir, func() error { return nil }, err
	}
	dir, err = os.MkdirTemp("", "datafs-run-")
	if err == nil {
		dir, err = filepath.Abs(dir)
	}
	return dir, func() error { return os.RemoveAll(dir) }, err
}

// pinned checks the pinned versions out into dir, and says what they are. Where
// nothing is pinned dir is empty.
func (s *session) pinned(c *cli.Context, dir string) (datafs.Dependencies, error) {
	api, err := s.open(c)
	if err != nil {
		return nil, err
	}
	opts := &datafs.CheckoutOptions{Requirements: c.String("r"), Deps: c.Bool("deps")}
	if c.Bool("locked") {
		opts.Locked = api.LockFile(opts.Requirements)
	} else if opts.Requirements == "" {
		if list, err := api.Requirements(); err != nil || len(list) == 0 {
			return datafs.Dependencies{}, errors.Join(err, os.MkdirAll(dir, 0o777))
		}
	}
	rep, err := api.Checkout(c.Context, dir, opts)
	s.verbose(c, "%s in %s", render.Count(int64(len(rep.Chosen)), "pinned archive"), dir)
	return datafs.DependenciesOn(rep.Chosen), err
}

// letGo closes the repository; open opens it again.
func (s *session) letGo() error {
	err := s.close()
	s.api = nil
	return err
}

// publish makes a version of each file that the program was to make.
func (s *session) publish(c *cli.Context, outs []runOut, deps datafs.Dependencies, ran ranProgram) error {
	for _, out := range outs {
		if err := checkMade(out); err != nil {
			return err
		}
	}
	api, err := s.open(c)
	if err != nil {
		return err
	}
	message := ran.message(message(c))
	v := []updateJSON{}
	for _, out := range outs {
		a, err := s.runArchive(c, api, out)
		if err != nil {
			return err
		}
		res, err := a.Update(c.Context, out.file, runUpdate(c, without(deps, a.Name()), &message))
		if err != nil {
			return err
		}
		if !c.Bool("quiet") && !c.Bool("json") {
			s.note("uploaded %s to %s.%s", out.file, a, outcome(a, res))
		}
		v = append(v, updateReport(a, res))
	}
	if c.Bool("json") {
		return s.emit(c, v, nil)
	}
	return nil
}

func checkMade(out runOut) error {
	fi, err := os.Stat(out.file)
	if err != nil {
		return fmt.Errorf("nothing is published: --out %s: %w", out.archive, err)
	}
	if fi.Mode().IsRegular() && fi.Size() == 0 {
		return fmt.Errorf("nothing is published: --out %s: %s: %w", out.archive, out.file, datafs.ErrEmpty)
	}
	return nil
}

func (s *session) runArchive(c *cli.Context, api *datafs.API, out runOut) (*datafs.Archive, error) {
	if c.Bool("create") {
		return api.Create(c.Context, out.archive, &datafs.CreateOptions{ExistOK: true})
	}
	return api.Archive(c.Context, out.archive, nil)
}

func without(deps datafs.Dependencies, archive string) datafs.Dependencies {
	others := datafs.Dependencies{}
	for name, version := range deps {
		if name != archive {
			others[name] = version
		}
	}
	return others
}

// ranProgram is what is recorded of a run that went well.
type ranProgram struct {
	argv  []string
	began time.Time
	took  time.Duration
}

// longestCommand is how many bytes of a command line are recorded.
const longestCommand = 4 << 10

// message is what the log says: the text, if there is one, and the run.
func (r ranProgram) message(text *string) string {
	line := shellLine(r.argv)
	if len(line) > longestCommand {
		line = strings.ToValidUTF8(line[:longestCommand], "") + " [cut]"
	}
	run := fmt.Sprintf("run: %s (exit status 0, %.1f s, %s)", line, r.took.Seconds(), r.began.UTC().Format(time.RFC3339))
	if text == nil || *text == "" {
		return run
	}
	return *text + "\n" + run
}
