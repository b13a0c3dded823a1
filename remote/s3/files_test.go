package s3

import (
	"bytes"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/datafs/datafs/fixtures/servers"
	"github.com/datafs/datafs/remote"
)

func filesOf(t *testing.T, serve http.HandlerFunc) *Files {
	t.Helper()
	a := against(t, serve)
	a.prefix = "old/"
	return &Files{a}
}

func TestFilesHaveAnyName(t *testing.T) {
	f := filesOf(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/b/old/Climate Data/tas.csv/0.0.1" {
			answer(w, 404, "NoSuchKey", "none")
			return
		}
		w.Write([]byte("content"))
	})
	r, err := f.Open(t.Context(), "/Climate Data/tas.csv/0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if got, err := io.ReadAll(r); err != nil || string(got) != "content" {
		t.Errorf("got %q, %v", got, err)
	}
	_, err = f.Open(t.Context(), "other")
	checkError(t, "a name that is not there", err, fs.ErrNotExist, "get other")
	if _, err = f.Open(t.Context(), "/"); err == nil {
		t.Error("an empty name: got no error")
	}
}

func TestFilesAskAgain(t *testing.T) {
	var asked atomic.Int64
	f := filesOf(t, func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) == 1 {
			answer(w, 503, "SlowDown", "wait")
			return
		}
		w.Header().Set("Content-Length", "100")
		w.Write([]byte("some of it"))
	})
	r, err := f.Open(t.Context(), "x")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	_, err = io.ReadAll(r)
	checkError(t, "a content that breaks off", err, remote.ErrUnavailable, "get x")
}

func TestFilesThatAreNotPermitted(t *testing.T) {
	f := filesOf(t, func(w http.ResponseWriter, r *http.Request) { answer(w, 403, "AccessDenied", "no") })
	_, err := f.Open(t.Context(), "x")
	checkError(t, "open", err, fs.ErrPermission, "or the object is missing")
	f = filesOf(t, func(w http.ResponseWriter, r *http.Request) { answer(w, 400, "KeyTooLongError", "no") })
	_, err = f.Open(t.Context(), "x")
	checkError(t, "open", err, fs.ErrNotExist, "get x")
}

func TestFilesCheck(t *testing.T) {
	for code, want := range map[string]error{"NoSuchKey": nil, "AccessDenied": nil, "NoSuchBucket": remote.ErrNoStorage, "InvalidAccessKeyId": fs.ErrPermission} {
		f := filesOf(t, func(w http.ResponseWriter, r *http.Request) { answer(w, 404, code, "no") })
		if err := f.Check(t.Context()); want != nil {
			checkError(t, code, err, want, "read objects")
		} else if err != nil {
			t.Errorf("%s: got %v", code, err)
		}
	}
	awsFiles(t, "", "")
	f, err := OpenFiles(t.Context(), &Options{Bucket: "b", Profile: "none"})
	if err != nil {
		t.Fatal(err)
	}
	checkError(t, "credentials that are not there", f.Check(t.Context()), fs.ErrPermission, "none")
}

func TestServerFiles(t *testing.T) {
	srv := servers.S3(t)
	bucket := srv.NewBucket(t)
	const name = "old/Climate Data/ü+%2f/0.0.1"
	want := bytes.Repeat([]byte("0123456789"), 300_000)
	if err := os.MkdirAll(filepath.Dir(srv.File(bucket, name)), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(srv.File(bucket, name), want, 0o644); err != nil {
		t.Fatal(err)
	}
	o := at(srv, bucket)
	o.Prefix = "old"
	f, err := OpenFiles(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := f.Open(t.Context(), "Climate Data/ü+%2f/0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, want) {
		t.Errorf("got %d bytes, %v", len(got), err)
	}
	for _, missing := range []string{"Climate Data/none", "Climate Data/ü+%2f/0.0.1/x"} {
		_, err := f.Open(t.Context(), missing)
		checkError(t, missing, err, fs.ErrNotExist, "get "+missing)
	}
	for _, odd := range []string{"Climate Data", "../x"} {
		if _, err := f.Open(t.Context(), odd); err == nil {
			t.Errorf("%s: got no error", odd)
		} else {
			t.Logf("%s: %v", odd, err)
		}
	}
}
