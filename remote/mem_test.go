package remote_test

import (
	"testing"

	"github.com/datafs/datafs/remote"
	"github.com/datafs/datafs/remote/remotetest"
)

func TestMem(t *testing.T) {
	remotetest.Run(t, func(*testing.T) remote.Authority { return &remote.Mem{} })
}
