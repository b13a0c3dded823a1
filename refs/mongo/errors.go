package mongo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"slices"
	"strings"
	"syscall"

	driver "go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/refs"
)

func noTable(name string) error { return leaf.Errorf(fs.ErrNotExist, `Table "%s" not found`, name) }

func tableExists(name string) error {
	return leaf.Errorf(fs.ErrExist, `Table "%s" already exists`, name)
}

// Codes of MongoDB, from src/mongo/base/error_codes.yml.
var (
	codesDenied     = []int{13, 8000}                                            // Unauthorized, AtlasError
	codesLogin      = []int{11, 18}                                              // UserNotFound, AuthenticationFailed
	codesImpossible = []int{22, 10334, 17419, 17420}                             // InvalidBSON, a document too large
	codesDuplicate  = []int{11000, 11001}                                        // DuplicateKey
	codesFull       = []int{14031}                                               // OutOfDiskSpace
	codesElsewhere  = []int{10107, 13435, 13436, 11600, 11602, 189, 91}          // another server is the primary now, or this one goes
	codesBusy       = []int{6, 7, 24, 50, 64, 89, 112, 134, 202, 262, 462, 9001} // time is up, network among the servers, locks
)

// request is what was asked of the server, for messages.
type request struct {
	verb string // such as "insert into"
	coll string // "" is the database
}

func (r request) String() string {
	if r.coll == "" {
		return r.verb
	}
	return fmt.Sprintf("%s collection %q", r.verb, r.coll)
}

// explain says which kind of error one of the driver is. Where the outcome of a
// write is open it is refs.ErrUnavailable or none that package docdb knows.
func (d *Database) explain(ctx context.Context, r request, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	text := leaf.OneLine(err.Error())
	var server driver.ServerError
	isServer := errors.As(err, &server)
	if driver.IsNetworkError(err) || !isServer && isNetwork(err) {
		return leaf.Errorf(refs.ErrUnavailable, "%s does not answer: %s", d.o.String(), text)
	}
	if !isServer {
		return fmt.Errorf("%s in %s: %s", r, d.o.String(), text)
	}
	has := func(codes []int) bool { return slices.ContainsFunc(codes, server.HasErrorCode) }
	switch {
	case concernFailed(err), has(codesElsewhere), has(codesBusy), mayRetry(server):
		return leaf.Errorf(refs.ErrUnavailable, "%s did not %s: %s", d.o.String(), r, text)
	case has(codesLogin):
		return leaf.Errorf(fs.ErrPermission, "%s does not accept %s", d.o.String(), d.who())
	case has(codesDenied):
		return leaf.Errorf(fs.ErrPermission, "%s may not %s of %s", d.who(), r, d.o.String())
	case has(codesDuplicate):
		return fs.ErrExist
	case has(codesImpossible):
		return leaf.Errorf(fs.ErrInvalid, "%s in %s: %s", r, d.o.String(), text)
	case has(codesFull):
		return leaf.Errorf(syscall.ENOSPC, "%s in %s: %s", r, d.o.String(), text)
	}
	return fmt.Errorf("%s in %s: %s", r, d.o.String(), text)
}

func (d *Database) who() string {
	if user := d.o.user(); user != "" {
		return fmt.Sprintf("user %q", user)
	}
	return "a user without a name"
}

// concernFailed: it is written, but not to as many servers as it should.
func concernFailed(err error) bool {
	var one driver.WriteException
	var many driver.BulkWriteException
	return errors.As(err, &one) && one.WriteConcernError != nil || errors.As(err, &many) && many.WriteConcernError != nil
}

func mayRetry(err driver.LabeledError) bool {
	return slices.ContainsFunc([]string{"RetryableWriteError", "RetryableError", "SystemOverloadedError"}, err.HasErrorLabel)
}

func isNetwork(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) || driver.IsTimeout(err) || errors.Is(err, io.EOF) ||
		errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ECONNRESET) ||
		strings.HasPrefix(err.Error(), "server selection ") || strings.Contains(err.Error(), "connection pool")
}
