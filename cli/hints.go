package cli

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/datafs/datafs"
	"github.com/datafs/datafs/cli/args"
	"github.com/datafs/datafs/refs"
	"github.com/datafs/datafs/refs/lockfile"
	"github.com/datafs/datafs/remote"
	"github.com/datafs/datafs/remote/team"
)

// A way out of an error of a kind.
type way struct {
	kind error
	hint string
}

// ways are the ways out that the command has. The first that fits holds, also before what
// the error itself says.
var ways = []way{
	{datafs.ErrNotPushed, `"datafs push" tries again`},
	{datafs.ErrNoRepository, `"datafs init DIR" makes one`},
	{datafs.ErrJournalGone, `put the journal back from a copy; or let "datafs fsck --repair" begin another one: no content is let go that the lost one may have named, and "datafs pull" brings what the team has`},
	{datafs.ErrEmptyUpdate, "use --allow-empty if that is meant"},
	{datafs.ErrIsDir, "name a file in it with --path, or download it"},
	{datafs.ErrNotEmpty, "use --force to write into it; files of the same names are replaced, others stay"},
	{datafs.ErrUnstored, `move it away, store it with "datafs update", or use --force to replace it`},
	{lockfile.ErrNewer, "use a newer version of datafs"},
	{datafs.ErrBadLock, `take the lock from where it came, or remove it and make it anew with "datafs lock"`},
	{datafs.ErrLockDiffers, `the lock was edited or damaged; take it from where it came, or make it anew with "datafs lock"`},
	{datafs.ErrEmptied, `"datafs push" brings what is here`},
}

// generalWays are those of kinds that are many things, for errors that say nothing better.
var generalWays = []way{
	{syscall.ENOSPC, diskHint},
	{syscall.EDQUOT, diskHint},
	{datafs.ErrCorrupt, repairHint},
	{datafs.ErrBusy, "try again later, or wait longer with --lock-timeout"},
	{remote.ErrNoStorage, "see whether the configuration names the right place; create: true of a directory makes it with the first push"},
}

const (
	diskHint   = `the disk is full: free some space and run the command again; "datafs gc --grace 0" frees what was deleted`
	repairHint = `run "datafs fsck" to see what is damaged, and "datafs fsck --repair" to make it good from other copies`
)

// hintOf returns what to do about an error, "" where there is nothing to say.
func hintOf(err error) string {
	var usage *args.UsageError
	var output *outputError
	var own *datafs.HintError
	switch {
	case errors.As(err, &usage):
		return usage.Hint
	case errors.As(err, &output):
		return output.hint()
	}
	if hint := wayOut(err); hint != "" {
		return hint
	}
	if errors.As(err, &own) {
		return own.Hint
	}
	return first(generalWays, err)
}

// wayOut returns the hint that the command has for an error of a certain kind, else "".
func wayOut(err error) string {
	var yanked *refs.AllYankedError
	var conflict team.Conflict
	if hint := first(ways, err); hint != "" {
		return hint
	}
	switch {
	case errors.As(err, &yanked):
		return "name one with --version"
	case errors.As(err, &conflict):
		return conflictHint(conflict)
	}
	return ""
}

func first(list []way, err error) string {
	for _, w := range list {
		if errors.Is(err, w.kind) {
			return w.hint
		}
	}
	return ""
}

// conflictHint says how to end a conflict.
func conflictHint(c team.Conflict) string {
	if c.Kind == team.ConflictVersion {
		return fmt.Sprintf("datafs push --renumber %s, or datafs resolve %s --theirs to drop yours", c.Archive, c.Archive)
	}
	return fmt.Sprintf("datafs resolve %s --ours, or datafs resolve %s --theirs", c.Archive, c.Archive)
}
