package s3

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/logging"

	"github.com/datafs/datafs/index/leaf"
)

const (
	connections = 32               // kept open to one server
	dialTime    = 20 * time.Second // to connect, and to shake hands
	answerTime  = 2 * time.Minute  // from the end of a request to the head of its answer
	stallTime   = 3 * time.Minute  // in which a connection that is in use moves no byte
	bufferSize  = 128 << 10        // of a connection, each way, in bytes
)

// client is what the first use of an authority makes of its options.
type client struct {
	*s3.Client
	http      *http.Client
	anonymous bool
	creds     aws.CredentialsProvider // nil: none
	who       string                  // whose credentials those are, for messages
	region    string
	endpoint  string // "AWS", or a URL
	aws       bool
	tls       bool
}

// connect gives the client, without credentials that cannot be had: those it
// asks for each time, as they may have expired.
func (a *authority) connect(ctx context.Context) (*client, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	a.mu.Lock()
	if a.client == nil {
		c, err := newClient(ctx, &a.o)
		if err != nil {
			a.mu.Unlock()
			return nil, err
		}
		a.client = c
	}
	c := a.client
	a.mu.Unlock()
	return c, c.haveCredentials(ctx)
}

// newClient reads the environment and the files of ~/.aws. It does not dial.
func newClient(ctx context.Context, o *Options) (*client, error) {
	load := []func(*config.LoadOptions) error{config.WithLogger(logging.Nop{})}
	if o.Profile != "" {
		load = append(load, config.WithSharedConfigProfile(o.Profile))
	}
	if o.Region != "" {
		load = append(load, config.WithRegion(o.Region))
	}
	if o.Unsigned {
		load = append(load, config.WithCredentialsProvider(aws.AnonymousCredentials{}))
	} else if o.AccessKey != "" {
		static := credentials.NewStaticCredentialsProvider(o.AccessKey, o.SecretKey, o.SessionToken)
		load = append(load, config.WithCredentialsProvider(static))
	}
	cfg, err := config.LoadDefaultConfig(ctx, load...)
	if err != nil {
		return nil, configError(ctx, err)
	}
	if cfg.Region == "" {
		cfg.Region = "us-east-1"
	}
	c := &client{anonymous: o.Unsigned, http: httpClient(&cfg), creds: cfg.Credentials, who: who(o, &cfg), region: cfg.Region}
	c.Client = s3.NewFromConfig(cfg, func(so *s3.Options) { c.tune(o, so) })
	return c, nil
}

// tune sets what differs between AWS and other servers, which often know
// neither hosts of buckets nor the newer checksums.
func (c *client) tune(o *Options, so *s3.Options) {
	if o.Endpoint != "" {
		so.BaseEndpoint = aws.String(o.Endpoint)
	}
	c.endpoint, c.aws, c.tls = "AWS", true, true
	if so.BaseEndpoint != nil {
		c.endpoint = *so.BaseEndpoint
		c.aws = isAWS(c.endpoint)
		c.tls = strings.HasPrefix(c.endpoint, "https:")
	}
	so.UsePathStyle = o.Addressing == "path" || o.Addressing != "virtual" && !c.aws
	if !c.aws {
		so.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
		so.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
	}
	so.DisableLogOutputChecksumValidationSkipped = true
	so.DisableClockSkewCorrection = true // a clock that is wrong is reported
	so.Retryer = aws.NopRetryer{}        // the caller tries again
	so.HTTPClient = c.http
}

func isAWS(endpoint string) bool {
	u, err := url.Parse(endpoint)
	if err != nil {
		return false
	}
	host := strings.ToLower(u.Hostname())
	for _, domain := range []string{".amazonaws.com", ".amazonaws.com.cn", ".api.aws"} {
		if strings.HasSuffix(host, domain) {
			return true
		}
	}
	return false
}

// httpClient has the certificates of the configuration. It speaks HTTP/1.1,
// since one connection for all parallel transfers is slower, and follows no
// redirection, which the signature would not survive.
func httpClient(cfg *aws.Config) *http.Client {
	built, ok := cfg.HTTPClient.(*awshttp.BuildableClient)
	if !ok {
		built = awshttp.NewBuildableClient()
	}
	tr := built.GetTransport()
	dialer := &net.Dialer{Timeout: dialTime}
	tr.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dialer.DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return &liveConn{conn}, nil
	}
	tr.TLSHandshakeTimeout, tr.ResponseHeaderTimeout = dialTime, answerTime
	tr.MaxIdleConns, tr.MaxIdleConnsPerHost = 0, connections
	tr.ReadBufferSize, tr.WriteBufferSize = bufferSize, bufferSize
	tr.DisableCompression = true
	tr.ForceAttemptHTTP2 = false
	return &http.Client{
		Transport:     tr,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// liveConn fails when nothing moves for a long time, as behind a router that
// has forgotten the connection.
type liveConn struct{ net.Conn }

func (c *liveConn) Read(p []byte) (int, error) {
	_ = c.SetReadDeadline(time.Now().Add(stallTime))
	return c.Conn.Read(p)
}

// Write puts off the deadline of the Read that waits for the answer, too.
func (c *liveConn) Write(p []byte) (int, error) {
	_ = c.SetDeadline(time.Now().Add(stallTime))
	return c.Conn.Write(p)
}

// who says whose credentials are used, without showing them.
func who(o *Options, cfg *aws.Config) string {
	if o.Unsigned {
		return "nobody (requests are not signed)"
	}
	if o.AccessKey != "" {
		return "the configuration"
	}
	if o.Profile != "" {
		return fmt.Sprintf("profile %q", o.Profile)
	}
	profile := "default"
	for _, source := range cfg.ConfigSources {
		switch s := source.(type) {
		case config.EnvConfig:
			if s.Credentials.HasKeys() {
				return "the environment"
			}
		case config.SharedConfig:
			if s.Profile != "" {
				profile = s.Profile
			}
		}
	}
	return fmt.Sprintf("profile %q", profile)
}

// configError says what is wrong with the environment or the files of ~/.aws.
func configError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var none config.SharedConfigProfileNotExistError
	if errors.As(err, &none) {
		return noPermission("there is no profile %q in ~/.aws", none.Profile)
	}
	return noPermission("the AWS configuration cannot be used: %s", leaf.OneLine(err.Error()))
}
