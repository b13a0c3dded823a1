package catalog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/remote"
)

// probeTries is how often the second write of a probe is tried.
const probeTries = 4

// writable makes sure, before the first write, that the authority can keep a
// catalogue.
func (c *Catalog) writable(ctx context.Context) error {
	if c.x == nil {
		return c.notExclusive()
	}
	if c.probed.Load() {
		return nil
	}
	return c.Probe(ctx)
}

func (c *Catalog) notExclusive() error {
	return leaf.Errorf(errors.ErrUnsupported, "%s cannot keep the catalogue: it has no exclusive write; configure a manager", c.a)
}

// Probe finds out whether the authority keeps what Exclusive promises, with a
// small file that it removes again. The error wraps errors.ErrUnsupported when
// it does not; any other error means that nothing is known. A Catalog that was
// not opened as Probed probes before its first write.
func (c *Catalog) Probe(ctx context.Context) error {
	if c.x == nil {
		return c.notExclusive()
	}
	var id [16]byte
	if _, err := io.ReadFull(c.random, id[:]); err != nil {
		return err
	}
	name := fmt.Sprintf("%sprobe-%x", catalogDir, id)
	kept, err := c.probe(ctx, name, fmt.Appendf(nil, "%x first", id), fmt.Appendf(nil, "%x second", id))
	if err != nil && errors.Is(err, errors.ErrUnsupported) {
		return leaf.Errorf(err, "%s", c.notExclusive())
	}
	err = errors.Join(err, c.a.Delete(context.WithoutCancel(ctx), name))
	if err != nil {
		return fmt.Errorf("finding out whether %s can keep the catalogue: %w", c.a, err)
	}
	if !kept {
		return leaf.Errorf(errors.ErrUnsupported, "%s: the server ignores conditional writes, so two people could register one version twice: "+
			"use a manager (MongoDB, DynamoDB) or another server", c.a)
	}
	if !c.probed.Swap(true) && c.onProbed != nil {
		c.onProbed()
	}
	return nil
}

// probe reports whether the first of two writes stays, and the second is told.
func (c *Catalog) probe(ctx context.Context, name string, first, second []byte) (kept bool, err error) {
	if err := c.x.PutNew(ctx, name, bytes.NewReader(first)); err != nil {
		there, readErr := c.fetch(ctx, name, 0, 1<<10) // the answer may have been lost
		if readErr != nil || !bytes.Equal(there, first) {
			return false, err
		}
	}
	for range probeTries {
		if err = c.x.PutNew(ctx, name, bytes.NewReader(second)); err == nil {
			return false, nil
		}
		if errors.Is(err, fs.ErrExist) {
			there, err := c.fetch(ctx, name, 0, 1<<10)
			return bytes.Equal(there, first), err
		}
		if !errors.Is(err, remote.ErrUnavailable) {
			break
		}
	}
	return false, err
}
