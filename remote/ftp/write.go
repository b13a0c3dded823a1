package ftp

import (
	"context"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"path"

	"github.com/datafs/datafs/remote"
)

const tempDir = ".tmp" // below the root, of unfinished files

// Put is that of remote.Authority.
func (p *place) Put(ctx context.Context, name string, r io.ReadSeeker) error {
	if err := remote.CheckName(name); err != nil {
		return err
	}
	start, err := r.Seek(0, io.SeekCurrent)
	if err != nil {
		return p.wrap(ctx, "put", name, final(err))
	}
	return p.do(ctx, "put", name, func(c *conn) error {
		err := p.write(ctx, c, name, r, start)
		if code := replyCode(err); (code == 550 || code == 553) && p.forget() {
			err = p.write(ctx, c, name, r, start)
		}
		return err
	})
}

// write puts a file under a temporary name and then gives it its own.
func (p *place) write(ctx context.Context, c *conn, name string, r io.ReadSeeker, start int64) error {
	if _, err := r.Seek(start, io.SeekStart); err != nil {
		return final(err)
	}
	target := c.path(name)
	for _, dir := range []string{c.path(tempDir), path.Dir(target)} {
		if err := p.mkdir(c, dir); err != nil {
			return err
		}
	}
	random := make([]byte, 12)
	if _, err := io.ReadFull(p.opts.Rand, random); err != nil {
		return final(err)
	}
	temp := c.path(tempDir + "/" + hex.EncodeToString(random))
	source := &reader{ctx: ctx, r: r}
	err := c.send(temp, source)
	if err == nil {
		err = ctx.Err()
	}
	if err == nil {
		err = c.rename(temp, target)
	}
	if err != nil && !c.failed.Load() {
		c.ServerConn.Delete(temp)
	}
	return err
}

// send writes a file and checks that all of it is there: to FTP the end of the
// data is the end of the file, whatever ended it.
func (c *conn) send(temp string, source *reader) error {
	err := c.Stor(temp, source)
	switch {
	case source.err != nil:
		return source.err
	case err != nil && replyCode(err)/100 != 2:
		return err
	}
	size, err := c.FileSize(temp)
	if err == nil && size != source.n {
		return finalf("%w: the server has %d of %d bytes", remote.ErrUnavailable, size, source.n)
	}
	if err != nil && !inOrder(err) {
		return err
	}
	return nil
}

// rename gives a file its name. Where the server cannot replace a file that has
// the name, that one stays: names stand for contents.
func (c *conn) rename(temp, target string) error {
	err := c.Rename(temp, target)
	if err == nil || !inOrder(err) {
		return err
	}
	if _, sizeErr := c.FileSize(target); sizeErr != nil {
		return err
	}
	c.ServerConn.Delete(temp)
	return nil
}

// reader counts, marks the errors of a caller's reader as such, and ends with
// its context.
type reader struct {
	ctx context.Context
	r   io.Reader
	n   int64
	err error
}

func (r *reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		r.err = final(err)
		return 0, r.err
	}
	n, err := r.r.Read(p)
	r.n += int64(n)
	if err != nil && err != io.EOF {
		r.err = final(err)
		err = r.err
	}
	return n, err
}

// mkdir makes sure of a directory, and of those that it lies in down from the
// root. The place remembers them.
func (p *place) mkdir(c *conn, dir string) error {
	p.mu.Lock()
	made := p.made[dir]
	p.mu.Unlock()
	if made {
		return nil
	}
	if err := p.mkdirNow(c, dir); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.made[dir] = true
	return nil
}

func (p *place) mkdirNow(c *conn, dir string) error {
	if dir == c.root && !c.create {
		return c.rootError()
	}
	err := c.ChangeDir(dir)
	if err == nil || !inOrder(err) || dir == "/" {
		return err
	}
	if err := p.mkdir(c, path.Dir(dir)); err != nil {
		return err
	}
	if err = c.MakeDir(dir); err == nil || !inOrder(err) {
		return err
	}
	if c.ChangeDir(dir) == nil {
		return nil // another made it meanwhile
	}
	return err
}

// forget drops what is remembered of directories, and says if that was anything.
func (p *place) forget() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	some := len(p.made) > 0
	p.made = map[string]bool{}
	return some
}

// Delete is that of remote.Authority.
func (p *place) Delete(ctx context.Context, name string) error {
	if err := remote.CheckName(name); err != nil {
		return err
	}
	return p.do(ctx, "delete", name, func(c *conn) error {
		err := c.ServerConn.Delete(c.path(name))
		if err != nil {
			err = c.unusable(name, err)
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
}
