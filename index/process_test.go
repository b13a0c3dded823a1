package index

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// childEnv makes the test binary one of several processes: its value says what
// to do, the arguments follow.
const childEnv = "INDEX_TEST_CHILD"

func TestMain(m *testing.M) {
	if what := os.Getenv(childEnv); what != "" {
		if err := child(what, os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func child(what string, args []string) error {
	db, err := Open(args[0], &Options{Holder: "pid 71 (" + what + ")"})
	if err != nil {
		return err
	}
	hold := func(*Tx) error {
		fmt.Println("held")
		_, err := io.Copy(io.Discard, os.Stdin)
		return err
	}
	switch what {
	case "scale locate", "scale insert":
		return scaleChild(db, what[len("scale "):])
	case "count":
		for i := range 20 {
			if err := db.Update(ctx, func(tx *Tx) error { return count(tx, args[1], i) }); err != nil {
				return err
			}
		}
		return nil
	case "hold":
		return db.Update(ctx, hold)
	case "read":
		return db.View(ctx, hold)
	case "work":
		for i := 0; ; i++ {
			if err := db.Update(ctx, func(tx *Tx) error { return count(tx, args[1], i%5) }); err != nil {
				return err
			}
			fmt.Println("held")
		}
	}
	return errors.New("unknown task")
}

// count adds one to a counter that all share, and leaves a record of its own.
func count(tx *Tx, who string, i int) error {
	n := 0
	if v, err := tx.Get("counters", "all"); err == nil {
		n, _ = strconv.Atoi(string(v))
	}
	mine := fmt.Sprintf("%s/%d", who, i)
	return errors.Join(
		tx.Put("counters", "all", []byte(strconv.Itoa(n+1))),
		tx.Put("records", mine, []byte(strings.Repeat(mine, 50))))
}

// start runs a child that ends when its standard input is closed, or, when it
// works, is killed; it has made some updates by then.
func start(t *testing.T, what string, args ...string) (stop func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), childEnv+"="+what)
	cmd.Stderr = os.Stderr
	in, _ := cmd.StdinPipe()
	out, _ := cmd.StdoutPipe()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stop = sync.OnceFunc(func() {
		if what == "work" {
			cmd.Process.Kill()
		}
		in.Close()
		cmd.Wait()
	})
	t.Cleanup(stop)
	lines := bufio.NewReader(out)
	for range map[string]int{"work": 7}[what] + 1 {
		if line, err := lines.ReadString('\n'); line != "held\n" {
			t.Fatalf("child: got %q, %v", line, err)
		}
	}
	return stop
}

func TestSixteenProcessesUpdateWithoutLoss(t *testing.T) {
	const processes = 16
	db := newDB(t)
	var wg sync.WaitGroup
	for i := range processes {
		wg.Go(func() {
			cmd := exec.Command(os.Args[0], db.path, fmt.Sprint(i))
			cmd.Env = append(os.Environ(), childEnv+"=count")
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("child: %v: %s", err, out)
			}
		})
	}
	wg.Wait()
	view(t, db, func(tx *Tx) error {
		want := 20 * processes
		if got, err := tx.Get("counters", "all"); string(got) != strconv.Itoa(want) {
			t.Errorf("counter: got %q, %v, want %d", got, err, want)
		}
		if got, err := keys(tx, "records", "", ""); len(got) != want {
			t.Errorf("records: got %d, %v, want %d", len(got), err, want)
		}
		return nil
	})
}

func TestABusyLockTimesOutAndNamesItsHolder(t *testing.T) {
	path := newDB(t).path
	put(t, openDB(t, path, nil), "b", "k", "v")
	stop := start(t, "hold", path)
	var told []string
	db := openDB(t, path, &Options{
		LockTimeout: noticeAfter + 300*time.Millisecond,
		Waiting:     func(holder string) { told = append(told, holder) },
	})
	for _, transaction := range []func(context.Context, func(*Tx) error) error{db.View, db.Update} {
		told = nil
		err := transaction(ctx, func(*Tx) error { t.Error("got the lock"); return nil })
		if !errors.Is(err, ErrBusy) || !strings.Contains(err.Error(), "pid 71 (hold)") || !strings.Contains(err.Error(), path) {
			t.Errorf("got %v, want ErrBusy that names the holder and the file", err)
		}
		if len(told) != 1 || told[0] != "pid 71 (hold)" {
			t.Errorf("Waiting was called with %q, want once with the holder", told)
		}
	}
	stop()
	put(t, db, "b", "k", "w")
}

func TestALongHolderIsCutAndForgottenWithItsTransaction(t *testing.T) {
	path := newDB(t).path
	long := openDB(t, path, &Options{Holder: strings.Repeat("x", 5000)})
	update(t, long, func(*Tx) error {
		if got := long.holder(); got != strings.Repeat("x", maxHolder) {
			t.Errorf("got %d bytes, want %d", len(got), maxHolder)
		}
		long.note("", true)
		if got := long.holder(); len(got) != maxHolder {
			t.Errorf("after a knock: got %d bytes, want %d", len(got), maxHolder)
		}
		return nil
	})
	view(t, long, func(*Tx) error {
		if got := long.holder(); got != "another process" {
			t.Errorf("in a view: got %.20q", got)
		}
		return nil
	})
	long.note("of a process that was killed", false)
	update(t, openDB(t, path, nil), func(*Tx) error {
		if got := long.holder(); got != "another process" {
			t.Errorf("of one without a name: got %.20q", got)
		}
		return nil
	})
}

func TestWaitingEndsWithTheContext(t *testing.T) {
	path := newDB(t).path
	db := openDB(t, path, &Options{LockTimeout: -1})
	put(t, db, "b", "k", "v")
	start(t, "hold", path)
	for _, transaction := range []func(context.Context, func(*Tx) error) error{db.View, db.Update} {
		stopped, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
		err := transaction(stopped, func(*Tx) error { t.Error("got the lock"); return nil })
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the context's error", err)
		}
		cancel()
		if err := transaction(stopped, func(*Tx) error { return nil }); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("with a context that has ended: got %v", err)
		}
	}
}

func TestAnUpdateWaitsForOthersOfItsProcess(t *testing.T) {
	db := newDB(t)
	db.opts.LockTimeout = 20 * time.Millisecond
	update(t, db, func(*Tx) error {
		if err := db.Update(ctx, func(*Tx) error { return nil }); !errors.Is(err, ErrBusy) {
			t.Errorf("update in an update: got %v, want ErrBusy", err)
		}
		if err := db.View(ctx, func(*Tx) error { return nil }); !errors.Is(err, ErrBusy) {
			t.Errorf("view in an update: got %v, want ErrBusy", err)
		}
		stopped, cancel := context.WithCancel(ctx)
		cancel()
		if err := db.newWait().turn(stopped); !errors.Is(err, context.Canceled) {
			t.Errorf("with a context that has ended: got %v", err)
		}
		return nil
	})
}

func TestViewsShareAndAnUpdateWaitsForThem(t *testing.T) {
	path := newDB(t).path
	db := openDB(t, path, &Options{LockTimeout: 20 * time.Millisecond})
	put(t, db, "b", "k", "v")
	stop := start(t, "read", path)
	view(t, db, func(tx *Tx) error {
		return db.View(ctx, func(*Tx) error { wantKeys(t, tx, "b", "", "", "k=v"); return nil })
	})
	if err := db.Update(ctx, func(*Tx) error { return nil }); !errors.Is(err, ErrBusy) {
		t.Errorf("update beside a view: got %v, want ErrBusy", err)
	}
	db.opts.LockTimeout = 0
	done := make(chan error)
	go func() { done <- db.Update(ctx, func(tx *Tx) error { return tx.Put("b", "k", []byte("w")) }) }()
	// Views go on beside an Update that waits, also one inside another.
	view(t, db, func(*Tx) error {
		return db.View(ctx, func(tx *Tx) error { wantKeys(t, tx, "b", "", "", "k=v"); return nil })
	})
	stop()
	if err := <-done; err != nil {
		t.Errorf("update behind the view: %v", err)
	}
	view(t, db, func(tx *Tx) error { wantKeys(t, tx, "b", "", "", "k=w"); return nil })
}

func TestManyShortViewsDoNotKeepAnUpdateWaiting(t *testing.T) {
	db := newDB(t)
	put(t, db, "b", "k", "v")
	var views atomic.Int64
	var done atomic.Bool
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for !done.Load() {
				view(t, db, func(tx *Tx) error { _, err := tx.Get("b", "k"); return err })
				views.Add(1)
			}
		})
	}
	for i := range 5 {
		for seen := views.Load(); views.Load() < seen+200; {
			runtime.Gosched()
		}
		began := time.Now()
		put(t, db, "b", "k", fmt.Sprint(i))
		if got := time.Since(began); got > 5*time.Second {
			t.Errorf("update %d took %v", i, got)
		}
	}
	done.Store(true)
	wg.Wait()
}

func TestAKilledProcessLeavesTheDatabaseWhole(t *testing.T) {
	path := filepath.Join(t.TempDir(), "index.db")
	db := openDB(t, path, nil)
	for i := range 8 {
		start(t, "work", path, fmt.Sprint(i))()
		update(t, db, func(tx *Tx) error { return count(tx, "parent", 0) })
		if err := db.Check(ctx); err != nil {
			t.Fatal(err)
		}
	}
	view(t, db, func(tx *Tx) error {
		v, err := tx.Get("counters", "all")
		if got, _ := strconv.Atoi(string(v)); got < 8*9 {
			t.Errorf("got %q, %v, want what %d updates count at least", v, err, 8*9)
		}
		return nil
	})
}

func TestWhatAKilledCreatorLeftIsReplaced(t *testing.T) {
	db := newDB(t)
	if err := os.WriteFile(db.path+".new", []byte("half a file"), 0o600); err != nil {
		t.Fatal(err)
	}
	put(t, db, "b", "k", "v")
	view(t, db, func(tx *Tx) error { wantKeys(t, tx, "b", "", "", "k=v"); return nil })
	if _, err := os.Stat(db.path + ".new"); err == nil {
		t.Error("the leftover is still there")
	}
}
