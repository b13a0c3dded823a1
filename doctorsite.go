package datafs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"

	"github.com/datafs/datafs/remote"
	"github.com/datafs/datafs/remote/config"
)

// allAuthorities tries out each authority of the profile.
func (d *doctor) allAuthorities(ctx context.Context) {
	for _, name := range d.Authorities() {
		d.oneOf(ctx, name)
	}
}

func (d *doctor) oneOf(ctx context.Context, name string) {
	what, service := "authority "+name, d.service(name)
	if service.IsZero() {
		d.ok(what, "the repository itself")
		return
	}
	if _, err := d.expand(service); err != nil {
		d.problem(what, err, setVariable)
		return
	}
	if d.opts.Offline {
		d.skipped(what, "")
		return
	}
	site, err := d.site(ctx, name)
	if err != nil {
		d.problem(what, plainly(name, err), "")
		return
	}
	used, strange, err := usedSite(ctx, site)
	switch {
	case err != nil:
		d.problem(what, err, "")
	case strange != "":
		d.warn(what, `see whether the configuration names the right place; "datafs push" brings what is here`, "%s: %s", site.authority, strange)
	case site.readOnly:
		d.warn(what, "", "%s can only be read; %s", site.authority, used)
	default:
		d.tryOut(ctx, what, site, used)
	}
}

// setVariable is the hint where a configuration cannot be filled in.
const setVariable = "set the variable, or correct the configuration"

// service is an authority as it is configured.
func (d *doctor) service(name string) config.Service {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, s := range d.API.authorities {
		if s.Name == name {
			return s.Service
		}
	}
	return config.Service{}
}

// plainly leaves out of an error which authority it is about.
func plainly(name string, err error) error {
	if inner := errors.Unwrap(err); inner != nil && err.Error() == fmt.Sprintf("authority %q: %v", name, inner) {
		return inner
	}
	return err
}

// usedSite reads whether there is something at an authority, whether this
// repository can share it, and what is strange about it.
func usedSite(ctx context.Context, site *openSite) (used, strange string, err error) {
	before, err := site.Remembered(ctx)
	if err != nil {
		return "", "", err
	}
	id, err := site.Meet(ctx)
	empty := errors.Is(err, fs.ErrNotExist)
	switch {
	case empty && before != "":
		return "", "it is empty, and was not at the last time", nil
	case empty:
		return "nothing has been pushed to it yet", "", nil
	case err == nil && before != "" && before != id:
		return "", "it is another one than at the last time", nil
	}
	return "it is in use", "", err
}

// tryOut does at an authority what push and pull do.
func (d *doctor) tryOut(ctx context.Context, what string, site *openSite, used string) {
	name, err := d.probeName()
	if err != nil {
		d.problem(what, err, "")
		return
	}
	t := &trial{auth: site.authority, name: name, now: d.opts.Now}
	err = t.run(ctx)
	left := t.clean(context.WithoutCancel(ctx))
	switch {
	case errors.Is(err, fs.ErrPermission) && t.written:
		d.warn(what, "ask for the permission, or go on without what it is for", "%v; %s", err, used)
	case errors.Is(err, fs.ErrPermission):
		d.warn(what, "see whether the credentials are the right ones; without the permission, pull works and push does not", "%v; %s", err, used)
	case err != nil:
		d.problem(what, err, "")
	case left != nil:
		d.warn(what, "ask for the permission to delete, or have the file removed", "%s: the probe %s could not be removed: %v", site.authority, name, left)
	default:
		d.ok(what, "%s can be written, read, listed and deleted from; %s; a read takes %s; %s", site.authority, t.exclusive, t.trip, used)
	}
}

const probeText = "what the doctor writes, reads and removes\n"

// trial tries the operations of an authority.
type trial struct {
	auth      remote.Authority
	name      string // of the file; a second one has "-new" behind it
	now       func() time.Time
	written   bool
	trip      string // how long a read takes
	exclusive string // whether a file can be made so that only one can make it
}

func (t *trial) run(ctx context.Context) error {
	for _, step := range []struct {
		doing string
		do    func(context.Context) error
	}{
		{"writing", t.put}, {"reading", t.get}, {"listing", t.list}, {"exclusive writing", t.putNew}, {"deleting", t.remove},
	} {
		if err := step.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", step.doing, err)
		}
	}
	return nil
}

// clean removes what the trial has made, as far as it can.
func (t *trial) clean(ctx context.Context) error {
	if !t.written {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	return errors.Join(t.auth.Delete(ctx, t.name), t.auth.Delete(ctx, t.newName()))
}

func (t *trial) newName() string { return t.name + "-new" }

func (t *trial) put(ctx context.Context) error {
	err := t.auth.Put(ctx, t.name, strings.NewReader(probeText))
	t.written = err == nil || !errors.Is(err, fs.ErrPermission) // it may have been
	return err
}

// get reads a range, and then all.
func (t *trial) get(ctx context.Context) error {
	start := t.now()
	if err := t.want(ctx, t.name, 5, 10, probeText[5:15]); err != nil {
		return err
	}
	t.trip = tookText(t.now().Sub(start))
	return t.want(ctx, t.name, 0, -1, probeText)
}

func (t *trial) want(ctx context.Context, name string, off, n int64, want string) error {
	r, err := t.auth.Get(ctx, name, off, n)
	if err != nil {
		return err
	}
	defer r.Close()
	got, err := io.ReadAll(io.LimitReader(r, int64(len(probeText))+1))
	if err == nil && !bytes.Equal(got, []byte(want)) {
		err = fmt.Errorf("%s gives something else than was written: %d bytes from %d on are %.80q", t.auth, n, off, got)
	}
	return err
}

func (t *trial) list(ctx context.Context) error {
	for info, err := range t.auth.List(ctx, t.name) {
		if err != nil {
			return err
		}
		if info.Name == t.name && info.Size == int64(len(probeText)) {
			return nil
		}
	}
	return fmt.Errorf("%s does not list a file that is there", t.auth)
}

// putNew finds out whether a second writer is refused.
func (t *trial) putNew(ctx context.Context) error {
	t.exclusive = "no exclusive writes, so that it cannot keep a catalogue"
	x, ok := t.auth.(remote.Exclusive)
	if !ok {
		return nil
	}
	err := x.PutNew(ctx, t.newName(), strings.NewReader(probeText))
	if errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	if err != nil {
		return err
	}
	err = x.PutNew(ctx, t.newName(), strings.NewReader("a second writer"))
	if !errors.Is(err, fs.ErrExist) {
		return err // nil: the server takes no notice of the condition
	}
	t.exclusive = "exclusive writes"
	return t.want(ctx, t.newName(), 0, -1, probeText)
}

func (t *trial) remove(ctx context.Context) error {
	for _, name := range []string{t.name, t.newName()} {
		if err := t.auth.Delete(ctx, name); err != nil {
			return err
		}
	}
	r, err := t.auth.Get(ctx, t.name, 0, -1)
	if err == nil {
		r.Close()
		return fmt.Errorf("%s still has a file that was deleted", t.auth)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
