package sftp

import (
	"context"
	"errors"
	"io"
	"net"
	"strconv"
	"strings"

	"golang.org/x/crypto/ssh"
)

// dialHost connects to the host of the options and logs in, over the hosts on
// the way that the configuration names.
func dialHost(ctx context.Context, o *Options) (*ssh.Client, []io.Closer, error) {
	config, err := readConfig(o)
	if err != nil {
		return nil, nil, err
	}
	to, err := config.target(o, o.Host, o.Port, o.User)
	if err != nil {
		return nil, nil, err
	}
	way := []*target{to}
	for way[0].jump != "" {
		if len(way) > maxJumps {
			return nil, nil, final("ssh configuration: ProxyJump goes over more than %d hosts", maxJumps)
		}
		next, err := config.jump(o, way[0])
		if err != nil {
			return nil, nil, err
		}
		way = append([]*target{next}, way...)
	}
	return dialWay(ctx, o, way)
}

// dialWay connects to the first of the hosts, from there to the second and so on.
func dialWay(ctx context.Context, o *Options, way []*target) (client *ssh.Client, hops []io.Closer, err error) {
	for i, t := range way {
		dial := (&net.Dialer{}).DialContext
		if client != nil {
			hops = append(hops, client)
			dial = client.DialContext
		}
		client, err = dialTarget(ctx, o, t, dial, i == len(way)-1)
		if err != nil {
			for i := len(hops) - 1; i >= 0; i-- {
				hops[i].Close()
			}
			return nil, nil, err
		}
	}
	return client, hops, nil
}

type dialFunc func(ctx context.Context, network, addr string) (net.Conn, error)

// dialTarget connects to one host and logs in. What the options give for
// logging in (all but the agent and the keys of Home) is for the last host.
func dialTarget(ctx context.Context, o *Options, t *target, dial dialFunc, last bool) (*ssh.Client, error) {
	hosts, err := knownHostsOf(o, t, last)
	if err != nil {
		return nil, err
	}
	conn, err := dial(ctx, "tcp", t.addr())
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	login := newLogin(ctx, o, t, last)
	defer login.close()
	config := &ssh.ClientConfig{
		User:              t.user,
		Auth:              login.methods(),
		HostKeyCallback:   hosts.check,
		HostKeyAlgorithms: hosts.algorithms(),
	}
	c, channels, requests, err := ssh.NewClientConn(conn, t.addr(), config)
	if err != nil {
		conn.Close()
		return nil, loginError(err, hosts, login, t)
	}
	return ssh.NewClient(c, channels, requests), nil
}

// loginError says why a connection was not made.
func loginError(err error, hosts *hostKeys, login *login, t *target) error {
	if hosts.refusal != nil {
		return hosts.refusal
	}
	text := strings.ToLower(err.Error())
	if !strings.Contains(text, "unable to authenticate") && !strings.Contains(text, "authentication failures") {
		return err
	}
	why := "has no usable key"
	if login.offered > 0 || login.password != "" {
		why = "was refused"
	}
	return refused("login of %s at %s %s%s", t.user, t.host, why, login.noteText())
}

func (t *target) addr() string { return net.JoinHostPort(t.host, strconv.Itoa(t.port)) }

var errNoUser = errors.New("sftp: no user name is known: give one")
