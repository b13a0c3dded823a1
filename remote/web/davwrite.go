package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"path"
	"time"

	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/remote"
)

// davTries is how often a request is sent to something that another request
// has locked just now. The waits between them sum up to about 2.5 s.
const davTries = 8

// Put keeps a file that is there already.
func (d *davFS) Put(ctx context.Context, name string, r io.ReadSeeker) error {
	err := d.PutNew(ctx, name, r)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

// PutNew is Exclusive's, as far as the server checks for the target and moves
// in one step.
func (d *davFS) PutNew(ctx context.Context, name string, r io.ReadSeeker) error {
	if err := remote.CheckName(name); err != nil {
		return err
	}
	temp := webTemporary(name)
	err := d.upload(ctx, temp, r)
	if err == nil {
		err = d.move(ctx, temp, name)
	}
	if err == nil {
		return nil
	}
	clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), webCleanup)
	defer cancel()
	_, _ = d.call(clean, http.MethodDelete, d.path(temp), nil)
	return d.wrap("put", name, err)
}

// upload writes r to a file, making the collections above it.
func (d *davFS) upload(ctx context.Context, name string, r io.ReadSeeker) error {
	start, size, err := webMeasure(r)
	if err != nil {
		return err
	}
	dir := path.Dir(d.path(name))
	for again := false; ; again = true {
		if again || dir != d.root() {
			if err := d.collection(ctx, dir); err != nil {
				return err
			}
		}
		if _, err := r.Seek(start, io.SeekStart); err != nil {
			return err
		}
		resp, err := d.web.do(ctx, http.MethodPut, d.url(d.path(name)), nil, r, size)
		if err != nil {
			return err
		}
		webDrain(resp)
		switch code := resp.StatusCode; {
		case code/100 == 2:
			return nil
		case again, code != http.StatusConflict && code != http.StatusNotFound:
			return davRefused(code)
		}
		d.forget() // somebody has removed what we had seen
	}
}

// move gives the file temp its name unless there is one of that name.
func (d *davFS) move(ctx context.Context, temp, name string) error {
	h := http.Header{"Overwrite": {"F"}, "Destination": {d.url(d.path(name))}}
	code, err := d.call(ctx, "MOVE", d.path(temp), h)
	switch {
	case err != nil:
		return err
	case code == http.StatusPreconditionFailed:
		return fs.ErrExist
	case code/100 != 2 || code == http.StatusMultiStatus:
		return davRefused(code)
	}
	return nil
}

// davRefused is webStatus for a request that writes.
func davRefused(code int) error {
	switch code {
	case http.StatusMethodNotAllowed, http.StatusNotImplemented:
		return fmt.Errorf("%w: %w", webStatus(code), remote.ErrReadOnly)
	case http.StatusNotFound, http.StatusGone: // what we had written has been taken away
		return fmt.Errorf("status %d: %w", code, remote.ErrUnavailable)
	}
	return webStatus(code)
}

// root is the path of the root collection, without a slash at its end unless it
// is all of it.
func (d *davFS) root() string { return path.Join("/", d.base.Path) }

// collection makes the collection at p and those above it that are missing, up
// to the root, which is made only if the options say so.
func (d *davFS) collection(ctx context.Context, p string) error {
	switch {
	case d.seen(p), p == "/":
		return nil
	case p == d.root() && !d.create:
		_, err := d.stat(ctx, p)
		if errors.Is(err, fs.ErrNotExist) {
			return remote.ErrNoStorage
		}
		return err
	}
	for again := false; ; again = true {
		code, err := d.call(ctx, "MKCOL", p+"/", nil)
		switch {
		case err != nil:
			return err
		case code/100 == 2, code == http.StatusMethodNotAllowed: // 405: it is there
			d.see(p)
			return nil
		case again, code != http.StatusConflict && code != http.StatusNotFound:
			return davRefused(code)
		}
		if err := d.collection(ctx, path.Dir(p)); err != nil {
			return err
		}
	}
}

func (d *davFS) seen(p string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.made[p]
}

func (d *davFS) see(p string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.made[p] = true
}

func (d *davFS) forget() {
	d.mu.Lock()
	defer d.mu.Unlock()
	clear(d.made)
}

// Delete looks first, since a server deletes a collection with all that is in
// it.
func (d *davFS) Delete(ctx context.Context, name string) error {
	if err := remote.CheckName(name); err != nil {
		return err
	}
	err := d.remove(ctx, d.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		if err = d.missing(ctx); errors.Is(err, fs.ErrNotExist) {
			return nil
		}
	}
	if err != nil {
		return d.wrap("delete", name, err)
	}
	return nil
}

func (d *davFS) remove(ctx context.Context, p string) error {
	entry, err := d.stat(ctx, p)
	if err != nil {
		return err
	}
	if entry.dir {
		return errors.New("is a directory")
	}
	code, err := d.call(ctx, http.MethodDelete, p, nil)
	if err != nil || code/100 == 2 && code != http.StatusMultiStatus {
		return err
	}
	if err := webStatus(code); errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return davRefused(code)
}

// call sends a request without a body, again while the server has a lock there
// on behalf of another request, and gives the status.
func (d *davFS) call(ctx context.Context, method, p string, header http.Header) (int, error) {
	for try := 0; ; try++ {
		resp, err := d.web.do(ctx, method, d.url(p), header, nil, 0)
		if err != nil {
			return 0, err
		}
		webDrain(resp)
		if resp.StatusCode != http.StatusLocked || try == davTries {
			return resp.StatusCode, nil
		}
		if err := leaf.Sleep(ctx, 10*time.Millisecond<<try); err != nil {
			return 0, err
		}
	}
}
