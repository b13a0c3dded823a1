package bolt

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/datafs/datafs/index/leaf"
)

// makeJournalDir makes the journal's directory and its name last. One that was
// there already may have been made by a process that was killed before it came
// to that; the same holds for what stands beside it.
func makeJournalDir(dir string) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return fmt.Errorf("making journal: %w", err)
	}
	if err := leaf.SyncDir(filepath.Dir(dir)); err != nil {
		return fmt.Errorf("making journal: %w", err)
	}
	return nil
}

// settleJournal makes the names of a journal last that the index does not know:
// the process that made it may have been killed before.
func settleJournal(dir string) error {
	for _, d := range []string{dir, filepath.Dir(dir)} {
		if err := leaf.SyncDir(d); err != nil {
			return fmt.Errorf("opening journal: %w", err)
		}
	}
	return nil
}
