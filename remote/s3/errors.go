package s3

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"syscall"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"

	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/remote"
)

var (
	// errPrecondition: the file is there, and the request was for none.
	errPrecondition = errors.New("there is a file of this name already")
	// errConflict: another request for the same file was under way.
	errConflict = fmt.Errorf("another request for this file is under way: %w", remote.ErrUnavailable)
)

func noPermission(format string, v ...any) error {
	return leaf.Errorf(fs.ErrPermission, format, v...)
}

func noStorage(format string, v ...any) error {
	return leaf.Errorf(remote.ErrNoStorage, format, v...)
}

// status is the code of the answer that err comes from, 0 if there was none.
func status(err error) int {
	if answer := answerOf(err); answer != nil {
		return answer.StatusCode
	}
	return 0
}

func answerOf(err error) *http.Response {
	var re *awshttp.ResponseError
	if !errors.As(err, &re) || re.Response == nil {
		return nil
	}
	return re.Response.Response
}

// codeOf is the word by which S3 names an error, "" if there is none.
func codeOf(err error) (code, message string) {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return "", ""
	}
	code = api.ErrorCode()
	if code == "UnknownError" {
		code = ""
	}
	return code, api.ErrorMessage()
}

// explain says which kind of error one of a request is.
func (a *authority) explain(ctx context.Context, c *client, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	answer := status(err)
	if answer == 0 {
		return networkError(err)
	}
	code, message := codeOf(err)
	if e := a.refused(c, code); e != nil {
		return e
	}
	if e := a.elsewhere(c, err, code, message); e != nil {
		return e
	}
	text := strings.TrimSpace(fmt.Sprintf("the server answers %d %s", answer, code))
	if message != "" && !strings.EqualFold(message, code) {
		text += ": " + leaf.OneLine(message)
	}
	if answer < 300 {
		text = "the answer of the server cannot be read: " + leaf.OneLine(err.Error())
	}
	if kind := kindOf(answer, code); kind != nil {
		if kind == fs.ErrNotExist || kind == errPrecondition || kind == errConflict {
			return kind
		}
		if kind == fs.ErrPermission {
			return noPermission("access is refused to %s: %s", c.who, text)
		}
		return fmt.Errorf("%s: %w", text, kind)
	}
	return errors.New(text)
}

// refused explains what S3 says about credentials.
func (a *authority) refused(c *client, code string) error {
	switch code {
	case "AccessDenied", "AllAccessDisabled", "AccountProblem":
		return noPermission("access is denied to %s (%s)", c.who, code)
	case "InvalidAccessKeyId", "InvalidClientTokenId", "UnrecognizedClientException", "XAdminUserNotFound":
		return noPermission("the server does not know the access key of %s (%s)", c.who, code)
	case "SignatureDoesNotMatch":
		return noPermission("the secret key of %s is not the one of its access key (%s)", c.who, code)
	case "ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "RequestExpired":
		return noPermission("the credentials of %s have expired (%s)", c.who, code)
	case "InvalidToken", "InvalidSecurity":
		return noPermission("the session token of %s is not valid (%s)", c.who, code)
	case "RequestTimeTooSkewed":
		return noPermission("the clock of this machine differs from the server's (%s)", code)
	}
	return nil
}

var wantedRegion = regexp.MustCompile(`expecting '([a-z0-9-]{1,40})'`)

// elsewhere explains that the bucket is not there, or in another region.
func (a *authority) elsewhere(c *client, err error, code, message string) error {
	answer := answerOf(err)
	region := answer.Header.Get("X-Amz-Bucket-Region")
	if m := wantedRegion.FindStringSubmatch(message); m != nil && region == "" {
		region = m[1]
	}
	switch {
	case code == "NoSuchBucket":
		return noStorage("bucket %q is not there at %s", a.o.Bucket, c.endpoint)
	case code == "InvalidBucketName":
		return noStorage("bucket %q cannot be at %s: its name is not valid", a.o.Bucket, c.endpoint)
	case code == "AuthorizationHeaderMalformed" || answer.StatusCode == http.StatusMovedPermanently:
		if region == "" {
			return noStorage("bucket %q is not in region %s: set region_name to the right one", a.o.Bucket, c.region)
		}
		return noStorage("bucket %q is in region %s, not %s: set region_name", a.o.Bucket, leaf.OneLine(region), c.region)
	case code == "" && answer.StatusCode == http.StatusNotFound:
		return noStorage("what answers at %s does not speak S3 (404)", c.endpoint)
	}
	return nil
}

// kindOf gives the kind of an answer that is no success; nil is a plain error.
func kindOf(answer int, code string) error {
	switch code {
	case "NoSuchKey", "NotFound":
		return fs.ErrNotExist
	case "PreconditionFailed":
		return errPrecondition
	case "ConditionalRequestConflict":
		return errConflict
	case "QuotaExceeded", "InsufficientStorage", "XMinioStorageFull", "XMinioAdminBucketQuotaExceeded", "InsufficientCapacity":
		return syscall.ENOSPC
	case "SlowDown", "SlowDownRead", "SlowDownWrite", "RequestTimeout", "InternalError", "ServiceUnavailable", "Throttling",
		"ThrottlingException", "TooManyRequests", "RequestLimitExceeded", "BadDigest", "XAmzContentSHA256Mismatch",
		"IncompleteBody", "NoSuchUpload", "OperationAborted", "TemporaryRedirect":
		return remote.ErrUnavailable
	}
	switch {
	case answer == http.StatusUnauthorized, answer == http.StatusForbidden:
		return fs.ErrPermission
	case answer == http.StatusPreconditionFailed:
		return errPrecondition
	case answer == http.StatusNotImplemented:
		return errors.ErrUnsupported
	case answer == http.StatusInsufficientStorage:
		return syscall.ENOSPC
	case answer == http.StatusRequestTimeout, answer == http.StatusTooEarly, answer == http.StatusTooManyRequests,
		answer == http.StatusTemporaryRedirect, answer >= 500, answer < 300: // the last: an answer that cannot be read
		return remote.ErrUnavailable
	}
	return nil
}

// networkError is for requests that had no answer.
func networkError(err error) error {
	var request *url.Error
	if errors.As(err, &request) {
		err = request.Err
	}
	var dns *net.DNSError
	var cert *tls.CertificateVerificationError
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		return noStorage("there is no host %q", dns.Name)
	case errors.As(err, &cert):
		return errors.New(leaf.OneLine(cert.Error()))
	case request == nil && !isNetwork(err): // nothing was sent
		return errors.New(leaf.OneLine(err.Error()))
	}
	return fmt.Errorf("%s: %w", leaf.OneLine(err.Error()), remote.ErrUnavailable)
}

func isNetwork(err error) bool {
	var ne net.Error
	return errors.As(err, &ne)
}

// bodyError is for a content that breaks off or does not have its checksum.
func bodyError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return fmt.Errorf("%w: %w", remote.ErrUnavailable, err)
}

// haveCredentials makes sure that there are some. They are kept until shortly
// before they expire.
func (c *client) haveCredentials(ctx context.Context) error {
	if c.anonymous {
		return nil
	}
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
		return fmt.Errorf("get credentials: %w", remote.ErrUnavailable)
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
