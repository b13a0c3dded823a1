package web

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"strings"
	"syscall"

	"github.com/datafs/datafs/remote"
)

// rpcFaults are the words in a fault's text, which has the name of a Python
// exception, that say its kind. The first that is found counts.
var rpcFaults = []struct {
	word string
	kind error
}{
	{"ParentDirectoryMissing", fs.ErrNotExist}, {"ResourceNotFound", fs.ErrNotExist},
	{"FileNotFoundError", fs.ErrNotExist}, {"[Errno 2]", fs.ErrNotExist},
	{"DestinationExists", fs.ErrExist}, {"FileExistsError", fs.ErrExist}, {"[Errno 17]", fs.ErrExist},
	{"PermissionDenied", fs.ErrPermission}, {"PermissionError", fs.ErrPermission}, {"[Errno 13]", fs.ErrPermission},
	{"UnsupportedError", remote.ErrReadOnly}, {"[Errno 30]", remote.ErrReadOnly},
	{"StorageSpaceError", syscall.ENOSPC}, {"[Errno 28]", syscall.ENOSPC},
	{"RemoteConnectionError", remote.ErrUnavailable}, {"OperationTimeout", remote.ErrUnavailable}, {"ResourceLocked", remote.ErrUnavailable},
	{"ResourceInvalid", errRPCInvalid}, {"IsADirectoryError", errRPCInvalid}, {"NotADirectoryError", errRPCInvalid},
}

func rpcFault(text string) error {
	for _, f := range rpcFaults {
		if strings.Contains(text, f.word) {
			return fmt.Errorf("the server says %.200q: %w", text, f.kind)
		}
	}
	return fmt.Errorf("the server says %.200q", text)
}

// rpcFailure gives an error of reading an answer its kind. It leaves alone what
// has one.
func rpcFailure(ctx context.Context, err error) error {
	var syntax *xml.SyntaxError
	var network net.Error
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, remote.ErrUnavailable):
		return err
	case errors.As(err, &syntax) && strings.Contains(syntax.Msg, "unexpected EOF"),
		errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF), errors.As(err, &network):
		return fmt.Errorf("%w: %w", remote.ErrUnavailable, err)
	case errors.As(err, &syntax):
		return fmt.Errorf("%w: %w", errRPCAnswer, err)
	}
	return err
}
