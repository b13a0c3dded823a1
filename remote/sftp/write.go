package sftp

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"syscall"

	pkgsftp "github.com/pkg/sftp"

	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/remote"
)

const tempDir = ".tmp" // below the root, of unfinished files

// Extensions of OpenSSH; see its file PROTOCOL.
const (
	extFsync    = "fsync@openssh.com"
	extRename   = "posix-rename@openssh.com"
	extHardlink = "hardlink@openssh.com"
	extStatVFS  = "statvfs@openssh.com"
)

// Put is that of remote.Authority.
func (p *place) Put(ctx context.Context, name string, r io.ReadSeeker) error {
	return p.put(ctx, name, r, (*session).replace)
}

// PutNew is that of remote.Exclusive. At a server that can neither link nor
// rename without replacing, the error wraps errors.ErrUnsupported.
func (p *place) PutNew(ctx context.Context, name string, r io.ReadSeeker) error {
	return p.put(ctx, name, r, (*session).makeNew)
}

// put writes a file under a temporary name and has it published. A directory
// that is remembered and that somebody removed is made again.
func (p *place) put(ctx context.Context, name string, r io.ReadSeeker, publish publisher) error {
	if err := remote.CheckName(name); err != nil {
		return err
	}
	start, err := r.Seek(0, io.SeekCurrent)
	if err != nil {
		return p.wrap(ctx, "put", name, finalError{err})
	}
	return p.do(ctx, "put", name, func(s *session) error {
		err := p.write(ctx, s, name, r, publish)
		if !errors.Is(err, fs.ErrNotExist) || !s.forget() {
			return err
		}
		if _, err := r.Seek(start, io.SeekStart); err != nil {
			return finalError{err}
		}
		return p.write(ctx, s, name, r, publish)
	})
}

type publisher func(s *session, temp, target string) error

func (p *place) write(ctx context.Context, s *session, name string, r io.Reader, publish publisher) error {
	target := s.path(name)
	for _, dir := range []string{s.path(tempDir), path.Dir(target)} {
		if err := s.mkdir(dir); err != nil {
			return err
		}
	}
	temp, err := p.tempName(s)
	if err != nil {
		return err
	}
	err = s.send(temp, &reader{ctx: ctx, r: r})
	if err == nil {
		err = ctx.Err()
	}
	if err == nil {
		err = publish(s, temp, target)
	}
	if err != nil {
		s.client.Remove(temp)
	}
	return err
}

func (p *place) tempName(s *session) (string, error) {
	b := make([]byte, 12)
	if _, err := io.ReadFull(p.opts.Rand, b); err != nil {
		return "", finalError{err}
	}
	return s.path(tempDir + "/" + hex.EncodeToString(b)), nil
}

// reader marks the errors of a caller's reader as such, and ends with its
// context.
type reader struct {
	ctx context.Context
	r   io.Reader
}

func (r *reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := r.r.Read(p)
	if err != nil && err != io.EOF {
		err = finalError{err}
	}
	return n, err
}

// send writes a new file and has the server put it to its disk. The server
// answers for every packet: when it has taken all, the file is whole.
func (s *session) send(temp string, r io.Reader) error {
	f, err := s.client.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL)
	if err != nil {
		return err
	}
	_, err = f.ReadFromWithConcurrency(r, maxRequests)
	if _, ok := s.client.HasExtension(extFsync); ok && err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	return s.full(err)
}

// full tells a full disk from other failures, for which OpenSSH has one code.
func (s *session) full(err error) error {
	var status *pkgsftp.StatusError
	if !errors.As(err, &status) || status.FxCode() != pkgsftp.ErrSSHFxFailure {
		return err
	}
	if _, ok := s.client.HasExtension(extStatVFS); !ok {
		return err
	}
	if vfs, statErr := s.client.StatVFS(s.root); statErr == nil && (vfs.Bavail == 0 || vfs.Files > 0 && vfs.Favail == 0) {
		return final("the server says %s: %w", leaf.OneLine(status.Error()), syscall.ENOSPC)
	}
	return err
}

// replace gives a file its name. Where the server cannot replace a file that has
// the name, that one stays: names stand for contents.
func (s *session) replace(temp, target string) error {
	if _, ok := s.client.HasExtension(extRename); ok {
		return s.client.PosixRename(temp, target)
	}
	err := s.client.Rename(temp, target)
	if err != nil && s.isFile(target) {
		s.client.Remove(temp)
		return nil
	}
	return err
}

func (s *session) isFile(name string) bool {
	info, err := s.client.Stat(name)
	return err == nil && info.Mode().IsRegular()
}

// exclusiveWay is how a server makes a file only if there is none.
type exclusiveWay int

const (
	wayUnknown exclusiveWay = iota
	wayNone
	wayLink
	wayRename
)

// makeNew gives a file a name that nothing has.
func (s *session) makeNew(temp, target string) error {
	way, err := s.findWay(temp)
	if err != nil {
		return err
	}
	switch way {
	case wayLink:
		err = s.client.Link(temp, target)
	case wayRename:
		err = s.client.Rename(temp, target)
	default:
		return final("the server cannot make a file only if there is none: %w", errors.ErrUnsupported)
	}
	if err == nil {
		if way == wayLink {
			s.client.Remove(temp)
		}
		return nil
	}
	var status *pkgsftp.StatusError
	if errors.As(err, &status) || errors.Is(err, fs.ErrExist) {
		if _, statErr := s.client.Lstat(target); statErr == nil {
			return fs.ErrExist
		}
	}
	return err
}

// findWay tries once, with names of its own, what the server can do: a file
// system may have no links, and some servers' plain rename replaces. Where links
// are offered the rename is not tried: OpenSSH's then checks and renames in two
// steps.
func (s *session) findWay(temp string) (exclusiveWay, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.exclusive != wayUnknown {
		return s.exclusive, nil
	}
	try, way := s.client.Rename, wayRename
	if _, ok := s.client.HasExtension(extHardlink); ok {
		try, way = s.client.Link, wayLink
	}
	one, two := temp+"-1", temp+"-2"
	defer s.client.Remove(one)
	defer s.client.Remove(two)
	for _, name := range []string{one, two} {
		f, err := s.client.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL)
		if err != nil {
			return wayUnknown, err
		}
		f.Close()
	}
	err := try(one, two)
	if err == nil {
		s.exclusive = wayNone // it replaced
		return s.exclusive, nil
	}
	if err := s.client.Remove(two); err != nil {
		return wayUnknown, fmt.Errorf("remove %s: %w", two, err)
	}
	var status *pkgsftp.StatusError
	switch err := try(one, two); {
	case err == nil:
		s.exclusive = way
	case errors.As(err, &status):
		s.exclusive = wayNone
	default:
		return wayUnknown, err
	}
	return s.exclusive, nil
}
