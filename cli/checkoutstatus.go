package cli

import (
	"fmt"
	"io"
	"io/fs"
	"slices"

	"github.com/urfave/cli/v2"

	"github.com/datafs/datafs"
	"github.com/datafs/datafs/cli/args"
	"github.com/datafs/datafs/objects/checkout"
)

type checkoutStateJSON struct {
	Directory string             `json:"directory"`
	Archives  []checkedStateJSON `json:"archives"`
	Files     []fileStateJSON    `json:"files"`
}

type checkedStateJSON struct {
	Archive  string `json:"archive"`
	Version  string `json:"version,omitempty"`
	Wanted   string `json:"wanted,omitempty"`
	Files    int64  `json:"files"`
	Unwanted bool   `json:"unwanted"`
	Missing  bool   `json:"missing"`
}

type fileStateJSON struct {
	Path    string `json:"path"`
	Archive string `json:"archive"`
	State   string `json:"state"`
}

// checkoutStatus compares a directory with what was checked out into it.
func (s *session) checkoutStatus(c *cli.Context) error {
	if c.NArg() > 0 {
		return args.Usagef("", "--checkout looks at a directory: it takes no names of archives")
	}
	s.local = true
	api, err := s.open(c)
	if err != nil {
		return err
	}
	st, err := api.CheckoutState(c.Context, c.String("checkout"), nil)
	if err != nil {
		return err
	}
	if st.Err != nil {
		s.note("it is not known what the requirements want: %v", st.Err)
	}
	v := checkoutStateJSON{Directory: st.Dir, Archives: []checkedStateJSON{}, Files: []fileStateJSON{}}
	for _, a := range st.Archives {
		v.Archives = append(v.Archives, checkedStateJSON{a.Archive, a.Version, a.Wanted, a.Files, a.Unwanted, a.Missing})
	}
	for _, f := range st.Files {
		v.Files = append(v.Files, fileStateJSON(f))
	}
	err = s.emit(c, v, func(w io.Writer) {
		some := limited(w, c)
		for _, a := range st.Archives {
			some.line("%s", checkedText(a, st.Err == nil))
		}
		some.end()
		for _, f := range st.Files {
			some.line("%s: %s", f.State, f.Path)
		}
		some.end()
		if len(st.Files) == 0 && !c.Bool("quiet") {
			fmt.Fprintln(w, "all files are as they were checked out")
		}
	})
	unreadable := func(f checkout.FileState) bool { return f.State == checkout.Unreadable }
	if err == nil && slices.ContainsFunc(st.Files, unreadable) {
		err = &silentError{fs.ErrPermission}
	}
	return err
}

func checkedText(a datafs.CheckedState, known bool) string {
	text := named(a.Archive, a.Version)
	switch {
	case a.Missing:
		return text + ": required, not checked out"
	case known && a.Unwanted:
		text += ", not required any more"
	case known && a.Wanted != a.Version:
		text += ", required now: " + a.Wanted
	}
	return text
}
