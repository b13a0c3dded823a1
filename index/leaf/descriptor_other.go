//go:build !unix

package leaf

import (
	"errors"
	"os"
)

// Descriptor finds nothing: there are no names of open files here.
func Descriptor(string) (fd int, ok bool) { return 0, false }

func duplicate(int, string) (*os.File, error) { return nil, errors.ErrUnsupported }
