package datafs

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// childEnv makes the test binary one of several processes: its value says what
// to do, the arguments follow.
const childEnv = "DATAFS_TEST_CHILD"

// TestMain takes the user's own settings away, and does a child's task.
func TestMain(m *testing.M) {
	task := os.Getenv(childEnv)
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); strings.HasPrefix(name, "DATAFS_") {
			os.Unsetenv(name)
		}
	}
	if task == "" {
		os.Exit(m.Run())
	}
	if err := child(context.Background(), task, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// child does a task in the repository of the directory args[0].
func child(ctx context.Context, task string, args []string) error {
	api, err := Open(ctx, testOptions(args[0]))
	if err != nil {
		return err
	}
	defer api.Close()
	fmt.Println("ready")
	switch task {
	case "updates":
		n, err := strconv.Atoi(args[2])
		if err != nil {
			return err
		}
		return manyUpdates(ctx, api, args[1], n)
	case "push often":
		n, err := strconv.Atoi(args[2])
		if err != nil {
			return err
		}
		return pushOften(ctx, api, args[1], n)
	case "keep updating":
		return untilInputEnds(func(i int) error { return updateOften(ctx, api, i) })
	case "keep collecting":
		return untilInputEnds(func(int) error { return second(api.GC(ctx, noGrace(false))) })
	case "hold":
		w, err := api.writer(ctx, "test")
		if err != nil {
			return err
		}
		defer w.Close()
		fmt.Println("held")
		_, err = io.Copy(io.Discard, os.Stdin)
		return err
	}
	return errors.New("unknown task")
}

// untilInputEnds does something again and again.
func untilInputEnds(do func(i int) error) error {
	ended := make(chan struct{})
	go func() {
		io.Copy(io.Discard, os.Stdin)
		close(ended)
	}()
	for i := 0; ; i++ {
		select {
		case <-ended:
			return nil
		default:
		}
		if err := do(i); err != nil {
			return err
		}
	}
}

// manyUpdates makes n versions of the archive "shared", and prints the number
// and the contents of each.
func manyUpdates(ctx context.Context, api *API, who string, n int) error {
	h, err := api.Archive(ctx, "shared", nil)
	if err != nil {
		return err
	}
	for i := range n {
		text := fmt.Sprintf("contents %d of process %s", i, who)
		res, err := h.UpdateFrom(ctx, strings.NewReader(text), nil)
		if err != nil {
			return err
		}
		fmt.Printf("%s\t%s\n", res.Version, text)
	}
	return nil
}

// updateOften writes one of several archives, now and then a large one, and
// sometimes deletes one.
func updateOften(ctx context.Context, api *API, i int) error {
	h, err := api.Create(ctx, fmt.Sprintf("often/%d", i%7), &CreateOptions{ExistOK: true})
	if err != nil {
		return err
	}
	if i%11 == 10 {
		return h.Delete(ctx)
	}
	size := 100
	if i%5 == 4 {
		size = 3 << 20
	}
	_, err = h.UpdateFrom(ctx, io.LimitReader(newRandom(uint64(i)), int64(size)), nil)
	return err
}

func newRandom(seed uint64) io.Reader {
	return rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), byte(seed >> 16)})
}

// process is a running child.
type process struct {
	*exec.Cmd
	out *bufio.Scanner
	in  io.Closer
	err strings.Builder
}

// start runs a child and waits until it is ready.
func start(t *testing.T, task string, args ...string) *process {
	t.Helper()
	p := &process{Cmd: exec.Command(os.Args[0], args...)}
	p.Env = append(os.Environ(), childEnv+"="+task)
	p.Stderr = &p.err
	in, _ := p.StdinPipe()
	out, _ := p.StdoutPipe()
	p.in, p.out = in, bufio.NewScanner(out)
	noError(t, p.Start())
	if !p.out.Scan() || p.out.Text() != "ready" {
		t.Fatalf("child: got %q: %v: %s", p.out.Text(), p.Wait(), &p.err)
	}
	return p
}

// kill ends the child as kill -9 does.
func (p *process) kill() {
	p.Process.Kill()
	p.Wait()
}

// finish waits for the child's own end.
func (p *process) finish(t *testing.T) {
	t.Helper()
	p.in.Close()
	if err := p.Wait(); err != nil {
		t.Errorf("child: %v: %s", err, &p.err)
	}
}
