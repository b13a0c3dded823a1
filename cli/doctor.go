package cli

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/urfave/cli/v2"

	"github.com/datafs/datafs"
	"github.com/datafs/datafs/cli/render"
	"github.com/datafs/datafs/objects/names"
)

func doctorCommand(s *session) *cli.Command {
	return command(catConfig, "doctor", "", "check all that the profile relies on, and say what to do", s.doctor)
}

type doctorJSON struct {
	Problems int         `json:"problems"`
	Warnings int         `json:"warnings"`
	Checks   []checkJSON `json:"checks"`
}

type checkJSON struct {
	Check  string  `json:"check"`
	Status string  `json:"status"`
	Detail string  `json:"detail"`
	Hint   *string `json:"hint"`
}

// errUnwell is the kind of error of a doctor who has found something.
var errUnwell = errors.New("problems were found")

func (s *session) doctor(c *cli.Context) error {
	v := doctorJSON{Checks: []checkJSON{}}
	each := func(check datafs.Check) {
		if hint := wayOut(check.Err); hint != "" {
			check.Hint = hint
		}
		check.Detail, check.Hint = s.conceal(check.Detail), s.conceal(check.Hint)
		v.add(check)
		if !c.Bool("json") && (!c.Bool("quiet") || check.Status == datafs.CheckWarning || check.Status == datafs.CheckProblem) {
			printCheck(s.text, check) // at once: some checks take their time
		}
	}
	if err := s.examine(c, each); err != nil {
		return err
	}
	err := s.emit(c, v, func(w io.Writer) {
		if !c.Bool("quiet") {
			fmt.Fprintln(w, v.verdict())
		}
	})
	if err == nil && v.Problems > 0 {
		err = &silentError{errUnwell}
	}
	return err
}

// examine opens the repository, which is the first check, and does the others.
func (s *session) examine(c *cli.Context, each func(datafs.Check)) (err error) {
	opts := s.options(c)
	opts.Progress = nil
	if !c.IsSet("retry-time") {
		opts.RetryTime = -1 // what does not work at once is to be told
	}
	s.api, err = datafs.Open(c.Context, opts)
	if errors.Is(err, context.Canceled) {
		return err
	}
	if err != nil {
		s.api = nil
		each(datafs.Check{What: "configuration and repository", Status: datafs.CheckProblem, Detail: err.Error(), Hint: hintOf(err)})
		return nil
	}
	return s.api.Doctor(c.Context, each)
}

func (v *doctorJSON) add(check datafs.Check) {
	j := checkJSON{Check: check.What, Status: check.Status, Detail: render.Line(check.Detail)}
	if check.Hint != "" {
		hint := render.Line(check.Hint)
		j.Hint = &hint
	}
	v.Checks = append(v.Checks, j)
	switch check.Status {
	case datafs.CheckProblem:
		v.Problems++
	case datafs.CheckWarning:
		v.Warnings++
	}
}

func printCheck(w io.Writer, check datafs.Check) {
	fmt.Fprintf(w, "%-9s%s: %s\n", check.Status, names.Visible(check.What), render.Line(check.Detail))
	if check.Hint != "" {
		fmt.Fprintf(w, "%-9shint: %s\n", "", render.Line(check.Hint))
	}
}

func (v *doctorJSON) verdict() string {
	problems, warnings := render.Count(int64(v.Problems), "problem"), render.Count(int64(v.Warnings), "warning")
	switch {
	case v.Problems == 0 && v.Warnings == 0:
		return "all is well"
	case v.Problems == 0:
		return warnings + ", no problem"
	case v.Warnings == 0:
		return problems
	}
	return problems + ", " + warnings
}
