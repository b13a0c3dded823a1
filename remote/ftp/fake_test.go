package ftp

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// fake is an FTP server in this process, with one user whose home is /home.
type fake struct {
	t    *testing.T
	dir  string
	mlsd bool

	mu       sync.Mutex // guards what follows
	addr     string
	listener net.Listener
	conns    map[net.Conn]bool
	replies  map[string]string // by command, instead of what it does; "" is silence
	cut      int64             // bytes after which a RETR ends
}

func newFake(t *testing.T) *fake {
	t.Helper()
	s := &fake{t: t, dir: t.TempDir(), addr: "127.0.0.1:0", conns: map[net.Conn]bool{}, replies: map[string]string{}}
	if err := os.Mkdir(filepath.Join(s.dir, "home"), 0o755); err != nil {
		t.Fatal(err)
	}
	s.start()
	t.Cleanup(s.stop)
	return s
}

func (s *fake) options() *Options {
	host, port, _ := net.SplitHostPort(s.addr)
	n, _ := strconv.Atoi(port)
	return &Options{Host: host, Port: n, User: "ann", Password: testPassword}
}

func (s *fake) set(command, reply string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.replies[command] = reply
}

func (s *fake) start() {
	s.t.Helper()
	listener, err := net.Listen("tcp", s.addr)
	if err != nil {
		s.t.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listener, s.addr = listener, listener.Addr().String()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			s.keep(conn)
			go (&fakeSession{fake: s, ctl: conn, cwd: "/home"}).serve()
		}
	}()
}

func (s *fake) keep(conn net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conns[conn] = true
}

func (s *fake) stop() {
	s.listener.Close()
	s.hangUp()
}

// hangUp breaks all connections.
func (s *fake) hangUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for conn := range s.conns {
		conn.Close()
	}
	s.conns = map[net.Conn]bool{}
}

type fakeSession struct {
	*fake
	ctl  net.Conn
	cwd  string
	from string
	rest int64
	data net.Listener
}

func (c *fakeSession) say(format string, a ...any) { fmt.Fprintf(c.ctl, format+"\r\n", a...) }

func (c *fakeSession) serve() {
	defer c.ctl.Close()
	c.say("220 hello")
	for in := bufio.NewScanner(c.ctl); in.Scan(); {
		command, arg, _ := strings.Cut(in.Text(), " ")
		c.mu.Lock()
		reply, planned := c.replies[command]
		c.mu.Unlock()
		switch {
		case planned && reply != "":
			c.say("%s", reply)
		case !planned:
			c.run(command, arg)
		}
	}
}

func (c *fakeSession) abs(arg string) string {
	if !path.IsAbs(arg) {
		arg = path.Join(c.cwd, arg)
	}
	return path.Clean(arg)
}

func (c *fakeSession) local(arg string) string { return filepath.Join(c.dir, c.abs(arg)) }

// done says ok, or 550 after an error.
func (c *fakeSession) done(err error, ok string) {
	if err != nil {
		c.say("550 it failed")
		return
	}
	c.say("%s", ok)
}

func (c *fakeSession) run(command, arg string) {
	switch command {
	case "USER":
		c.say("331 password?")
	case "PASS":
		if arg != testPassword {
			c.say("530 wrong")
			return
		}
		c.say("230 in")
	case "FEAT":
		if c.mlsd {
			c.say("211-features:\r\n MLST type*;size*;modify*;\r\n211 end")
		} else {
			c.say("211 none")
		}
	case "TYPE", "OPTS", "NOOP":
		c.say("200 ok")
	case "PWD":
		c.say("257 %q is it", c.cwd)
	case "EPSV":
		c.passive()
	case "REST":
		c.rest, _ = strconv.ParseInt(arg, 10, 64)
		c.say("350 from there")
	case "QUIT":
		c.say("221 bye")
		c.ctl.Close()
	case "RETR", "STOR", "LIST", "MLSD":
		c.transfer(command, arg)
	default:
		c.files(command, arg)
	}
}

func (c *fakeSession) files(command, arg string) {
	info, statErr := os.Stat(c.local(arg))
	switch command {
	case "CWD":
		if statErr == nil && !info.IsDir() {
			statErr = os.ErrInvalid
		}
		if statErr == nil {
			c.cwd = c.abs(arg)
		}
		c.done(statErr, "250 there")
	case "SIZE":
		if statErr != nil || info.IsDir() {
			c.say("550 no file")
			return
		}
		c.say("213 %d", info.Size())
	case "MKD":
		c.done(os.Mkdir(c.local(arg), 0o755), "257 made")
	case "DELE":
		c.done(os.Remove(c.local(arg)), "250 gone")
	case "RNFR":
		c.from = c.local(arg)
		c.done(statErr, "350 to?")
	case "RNTO":
		c.done(os.Rename(c.from, c.local(arg)), "250 renamed")
	default:
		c.say("502 what is %s", command)
	}
}

func (c *fakeSession) passive() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		c.say("425 no port")
		return
	}
	if c.data != nil {
		c.data.Close()
	}
	c.data = listener
	c.say("229 go (|||%d|)", listener.Addr().(*net.TCPAddr).Port)
}

func (c *fakeSession) transfer(command, arg string) {
	defer c.data.Close()
	offset := c.rest
	c.rest = 0
	var file *os.File
	var err error
	switch command {
	case "RETR":
		file, err = os.Open(c.local(arg))
	case "STOR":
		file, err = os.Create(c.local(arg))
	}
	if info, statErr := os.Stat(c.local(arg)); err != nil || statErr == nil && info.IsDir() && file != nil {
		c.say("550 no file")
		return
	}
	c.say("150 here it comes")
	conn, err := c.data.Accept()
	if err != nil {
		return
	}
	c.keep(conn)
	defer conn.Close()
	switch command {
	case "RETR":
		defer file.Close()
		file.Seek(offset, io.SeekStart)
		c.mu.Lock()
		cut := c.cut
		c.mu.Unlock()
		if cut > 0 {
			io.CopyN(conn, file, cut)
			err = io.ErrUnexpectedEOF
		} else {
			_, err = io.Copy(conn, file)
		}
	case "STOR":
		_, err = io.Copy(file, conn)
		file.Close()
	default:
		c.list(conn)
	}
	conn.Close()
	if err != nil {
		c.say("426 broken off")
		return
	}
	c.say("226 done")
}

func (c *fakeSession) list(w io.Writer) {
	entries, _ := os.ReadDir(c.local("."))
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		kind, letter := "file", "-"
		if e.IsDir() {
			kind, letter = "dir", "d"
		}
		if c.mlsd {
			fmt.Fprintf(w, "type=%s;size=%d;modify=20260102030405; %s\r\n", kind, info.Size(), e.Name())
		} else {
			fmt.Fprintf(w, "%srw-r--r--    1 ftp      ftp      %12d Jan 02 03:04 %s\r\n", letter, info.Size(), e.Name())
		}
	}
}
