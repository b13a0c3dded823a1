//go:build !unix

package migrate

import "testing"

func makePipe(t *testing.T, path string) { t.Skip("no named pipes here") }
