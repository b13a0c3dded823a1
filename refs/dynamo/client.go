package dynamo

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/smithy-go/logging"

	"github.com/datafs/datafs/index/leaf"
)

const (
	connections = 16               // kept open
	dialTime    = 10 * time.Second // to connect, and to shake hands
	answerTime  = 30 * time.Second // from a request to the head of its answer
	requestTime = 2 * time.Minute  // for a request and its answer
)

// client is what the first use of a table makes of its options.
type client struct {
	*dynamodb.Client
	http   *http.Client
	creds  aws.CredentialsProvider // nil: none
	who    string                  // whose credentials those are, for messages
	where  string                  // "AWS" or a URL, and the region, for messages
	region string
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
	if o.AccessKey != "" {
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
	c := &client{http: httpClient(&cfg), creds: cfg.Credentials, who: who(o, &cfg), region: cfg.Region}
	c.Client = dynamodb.NewFromConfig(cfg, func(do *dynamodb.Options) { c.tune(o, do) })
	return c, nil
}

func (c *client) tune(o *Options, do *dynamodb.Options) {
	if o.Endpoint != "" {
		do.BaseEndpoint = aws.String(o.Endpoint)
	}
	c.where = "AWS in " + c.region
	if do.BaseEndpoint != nil {
		c.where = *do.BaseEndpoint + " in " + c.region
	}
	do.DisableClockSkewCorrection = true // a clock that is wrong is reported
	do.Retryer = aws.NopRetryer{}        // attempts are counted in call
	do.HTTPClient = c.http
}

// httpClient has the certificates of the configuration. It follows no
// redirection, which the signature would not survive.
func httpClient(cfg *aws.Config) *http.Client {
	built, ok := cfg.HTTPClient.(*awshttp.BuildableClient)
	if !ok {
		built = awshttp.NewBuildableClient()
	}
	tr := built.GetTransport()
	tr.DialContext = (&net.Dialer{Timeout: dialTime}).DialContext
	tr.TLSHandshakeTimeout, tr.ResponseHeaderTimeout = dialTime, answerTime
	tr.MaxIdleConns, tr.MaxIdleConnsPerHost = 0, connections
	return &http.Client{
		Transport:     tr,
		Timeout:       requestTime,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// who says whose credentials are used, without showing them.
func who(o *Options, cfg *aws.Config) string {
	if o.AccessKey != "" {
		return "the access key of the configuration"
	}
	if o.Profile != "" {
		return fmt.Sprintf("profile %q", o.Profile)
	}
	profile := "default"
	for _, source := range cfg.ConfigSources {
		switch s := source.(type) {
		case config.EnvConfig:
			if s.Credentials.HasKeys() {
				return "the access key of the environment"
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
