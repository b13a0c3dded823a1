//go:build unix

package objects

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/datafs/datafs/fixtures/samples"
)

func TestPipesAndSocketsAreRefusedByName(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir) // a socket's name must be short
	makers := map[string]func(string) error{
		"named pipe": func(name string) error { return syscall.Mkfifo(name, 0o600) },
		"socket": func(name string) error {
			l, err := net.Listen("unix", name)
			if err == nil {
				t.Cleanup(func() { l.Close() })
			}
			return err
		},
	}
	for kind, make := range makers {
		t.Run(kind, func(t *testing.T) {
			s := newStore(t)
			for _, sub := range []string{kind + " alone", kind + " below/sub"} {
				mkdir(t, dir, sub)
				name := filepath.Join(sub, "special")
				if err := make(name); err != nil {
					t.Fatal(err)
				}
				w := newWriter(t, s, &WriterOptions{})
				for _, arg := range []string{name, strings.Split(sub, "/")[0]} {
					if _, err := w.Path(arg, nil); err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), kind) {
						t.Errorf("%s: got %v", arg, err)
					}
				}
				if err := w.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	const device = "/dev/zero" // read to its end it would fill the disk
	if fi, err := os.Stat(device); err != nil || fi.Mode().IsRegular() {
		t.Skipf("no %s here: %v", device, err)
	}
	if _, err := newWriter(t, newStore(t), &WriterOptions{}).Path(device, nil); err == nil || !strings.Contains(err.Error(), "device") {
		t.Errorf("a device: %v", err)
	}
}

// A pipe where a file is to be written must not be waited for.
func TestExtractDoesNotOpenAPipe(t *testing.T) {
	s, src, dir := newStore(t), t.TempDir(), t.TempDir()
	writeFile(t, src, "f", 0o644, []byte("content"))
	tree := openTree(t, s, takePath(t, s, src).Tree)
	if err := syscall.Mkfifo(filepath.Join(dir, "f"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := tree.Extract(t.Context(), dir, &ExtractOptions{}); !errors.Is(err, os.ErrExist) {
		t.Errorf("got %v", err)
	}
	if err := tree.Extract(t.Context(), dir, &ExtractOptions{Replace: true}); err != nil {
		t.Error(err)
	}
	sameDirs(t, dir, src)
}

const helperEnv = "DATAFS_OBJECTS_TEST_HELPER"

// TestHelperProcess is what another process runs: it takes a stream of random
// bytes into a store, says so when it has begun, and either ends or goes on
// until it is killed.
func TestHelperProcess(t *testing.T) {
	dir, n, ok := strings.Cut(os.Getenv(helperEnv), "|")
	if !ok {
		t.Skip("only for the tests that start it")
	}
	size, err := strconv.ParseInt(n, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	var seen int64
	s := reopen(t, dir)
	w := newWriter(t, s, &WriterOptions{Now: time.Now, Progress: func(n int64) {
		if seen += n; seen == n {
			os.Stdout.WriteString("begun\n")
		}
	}})
	r, err := w.File(&endless{left: size})
	if err = errors.Join(err, w.Finish(), w.Close()); err != nil {
		t.Fatal(err)
	}
	os.Stdout.WriteString(r.Tree.String() + "\n")
}

// endless gives bytes that do not repeat within 16 MiB.
type endless struct {
	block []byte
	left  int64
}

func (e *endless) Read(p []byte) (int, error) {
	if e.left == 0 {
		return 0, io.EOF
	}
	if len(e.block) == 0 {
		e.block = samples.Random(77, 16<<20)
	}
	n := copy(p[:min(int64(len(p)), e.left)], e.block)
	e.block, e.left = e.block[n:], e.left-int64(n)
	return n, nil
}

// startHelper returns the process and its output behind "begun".
func startHelper(t *testing.T, s *Store, size int64) (*exec.Cmd, *bufio.Reader) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestHelperProcess$")
	cmd.Env = append(os.Environ(), helperEnv+"="+s.dir+"|"+strconv.FormatInt(size, 10))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(out)
	if line, err := r.ReadString('\n'); err != nil || line != "begun\n" {
		t.Fatalf("the other process says %q, %v", line, err)
	}
	return cmd, r
}

func TestAWriterThatIsKilledLeavesAGoodStore(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	tree := takeBytes(t, s, samples.Random(1, 100_000)).Tree
	for range 3 {
		cmd, _ := startHelper(t, s, 1<<50)
		if err := s.CleanTemp(); err != nil { // which must not disturb it
			t.Fatal(err)
		}
		cmd.Process.Kill()
		cmd.Wait()
	}
	if err := s.CleanTemp(); err != nil {
		t.Fatal(err)
	}
	checkStore(t, s)
	checkFile(t, s, tree, samples.Random(1, 100_000))
	collect(t, s, tree)
	checkFile(t, s, tree, samples.Random(1, 100_000))
}

func TestSeveralProcessesWriteOneStore(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	const n = 4 << 20
	type process struct {
		cmd *exec.Cmd
		out *bufio.Reader
	}
	var all []process
	for range 3 {
		cmd, out := startHelper(t, s, n)
		all = append(all, process{cmd, out})
	}
	want, err := io.ReadAll(&endless{left: n})
	if err != nil {
		t.Fatal(err)
	}
	id := takeBytes(t, s, want).Tree
	for _, p := range all {
		line, err := p.out.ReadString('\n')
		if err != nil || strings.TrimSpace(line) != id.String() {
			t.Errorf("another process has tree %q, %v; want %s", line, err, id)
		}
		io.Copy(io.Discard, p.out)
		if err := p.cmd.Wait(); err != nil {
			t.Error(err)
		}
	}
	checkFile(t, s, id, want)
	collect(t, s, id)
	checkFile(t, s, id, want)
	if st, err := s.Stats(t.Context()); err != nil || st.Raw > n+n/2 {
		t.Errorf("after gc: %+v, %v", st, err)
	}
}
