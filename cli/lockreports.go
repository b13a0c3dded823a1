package cli

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/urfave/cli/v2"

	"github.com/datafs/datafs"
	"github.com/datafs/datafs/cli/args"
	"github.com/datafs/datafs/cli/render"
	"github.com/datafs/datafs/objects/names"
)

type frozenJSON struct {
	Archive string  `json:"archive"`
	Version *string `json:"version"`
}

func (s *session) freeze(c *cli.Context) error {
	if c.Bool("all") && c.NArg() > 0 {
		return args.Usagef("", "--all is every archive: it does not go with names")
	}
	api, err := s.open(c)
	if err != nil {
		return err
	}
	list, err := api.Freeze(c.Context, &datafs.FreezeOptions{
		Requirements: c.String("r"), Archives: c.Args().Slice(), All: c.Bool("all"), Deps: c.Bool("deps"),
	})
	if err != nil {
		return err
	}
	v := []frozenJSON{}
	for _, r := range list {
		v = append(v, frozenJSON{r.Name, r.VersionText()})
	}
	return s.emit(c, v, func(w io.Writer) {
		for _, r := range list {
			fmt.Fprintln(w, r)
		}
	})
}

type outdatedJSON struct {
	Archive string `json:"archive"`
	Current string `json:"current"`
	Wanted  string `json:"wanted"`
	Latest  string `json:"latest"`
	Yanked  string `json:"yanked,omitempty"`
}

func (s *session) outdated(c *cli.Context) error {
	api, err := s.open(c)
	if err != nil {
		return err
	}
	list, err := api.Outdated(c.Context, &datafs.OutdatedOptions{Requirements: c.String("r")})
	if err != nil {
		return err
	}
	v := []outdatedJSON{}
	for _, o := range list {
		v = append(v, outdatedJSON(o))
	}
	if len(list) == 0 {
		return s.say(c, v, "all are up to date")
	}
	if err := s.emit(c, v, func(w io.Writer) { outdatedText(w, v) }); err != nil {
		return err
	}
	if c.Bool("exit-code") {
		return &silentError{errors.New("some are outdated")}
	}
	return nil
}

func outdatedText(w io.Writer, list []outdatedJSON) {
	tab := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tab, "archive\tcurrent\twanted\tlatest")
	for _, o := range list {
		line := []string{names.Visible(o.Archive), o.Current, o.Wanted, o.Latest}
		if o.Yanked != "" {
			line = append(line, "yanked: "+render.Line(o.Yanked))
		}
		fmt.Fprintln(tab, strings.Join(line, "\t"))
	}
	tab.Flush()
}

type whyJSON struct {
	Archive string     `json:"archive"`
	Version string     `json:"version,omitempty"`
	Chains  [][]string `json:"chains"`
	More    bool       `json:"more"`
}

func (s *session) why(c *cli.Context) error {
	api, err := s.open(c)
	if err != nil {
		return err
	}
	r, err := api.Why(c.Context, c.Args().First(), &datafs.WhyOptions{Requirements: c.String("r")})
	if err != nil {
		return err
	}
	return s.emit(c, whyJSON(r), func(w io.Writer) {
		fmt.Fprintln(w, names.Visible(strings.TrimSpace(r.Archive+" "+r.Version)))
		for _, chain := range r.Chains {
			fmt.Fprintf(w, "    %s\n", names.Visible(strings.Join(chain, " --> ")))
		}
		if r.More {
			fmt.Fprintln(w, "    and more")
		}
	})
}

type findingJSON struct {
	Archive string   `json:"archive"`
	Version string   `json:"version,omitempty"`
	Kind    string   `json:"kind"`
	Reason  string   `json:"reason,omitempty"`
	Chain   []string `json:"chain"`
}

func (s *session) audit(c *cli.Context) error {
	if c.NArg() > 0 && c.String("locked") != "" {
		return args.Usagef("", "--locked looks through a lock: it does not go with names")
	}
	api, err := s.open(c)
	if err != nil {
		return err
	}
	list, err := api.Audit(c.Context, &datafs.AuditOptions{
		Requirements: c.String("r"), Locked: c.String("locked"), Archives: c.Args().Slice(),
	})
	if err != nil {
		return err
	}
	v := []findingJSON{}
	for _, f := range list {
		v = append(v, findingJSON(f))
	}
	if len(list) == 0 {
		return s.say(c, v, "no yanked or missing versions are used")
	}
	err = s.emit(c, v, func(w io.Writer) {
		for _, f := range list {
			fmt.Fprintln(w, render.Line(f.String()))
		}
	})
	if err != nil {
		return err
	}
	return &silentError{errors.New("yanked or missing versions are used")}
}
