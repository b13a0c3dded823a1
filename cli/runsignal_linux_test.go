package cli

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// openTerminal opens both ends of a new terminal.
func openTerminal(t *testing.T) (person, terminal *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { person.Close() })
	if err := unix.IoctlSetPointerInt(int(person.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Skip(err)
	}
	n, err := unix.IoctlGetInt(int(person.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Skip(err)
	}
	terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { terminal.Close() })
	return person, terminal
}

func TestAKeyThatInterruptsReachesTheProgramOnce(t *testing.T) {
	needShell(t)
	person, terminal := openTerminal(t)
	script := `trap 'n=$((n+1))' INT; echo ready; until test "$n"; do :; done; for i in 1 2 3 4 5; do sleep 0.01; done; echo "got $n"`
	cmd, repo := runCommandIn(t, "sh", "-c", script)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = terminal, terminal, terminal
	cmd.SysProcAttr.Setctty = true
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	terminal.Close()
	var text strings.Builder
	lines := bufio.NewScanner(person)
	for lines.Scan() {
		text.WriteString(lines.Text() + "\n")
		if strings.Contains(lines.Text(), "ready") {
			person.Write([]byte{3}) // Ctrl-C
		}
	}
	cmd.Wait()
	if got := text.String(); !strings.Contains(got, "got 1") || cmd.ProcessState.ExitCode() != exitInterrupted {
		t.Errorf("got exit code %d:\n%s", cmd.ProcessState.ExitCode(), got)
	}
	checkNothingPublished(t, repo)
}
