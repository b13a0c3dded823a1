package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"

	"github.com/urfave/cli/v2"

	"github.com/datafs/datafs"
	"github.com/datafs/datafs/cli/args"
	"github.com/datafs/datafs/cli/render"
	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/objects/names"
)

func readCommands(s *session) []*cli.Command {
	return []*cli.Command{
		command(catData, "download", "NAME PATH", "write a version to a file or a directory", s.download, versionFlag(), pathFlag(),
			&cli.BoolFlag{Name: "force", Usage: "replace a file that is stored nowhere; write into a directory that is not empty, nothing in it is removed"}),
		command(catData, "cat", "NAME", "write the contents of a version to standard output", s.cat,
			versionFlag(), pathFlag()),
		command(catData, "files", "NAME", "list the files of a version", s.files, versionFlag()),
	}
}

func (s *session) download(c *cli.Context) error {
	a, err := s.archive(c)
	if err != nil {
		return err
	}
	target := c.Args().Get(1)
	if target == "" {
		return args.Usagef("", "download: the name of the file to write is empty")
	}
	opts := &datafs.DownloadOptions{Version: c.String("version"), Path: c.String("path"), Force: c.Bool("force")}
	if target == "-" {
		return a.Cat(c.Context, contentWriter{s.stdout}, &datafs.OpenOptions{Version: opts.Version, Path: opts.Path})
	}
	v, err := a.Download(c.Context, target, opts)
	if errors.Is(err, datafs.ErrUnstored) && (c.Bool("yes") || isTerminal(s.stdin)) {
		if s.bar != nil {
			s.bar.Clear()
		}
		if err = s.confirm(c, fmt.Sprintf("%s is in no version here: replace it?", target)); err != nil {
			return err
		}
		opts.Force = true
		v, err = a.Download(c.Context, target, opts)
	}
	if fd, ok := leaf.Descriptor(target); err != nil || ok && fd == 1 {
		return err // what was written there is the result
	}
	what := a.Name()
	if a.Versioned() {
		what = "v" + v
	}
	return s.say(c, struct {
		Archive string `json:"archive"`
		Version string `json:"version,omitempty"`
		Path    string `json:"path"`
	}{a.Name(), v, target}, "downloaded %s to %s", what, target)
}

func (s *session) cat(c *cli.Context) error {
	a, err := s.archive(c)
	if err != nil {
		return err
	}
	return a.Cat(c.Context, contentWriter{s.stdout}, &datafs.OpenOptions{Version: c.String("version"), Path: c.String("path")})
}

type fileJSON struct {
	Path string `json:"path"`
	Kind string `json:"kind"`
	Size int64  `json:"size"`
	Hash string `json:"blake3,omitempty"`
	Link string `json:"link,omitempty"`
}

func (s *session) files(c *cli.Context) error {
	a, err := s.archive(c)
	if err != nil {
		return err
	}
	list := []fileJSON{}
	w := bufio.NewWriter(s.text)
	for e, err := range a.Entries(c.Context, c.String("version")) {
		if err != nil {
			return err
		}
		f := describe(e)
		if c.Bool("json") {
			list = append(list, f)
			continue
		}
		fmt.Fprintln(w, fileLine(f))
	}
	if c.Bool("json") {
		return s.emit(c, list, nil)
	}
	return s.unprinted(c, "", w.Flush())
}

func describe(e datafs.Entry) fileJSON {
	f := fileJSON{Path: e.Path, Kind: e.Kind.String(), Size: e.Size, Link: e.Link}
	if e.Kind.IsFile() {
		f.Hash = e.Hash.String()
	}
	return f
}

func fileLine(f fileJSON) string {
	name := names.Visible(f.Path)
	switch f.Kind {
	case "directory":
		name += "/"
	case "link":
		name += " -> " + names.Visible(f.Link)
	}
	hash := f.Hash
	if hash == "" {
		hash = strings.Repeat("-", 64)
	}
	return strings.TrimRight(fmt.Sprintf("%12d %s %s", f.Size, hash, name), " ")
}

// page lets a pager show what write writes, when a person reads it.
func (s *session) page(write func(io.Writer) error) error {
	if !isTerminal(s.stdout) || os.Getenv("PAGER") == "cat" {
		return write(contentWriter{s.text})
	}
	pager, err := words(os.Getenv("PAGER"))
	if err != nil || len(pager) == 0 {
		pager = []string{"less"}
	}
	path, err := exec.LookPath(pager[0])
	if err != nil {
		return write(contentWriter{s.text})
	}
	cmd := exec.Command(path, pager[1:]...)
	cmd.Stdout, cmd.Stderr = s.stdout, s.stderr
	if os.Getenv("LESS") == "" {
		cmd.Env = append(os.Environ(), "LESS=FRX") // as git does
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return write(contentWriter{s.text})
	}
	lent.Add(1)
	defer lent.Add(-1)
	// An interrupt is the pager's; it must not be left alone on the terminal.
	signal.Ignore(os.Interrupt)
	defer signal.Reset(os.Interrupt)
	text := render.NewWriter(in)
	err = errors.Join(write(text), text.Flush())
	in.Close()
	_ = cmd.Wait() // how it ends is its own business
	if errors.Is(err, syscall.EPIPE) {
		return nil // it was left early
	}
	return err
}
