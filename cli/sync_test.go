package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/datafs/datafs"
	"github.com/datafs/datafs/remote"
	"github.com/datafs/datafs/remote/team"
)

func TestExitCodesOfTheTeam(t *testing.T) {
	tests := []struct {
		name string
		err  error
		want int
		hint string // a part of it
	}{
		{"a server that cannot be reached", remote.ErrUnavailable, exitUnavailable, ""},
		{"a place that is not there", remote.ErrNoStorage, exitUnavailable, "create: true"},
		{"another process", datafs.ErrBusy, exitUnavailable, "--lock-timeout"},
		{"wrong credentials", fs.ErrPermission, exitPermission, ""},
		{"an authority that cannot be written", remote.ErrReadOnly, exitPermission, ""},
		{"a conflict", team.Conflict{Archive: "x", Kind: team.ConflictVersion, Version: "0.0.2"}, exitConflict, "datafs push --renumber x"},
		{"damage on the way", datafs.ErrCorrupt, exitIntegrity, "fsck"},
		{"a kind of authority that this program has not", errors.ErrUnsupported, exitError, ""},
		{"a full disk there", syscall.ENOSPC, exitError, "full"},
		{"an interrupt", errors.Join(remote.ErrUnavailable, context.Canceled), exitInterrupted, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := fmt.Errorf("push x: %w", tt.err)
			if got := exitCode(err); got != tt.want {
				t.Errorf("got exit code %d, want %d", got, tt.want)
			}
			if got := hintOf(err); tt.hint == "" && got != "" && tt.want != exitInterrupted || !strings.Contains(got, tt.hint) {
				t.Errorf("got the hint %q, want %q in it", got, tt.hint)
			}
		})
	}
}

func TestPushSummary(t *testing.T) {
	full := datafs.PushReport{
		Versions: []datafs.Pushed{{Archive: "x", Version: "0.0.1"}}, New: 2 << 20, Shared: 3 << 30, Sent: 1 << 20, Packs: 1, Requests: 7,
	}
	dry := full
	dry.DryRun, dry.Requests = true, 1
	tests := []struct {
		name   string
		report datafs.PushReport
		want   string
	}{
		{"nothing", datafs.PushReport{Requests: 2}, "nothing to push"},
		{"nothing but what was refused", datafs.PushReport{Refused: []datafs.Refusal{{Archive: "x"}}}, "nothing pushed"},
		{"something", full, "1 version: 2 MiB new (1 MiB sent in 1 pack), 3 GiB shared, 7 requests"},
		{"what would be pushed", dry, "would push 1 version: 2 MiB new, 3 GiB shared, 1 request"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := pushSummary(tt.report); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestNewsText(t *testing.T) {
	tests := []struct {
		report team.PullReport
		want   string
	}{
		{team.PullReport{}, ""},
		{team.PullReport{NewArchives: 12, NewVersions: 30, ChangedArchives: 2, DeletedArchives: 1}, "12 new archives, 30 new versions, 2 changed, 1 deleted"},
		{team.PullReport{NewVersions: 1}, "1 new version"},
	}
	for _, tt := range tests {
		if got := newsText(datafs.PullReport{PullReport: tt.report}); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}

func TestEnumeratedEndsLongListsEarly(t *testing.T) {
	names := strings.Split("abcdefghijkl", "")
	if got, want := enumerated(names, false), "a, b, c, d, e, f, g, h, i and 3 more"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := enumerated(names[:10], false), "a, b, c, d, e, f, g, h, i, j"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := enumerated(names, true), strings.Join(names, ", "); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestWaitText(t *testing.T) {
	for wait, want := range map[time.Duration]string{
		123456 * time.Microsecond: "120ms", 3200 * time.Millisecond: "3s", 2 * time.Minute: "2m 0s",
	} {
		if got := waitText(wait); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
