package dynamo

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strings"
	"unicode"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"

	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/refs"
)

// errBusy: the server refuses the request for now, and has not done it.
var errBusy = fmt.Errorf("the server is too busy: %w", refs.ErrUnavailable)

// errUnsent: there was no connection to send the request on.
var errUnsent = fmt.Errorf("no connection: %w", refs.ErrUnavailable)

func noPermission(format string, v ...any) error {
	return leaf.Errorf(fs.ErrPermission, format, v...)
}

func noTable(table string) error {
	name := strings.TrimSuffix(strings.TrimSuffix(table, logSuffix), specSuffix) // as users know it
	return leaf.Errorf(fs.ErrNotExist, "Table %q not found", name)
}

func tableExists(table string) error {
	return leaf.Errorf(fs.ErrExist, "Table %q already exists", table)
}

// request names what a request does, for messages.
type request struct {
	action string // as in a policy, without "dynamodb:"
	table  string // "": none in particular
}

func (r request) String() string {
	if r.table == "" {
		return "dynamodb:" + r.action
	}
	return fmt.Sprintf("dynamodb:%s on table %q", r.action, r.table)
}

// explain says which kind of error one of a request is. A condition that failed
// stays a *types.ConditionalCheckFailedException.
func (r request) explain(ctx context.Context, c *client, err error) error {
	var condition *types.ConditionalCheckFailedException
	if errors.As(err, &condition) {
		return condition
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	answer := status(err)
	if answer == 0 {
		return fmt.Errorf("%s: %w", c.where, networkError(err))
	}
	code, message := codeOf(err)
	if e := c.refused(r, code, message); e != nil {
		return e
	}
	if e := r.known(code, message); e != nil {
		return e
	}
	text := strings.TrimSpace(fmt.Sprintf("%s: the server answers %d %s", r, answer, code))
	if message != "" && !strings.EqualFold(message, code) {
		text += ": " + leaf.OneLine(message)
	}
	switch {
	case answer < 300:
		return fmt.Errorf("%s: the answer of the server cannot be read: %s: %w", r, leaf.OneLine(err.Error()), refs.ErrUnavailable)
	case code == "" && answer == http.StatusNotFound:
		return fmt.Errorf("what answers at %s does not speak DynamoDB (404)", c.where)
	case answer >= 500, answer == http.StatusRequestTimeout, answer == http.StatusTooManyRequests:
		return fmt.Errorf("%s: %w", text, refs.ErrUnavailable)
	case answer == http.StatusUnauthorized, answer == http.StatusForbidden:
		return noPermission("access is refused to %s: %s", c.who, text)
	}
	return errors.New(text)
}

// known gives the errors that DynamoDB has names for, nil for others.
func (r request) known(code, message string) error {
	switch code {
	case "ResourceNotFoundException", "TableNotFoundException":
		return noTable(r.table)
	case "ResourceInUseException", "TableAlreadyExistsException", "TableInUseException":
		return tableExists(r.table)
	case "ProvisionedThroughputExceededException", "ThrottlingException", "Throttling", "RequestLimitExceeded",
		"LimitExceededException", "TransactionConflictException", "ReplicatedWriteConflictException":
		return fmt.Errorf("%s: %s: %w", r, code, errBusy)
	case "RequestEntityTooLarge", "RequestTooLargeException":
		return tooLarge()
	case "ValidationException":
		if strings.Contains(strings.ToLower(message), "item size") {
			return tooLarge()
		}
		return fmt.Errorf("%s: %s: %w", r, leaf.OneLine(message), fs.ErrInvalid)
	}
	return nil
}

func tooLarge() error {
	return fmt.Errorf("the record is larger than the 400 KB that an item of DynamoDB holds: %w", fs.ErrInvalid)
}

// userIn returns who is refused in a message such as "User: ARN is not authorized
// to perform ...".
func userIn(message string) (user string, found bool) {
	before, _, found := strings.Cut(message, " is not authorized")
	_, user, named := strings.Cut(before, "User: ")
	return user, found && named && user != "" && !strings.ContainsFunc(user, unicode.IsSpace)
}

// refused explains what AWS says about permissions and credentials.
func (c *client) refused(r request, code, message string) error {
	switch code {
	case "AccessDeniedException", "AccessDenied":
		who := c.who
		if user, found := userIn(message); found {
			who = leaf.OneLine(user)
		}
		return noPermission("%s may not do %s", who, r)
	case "UnrecognizedClientException", "InvalidClientTokenId", "InvalidAccessKeyId":
		return noPermission("the server does not know %s (%s)", c.who, code)
	case "InvalidSignatureException", "SignatureDoesNotMatch", "IncompleteSignature", "IncompleteSignatureException":
		if strings.Contains(message, "Signature expired") || strings.Contains(message, "not yet current") {
			return noPermission("the clock of this machine differs from the server's (%s)", code)
		}
		return noPermission("the secret key does not belong to %s (%s)", c.who, code)
	case "ExpiredToken", "ExpiredTokenException", "RequestExpired":
		return noPermission("the credentials of %s have expired (%s)", c.who, code)
	case "MissingAuthenticationToken", "MissingAuthenticationTokenException", "OptInRequired":
		return noPermission("the credentials of %s are not accepted (%s)", c.who, code)
	}
	return nil
}

// status is the code of the answer that err comes from, 0 if there was none.
func status(err error) int {
	var re *awshttp.ResponseError
	if !errors.As(err, &re) || re.Response == nil || re.Response.Response == nil {
		return 0
	}
	return re.Response.StatusCode
}

// codeOf is the word by which DynamoDB names an error, "" if there is none.
func codeOf(err error) (code, message string) {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return "", ""
	}
	if code = api.ErrorCode(); code == "UnknownError" {
		code = ""
	}
	return code, api.ErrorMessage()
}

// networkError is for requests that had no answer.
func networkError(err error) error {
	var sent *url.Error
	if errors.As(err, &sent) {
		err = sent.Err
	}
	var cert *tls.CertificateVerificationError
	var ne net.Error
	var dial *net.OpError
	switch {
	case errors.As(err, &dial) && dial.Op == "dial":
		return leaf.Errorf(errUnsent, "%s", leaf.OneLine(err.Error()))
	case errors.As(err, &cert):
		return errors.New(leaf.OneLine(cert.Error()))
	case sent == nil && !errors.As(err, &ne): // nothing was sent
		return errors.New(leaf.OneLine(err.Error()))
	}
	return fmt.Errorf("%s: %w", leaf.OneLine(err.Error()), refs.ErrUnavailable)
}

// haveCredentials makes sure that there are some. They are kept until shortly
// before they expire.
func (c *client) haveCredentials(ctx context.Context) error {
	if c.creds == nil {
		return noPermission("no credentials found")
	}
	_, err := c.creds.Retrieve(ctx)
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var op *smithy.OperationError
	var canceled *smithy.CanceledError
	switch {
	case errors.As(err, &canceled): // another caller's context was over
		return fmt.Errorf("get credentials: %w", refs.ErrUnavailable)
	case !errors.As(err, &op):
		return noPermission("the credentials of %s cannot be had: %s", c.who, leaf.OneLine(err.Error()))
	case op.ServiceID == "ec2imds":
		return noPermission("no credentials found for %s: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile in the configuration", c.who)
	}
	if answer := status(err); answer == 0 || answer >= 500 || answer == http.StatusTooManyRequests {
		return fmt.Errorf("get the credentials of %s: %w", c.who, networkError(err))
	}
	code, message := codeOf(err)
	return noPermission("the credentials of %s cannot be had: %s %s: %s", c.who, op.ServiceID, code, leaf.OneLine(message))
}
