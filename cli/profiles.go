package cli

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"

	"github.com/urfave/cli/v2"

	"github.com/datafs/datafs/cli/args"
)

// Options that no help lists: they are for those who work on the program.
func profileFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "cpuprofile", Hidden: true, Usage: "`FILE` for a profile of where CPU time goes, for go tool pprof"},
		&cli.StringFlag{Name: "memprofile", Hidden: true, Usage: "`FILE` for a profile of where memory is allocated, for go tool pprof"},
	}
}

// profiles are what --cpuprofile and --memprofile ask for; the zero value is
// none. They are written in whatever way the command ends.
type profiles struct{ cpu, mem *profileFile }

// profileFile keeps the first error of its writes, which pprof does not look at.
type profileFile struct {
	*os.File
	option string
	err    error
}

func (f *profileFile) Write(b []byte) (int, error) {
	n, err := f.File.Write(b)
	if f.err == nil {
		f.err = err
	}
	return n, err
}

// start makes both files, so that a name that cannot be written to is known
// before any work is done.
func (p *profiles) start(c *cli.Context) (err error) {
	if p.cpu, err = createProfile(c, "cpuprofile"); err != nil {
		return err
	}
	if p.mem, err = createProfile(c, "memprofile"); err != nil {
		return err
	}
	if p.cpu == nil {
		return nil
	}
	return pprof.StartCPUProfile(p.cpu)
}

func createProfile(c *cli.Context, option string) (*profileFile, error) {
	name := c.String(option)
	if name == "" {
		if c.IsSet(option) {
			return nil, args.Usagef("", "--%s needs the name of a file", option)
		}
		return nil, nil
	}
	f, err := os.Create(name)
	if err != nil {
		return nil, fmt.Errorf("--%s: %w", option, err)
	}
	return &profileFile{File: f, option: option}, nil
}

// finish writes what there is to the files that start made.
func (p *profiles) finish() error {
	var errs []error
	if p.cpu != nil {
		pprof.StopCPUProfile()
		errs = append(errs, p.cpu.close())
	}
	if p.mem != nil {
		runtime.GC() // the profile is of the time up to the last collection
		pprof.Lookup("allocs").WriteTo(p.mem, 0)
		errs = append(errs, p.mem.close())
	}
	*p = profiles{}
	return errors.Join(errs...)
}

func (f *profileFile) close() error {
	err := f.Close()
	if f.err != nil {
		err = f.err
	}
	if err != nil {
		return fmt.Errorf("--%s: %w", f.option, err)
	}
	return nil
}
