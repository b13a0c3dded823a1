package dynamo

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/refs"
)

// Attempts of one request, and the most that is waited before the second one;
// each further wait may be twice as long, up to retryMost.
const (
	networkTries  = 4
	networkFirst  = 200 * time.Millisecond
	throttleTries = 12 // about half a minute
	throttleFirst = 50 * time.Millisecond
	retryMost     = 5 * time.Second
)

// conn sends requests. It is safe for concurrent use.
type conn struct {
	o      Options
	random io.Reader
	sleep  func(ctx context.Context, wait time.Duration) error

	mu     sync.Mutex
	client *client // mu guards it; nil until it is needed
}

func newConn(o Options) *conn {
	c := &conn{o: o, random: o.Rand, sleep: leaf.Sleep}
	if c.random == nil {
		c.random = rand.Reader
	}
	return c
}

// connect gives the client, without credentials that cannot be had: those it
// asks for each time, as they may have expired.
func (c *conn) connect(ctx context.Context) (*client, error) {
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	c.mu.Lock()
	if c.client == nil {
		client, err := newClient(ctx, &c.o)
		if err != nil {
			c.mu.Unlock()
			return nil, err
		}
		c.client = client
	}
	client := c.client
	c.mu.Unlock()
	return client, client.haveCredentials(ctx)
}

func (c *conn) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.client != nil {
		c.client.http.CloseIdleConnections()
	}
}

// method is one of those of dynamodb.Client.
type method[In, Out any] func(*dynamodb.Client, context.Context, *In, ...func(*dynamodb.Options)) (*Out, error)

// call sends a request, and again while the server is too busy or cannot be
// reached, after waits that grow and are random ("full jitter", M. Brooker,
// Exponential Backoff And Jitter, AWS Architecture Blog, 2015). unsure says that
// an attempt before the last one may have done what it asked for, although its
// answer was lost, or may still do it.
func call[In, Out any](ctx context.Context, c *conn, r request, in *In, send method[In, Out]) (out *Out, unsure bool, err error) {
	for n := 0; ; n++ {
		client, err := c.connect(ctx)
		if err != nil {
			return nil, unsure, err
		}
		out, err := send(client.Client, ctx, in)
		if err == nil {
			return out, unsure, nil
		}
		err = r.explain(ctx, client, err)
		if !errors.Is(err, refs.ErrUnavailable) {
			return nil, unsure, err
		}
		first, tries := networkFirst, networkTries
		if errors.Is(err, errBusy) {
			first, tries = throttleFirst, throttleTries
		} else if !errors.Is(err, errUnsent) {
			unsure = true
		}
		if n+1 >= tries {
			return nil, unsure, err
		}
		if err := c.wait(ctx, first, n); err != nil {
			return nil, unsure, err
		}
	}
}

// wait waits before the attempt after the one with number n.
func (c *conn) wait(ctx context.Context, first time.Duration, n int) error {
	var b [8]byte
	if _, err := io.ReadFull(c.random, b[:]); err != nil {
		return fmt.Errorf("read random bytes: %w", err)
	}
	most := min(first<<min(n, 10), retryMost)
	return c.sleep(ctx, time.Duration(binary.LittleEndian.Uint64(b[:])%uint64(most)))
}
