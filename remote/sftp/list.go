package sftp

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"path"
	"strings"
	"sync"

	"github.com/datafs/datafs/remote"
)

const listAtOnce = 16 // directories

// List is that of remote.Authority. It reads the directories that may hold names
// with the prefix, several at once, and no others.
func (p *place) List(ctx context.Context, prefix string) iter.Seq2[remote.Info, error] {
	return func(yield func(remote.Info, error) bool) {
		if err := remote.CheckPrefix(prefix); err != nil {
			yield(remote.Info{}, err)
			return
		}
		dirs := []string{strings.TrimSuffix(prefix[:strings.LastIndexByte(prefix, '/')+1], "/")}
		for len(dirs) > 0 {
			n := min(len(dirs), listAtOnce)
			var got []listing
			err := p.do(ctx, "list", prefix, func(s *session) error {
				got = s.readDirs(ctx, dirs[:n], prefix)
				return firstError(got)
			})
			if err != nil {
				yield(remote.Info{}, err)
				return
			}
			dirs = dirs[n:]
			for _, l := range got {
				for _, info := range l.files {
					if !yield(info, nil) {
						return
					}
				}
				dirs = append(dirs, l.dirs...)
			}
		}
	}
}

// listing is what is in a directory, under names from the root.
type listing struct {
	files []remote.Info
	dirs  []string
	err   error
}

func firstError(all []listing) error {
	for _, l := range all {
		if l.err != nil {
			return l.err
		}
	}
	return nil
}

func (s *session) readDirs(ctx context.Context, dirs []string, prefix string) []listing {
	got := make([]listing, len(dirs))
	var wg sync.WaitGroup
	for i, dir := range dirs {
		wg.Go(func() { got[i] = s.readDir(ctx, dir, prefix) })
	}
	wg.Wait()
	return got
}

func (s *session) readDir(ctx context.Context, dir, prefix string) (l listing) {
	infos, err := s.client.ReadDirContext(ctx, s.path(dir))
	if err != nil {
		l.err = s.noDir(dir, err)
		return l
	}
	for _, info := range infos {
		name := path.Join(dir, info.Name())
		if remote.CheckName(name) != nil || !strings.HasPrefix(name, prefix) && !strings.HasPrefix(prefix, name+"/") {
			continue
		}
		if info.Mode()&fs.ModeSymlink != 0 {
			if info, err = s.client.Stat(s.path(name)); err != nil {
				continue // it leads nowhere
			}
		}
		switch {
		case info.IsDir():
			l.dirs = append(l.dirs, name)
		case info.Mode().IsRegular() && strings.HasPrefix(name, prefix):
			l.files = append(l.files, remote.Info{Name: name, Size: info.Size()})
		}
	}
	return l
}

// noDir says what it means that a directory cannot be read: one that is not
// there, or is a file, holds nothing. Servers have several answers for that.
func (s *session) noDir(dir string, err error) error {
	info, statErr := s.client.Stat(s.path(dir))
	if dir != "" && (statErr == nil && !info.IsDir() || errors.Is(statErr, fs.ErrNotExist) || errors.Is(err, fs.ErrNotExist)) {
		if err = s.missing(); errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	if dir == "" && errors.Is(err, fs.ErrNotExist) {
		if err = s.missing(); errors.Is(err, fs.ErrNotExist) {
			return nil
		}
	}
	return err
}
