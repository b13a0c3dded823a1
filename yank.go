package datafs

import (
	"context"
	"fmt"
	"io/fs"

	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/refs"
)

// Yank marks a version that turned out wrong, and says why. It can still be read
// where it is named, with a warning, but is not chosen any more as the latest or
// by a range. Push and pull carry the mark. To yank it again for another reason
// changes the reason. The error wraps fs.ErrInvalid when the reason is missing or
// longer than 64 KiB, and when the archive is not versioned.
func (h *Archive) Yank(ctx context.Context, version, reason string) error {
	return h.yank(ctx, version, refs.Yank{Reason: reason})
}

// Unyank takes back that a version was yanked, if it was.
func (h *Archive) Unyank(ctx context.Context, version string) error {
	return h.yank(ctx, version, refs.Yank{Undo: true})
}

// CheckYank finds out whether Yank would refuse a version.
func (h *Archive) CheckYank(ctx context.Context, version string) error {
	if !h.versioned {
		return leaf.Errorf(fs.ErrInvalid, "Cannot yank a version of an unversioned archive")
	}
	v, err := refs.ParseVersion(version)
	if err != nil {
		return err
	}
	_, err = h.api.refs.Version(ctx, h.name, v)
	return err
}

func (h *Archive) yank(ctx context.Context, version string, y refs.Yank) error {
	v, err := refs.ParseVersion(version)
	if err != nil {
		return err
	}
	y.UserConfig = h.api.UserConfig()
	if err := h.api.refs.Yank(ctx, h.name, v, y); err != nil {
		return err
	}
	h.api.warned.Delete(h.name + `\` + v.String()) // the reason may be another one
	return h.api.tellTeam(ctx, h.name)
}

// warnYanked warns of the use of a version that was yanked, once.
func (h *Archive) warnYanked(rec *refs.VersionRecord) {
	y := rec.Yanked()
	if y == nil {
		return
	}
	if _, again := h.api.warned.LoadOrStore(h.name+`\`+rec.Label(), true); !again {
		h.api.opts.Warn(fmt.Sprintf("archive %q version %s was yanked: %s", h.name, rec.Label(), y.Reason))
	}
}
