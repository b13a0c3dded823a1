//go:build !unix

package datafs

import "testing"

func makePipe(t *testing.T, path string) { t.Skip("no named pipes here") }
