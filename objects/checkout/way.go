package checkout

import (
	"context"
	"errors"
	"fmt"
	"github.com/datafs/datafs/objects"
	"os"
	"path/filepath"

	"github.com/datafs/datafs/index/leaf"
)

// chooseWay finds out how files can be written, and is told how they should.
func (co *checkout) chooseWay(ctx context.Context) error {
	way := co.opts.Link
	switch way {
	case WayCopy:
		co.rep.Way = WayCopy
		return nil
	case WayAuto:
		if co.probe(WayReflink) != nil {
			co.rep.Way = WayCopy
			return nil
		}
		way = WayReflink
	default:
		if err := co.probe(way); err != nil {
			return &leaf.HintError{
				Err:  fmt.Errorf("files cannot be shared by %s between %s and %s: %w", way, co.opts.Store.Dir(), co.dir, cause(err)),
				Hint: "both must be on one filesystem that can do it; --link copy works everywhere",
			}
		}
	}
	var err error
	co.rep.Way = way
	co.copies, err = openCopies(ctx, co.opts.Store, co.opts.Wait, way)
	return err
}

// cause is the reason of a failed system call, without the paths of a probe.
// It keeps no kind: the exit code must not say that a file was missing.
func cause(err error) error {
	var link *os.LinkError
	var path *os.PathError
	switch {
	case errors.As(err, &link):
		err = link.Err
	case errors.As(err, &path):
		err = path.Err
	}
	return errors.New(err.Error())
}

// probe tries a way with a small file.
func (co *checkout) probe(way Way) error {
	src, err := os.CreateTemp(objects.TempDir(co.opts.Store.Dir()), "probe-*")
	if err != nil {
		return err
	}
	defer os.Remove(src.Name())
	_, err = src.Write(make([]byte, 4096))
	if err := errors.Join(err, src.Close()); err != nil {
		return err
	}
	dst := filepath.Join(co.dir, tempDir, "probe")
	if err := shareFile(way, src.Name(), dst, 0o666); err != nil {
		return err
	}
	return os.Remove(dst)
}
