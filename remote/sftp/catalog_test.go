package sftp

import (
	"testing"

	"github.com/datafs/datafs/fixtures/servers"
	"github.com/datafs/datafs/refs"
	"github.com/datafs/datafs/refs/refstest"
	"github.com/datafs/datafs/remote/catalog"
)

// TestServerKeepsTheCatalogue runs the suite of managers on a catalogue at a
// real server.
func TestServerKeepsTheCatalogue(t *testing.T) {
	s := servers.SFTP(t)
	refstest.Run(t, func(t *testing.T) refs.Manager {
		c, err := catalog.Open(open(t, realOptions(s, t.TempDir())), nil)
		if err != nil {
			t.Fatal(err)
		}
		return c
	})
}
