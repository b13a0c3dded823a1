package objects

import (
	"path/filepath"

	"github.com/datafs/datafs/objects/pack"
)

// FormatFile says how a repository's files are to be read. A directory that has one is a
// repository.
const FormatFile = "datafs.json"

const (
	lockFile = "store.lock"
	gateFile = "store.gate"
)

// Layout returns the names of the directories and of the files that this package keeps
// in the directory of a repository.
func Layout() (dirs, files []string) {
	return append(pack.Dirs(), pack.Quarantine), []string{FormatFile, lockFile, gateFile}
}

// TempDir returns the directory of a repository for unfinished files. The next gc removes
// those whose names begin with "pack-", "probe-" or "reserve-".
func TempDir(repo string) string { return filepath.Join(repo, pack.Temp) }
