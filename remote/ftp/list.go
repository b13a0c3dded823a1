package ftp

import (
	"context"
	"errors"
	"iter"
	"path"
	"strings"
	"sync"

	jlaffaye "github.com/jlaffaye/ftp"

	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/remote"
)

// List is that of remote.Authority. It reads the directories that may hold names
// with the prefix, as many at once as there may be connections, and no others.
func (p *place) List(ctx context.Context, prefix string) iter.Seq2[remote.Info, error] {
	return func(yield func(remote.Info, error) bool) {
		if err := remote.CheckPrefix(prefix); err != nil {
			yield(remote.Info{}, err)
			return
		}
		dirs := []string{strings.TrimSuffix(prefix[:strings.LastIndexByte(prefix, '/')+1], "/")}
		for len(dirs) > 0 {
			n := min(len(dirs), p.opts.Connections)
			for _, l := range p.readDirs(ctx, dirs[:n], prefix) {
				if l.err != nil {
					yield(remote.Info{}, l.err)
					return
				}
				for _, info := range l.files {
					if !yield(info, nil) {
						return
					}
				}
				dirs = append(dirs, l.dirs...)
			}
			dirs = dirs[n:]
		}
	}
}

// listing is what is in a directory, under names from the root.
type listing struct {
	files []remote.Info
	dirs  []string
	err   error
}

func (p *place) readDirs(ctx context.Context, dirs []string, prefix string) []listing {
	got := make([]listing, len(dirs))
	var wg sync.WaitGroup
	for i, dir := range dirs {
		wg.Go(func() {
			got[i].err = p.do(ctx, "list", prefix, func(c *conn) (err error) {
				got[i], err = c.readDir(dir, prefix)
				return err
			})
		})
	}
	wg.Wait()
	return got
}

// readDir changes to the directory first: that tells one that is not there from
// an empty one, and leaves no name in the command that a server could take for
// options or patterns.
func (c *conn) readDir(dir, prefix string) (l listing, err error) {
	if err := c.ChangeDir(c.path(dir)); err != nil {
		return l, c.noDir(err)
	}
	entries, err := c.ServerConn.List("")
	if code := replyCode(err); err != nil && (code != 450 && code != 550 || denied(err)) {
		return l, err
	}
	for _, e := range entries {
		name := path.Join(dir, e.Name)
		if strings.Contains(e.Name, "/") || remote.CheckName(name) != nil ||
			!strings.HasPrefix(name, prefix) && !strings.HasPrefix(prefix, name+"/") {
			continue
		}
		if err := c.follow(e, name); err != nil {
			return l, err
		}
		switch {
		case e.Type == jlaffaye.EntryTypeFolder:
			l.dirs = append(l.dirs, name)
		case e.Type == jlaffaye.EntryTypeFile && strings.HasPrefix(name, prefix):
			l.files = append(l.files, remote.Info{Name: name, Size: int64(e.Size)})
		}
	}
	return l, nil
}

// follow makes an entry for a link one for what it leads to.
func (c *conn) follow(e *jlaffaye.Entry, name string) error {
	if e.Type != jlaffaye.EntryTypeLink {
		return nil
	}
	err := c.ChangeDir(c.path(name))
	if err == nil {
		e.Type = jlaffaye.EntryTypeFolder
		return nil
	}
	if !inOrder(err) {
		return err
	}
	size, err := c.FileSize(c.path(name))
	if err == nil {
		e.Type, e.Size = jlaffaye.EntryTypeFile, uint64(size)
	} else if !inOrder(err) {
		return err
	}
	return nil
}

// noDir says what it means that a directory cannot be entered: one that is not
// there, or is a file, holds nothing.
func (c *conn) noDir(err error) error {
	if !inOrder(err) {
		return err
	}
	if denied(err) {
		return refused("the server says %s", leaf.OneLine(err.Error()))
	}
	rootErr := c.rootError()
	if c.create && errors.Is(rootErr, remote.ErrNoStorage) {
		return nil
	}
	return rootErr
}
