package s3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/datafs/datafs/remote"
)

// against gives an authority at a server of the test's own.
func against(t *testing.T, serve http.HandlerFunc) *authority {
	t.Helper()
	srv := httptest.NewServer(serve)
	t.Cleanup(srv.Close)
	return open(t, &Options{Bucket: "b", Endpoint: srv.URL, AccessKey: "KEY", SecretKey: "s3cr3t"})
}

func open(t *testing.T, o *Options) *authority {
	t.Helper()
	a, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return a.(*authority)
}

func answer(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	fmt.Fprintf(w, "<?xml version=\"1.0\"?>\n<Error><Code>%s</Code><Message>%s</Message></Error>", code, message)
}

// calls gives the errors of all methods.
func calls(ctx context.Context, a *authority) map[string]error {
	errs := map[string]error{
		"put":    a.Put(ctx, "x", strings.NewReader("x")),
		"putnew": a.PutNew(ctx, "x", strings.NewReader("x")),
		"delete": a.Delete(ctx, "x"),
	}
	_, errs["get"] = a.Get(ctx, "x", 0, -1)
	for _, err := range a.List(ctx, "") {
		errs["list"] = err
	}
	return errs
}

func checkError(t *testing.T, call string, err, kind error, text string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), text) || strings.Contains(err.Error(), "s3cr3t") || strings.Contains(err.Error(), "\n") {
		t.Errorf("%s: got %v, want %q in one line", call, err, text)
	}
	for _, k := range []error{fs.ErrNotExist, fs.ErrExist, fs.ErrPermission, remote.ErrNoStorage, remote.ErrUnavailable, syscall.ENOSPC, errors.ErrUnsupported} {
		want := k == kind || kind == remote.ErrNoStorage && k == remote.ErrUnavailable
		if got := errors.Is(err, k); got != want {
			t.Errorf("%s: %v is %v: got %v, want %v", call, err, k, got, want)
		}
	}
}

func TestAnswersHaveKinds(t *testing.T) {
	awsFiles(t, "", "")
	const key = "the configuration"
	for _, c := range []struct {
		status  int
		code    string
		message string
		kind    error
		text    string
	}{
		{404, "NoSuchBucket", "", remote.ErrNoStorage, `s3://b: bucket "b" is not there at http://127`},
		{403, "AccessDenied", "no", fs.ErrPermission, "access is denied to " + key},
		{403, "InvalidAccessKeyId", "KEY", fs.ErrPermission, "the server does not know the access key of " + key},
		{403, "SignatureDoesNotMatch", "", fs.ErrPermission, "the secret key of " + key},
		{400, "ExpiredToken", "", fs.ErrPermission, "the credentials of " + key + " have expired"},
		{403, "RequestTimeTooSkewed", "", fs.ErrPermission, "the clock of this machine differs from the server's"},
		{403, "OddCode", "a\nb", fs.ErrPermission, "access is refused to " + key + ": the server answers 403 OddCode: a b"},
		{503, "SlowDown", "less", remote.ErrUnavailable, "the server answers 503 SlowDown: less"},
		{500, "InternalError", "", remote.ErrUnavailable, "500"},
		{429, "TooManyRequests", "", remote.ErrUnavailable, "429"},
		{409, "ConditionalRequestConflict", "", remote.ErrUnavailable, "under way"},
		{400, "RequestTimeout", "", remote.ErrUnavailable, "400 RequestTimeout"},
		{507, "InsufficientStorage", "", syscall.ENOSPC, "507"},
		{403, "QuotaExceeded", "", syscall.ENOSPC, "QuotaExceeded"},
		{501, "NotImplemented", "", errors.ErrUnsupported, "501"},
		{400, "InvalidArgument", "what", nil, "the server answers 400 InvalidArgument: what"},
		{400, "AuthorizationHeaderMalformed", "the region 'us-east-1' is wrong; expecting 'eu-west-1'", remote.ErrNoStorage, `bucket "b" is in region eu-west-1, not us-east-1`},
		{301, "PermanentRedirect", "", remote.ErrNoStorage, "is not in region us-east-1: set region_name"},
	} {
		t.Run(c.code, func(t *testing.T) {
			a := against(t, func(w http.ResponseWriter, r *http.Request) { answer(w, c.status, c.code, c.message) })
			for call, err := range calls(t.Context(), a) {
				checkError(t, call, err, c.kind, c.text)
			}
		})
	}
}

func TestAFileThatIsNotThere(t *testing.T) {
	a := against(t, func(w http.ResponseWriter, r *http.Request) { answer(w, 404, "NoSuchKey", "no") })
	_, err := a.Get(t.Context(), "packs/ab/x", 0, -1)
	checkError(t, "get", err, fs.ErrNotExist, "get packs/ab/x: s3://b: ")
	if err := a.Delete(t.Context(), "x"); err != nil {
		t.Errorf("delete: got %v", err)
	}
}

func TestAServerThatIsNoS3(t *testing.T) {
	a := against(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(404)
		io.WriteString(w, "<html><p>no<br></html>")
	})
	_, err := a.Get(t.Context(), "x", 0, -1)
	checkError(t, "get", err, remote.ErrNoStorage, "does not speak S3")
}

func TestWithoutCredentials(t *testing.T) {
	awsFiles(t, "", "")
	for call, err := range calls(t.Context(), open(t, &Options{Bucket: "b", Endpoint: "http://127.0.0.1:1"})) {
		checkError(t, call, err, fs.ErrPermission, `no credentials found for profile "default": set AWS_PROFILE`)
	}
	for call, err := range calls(t.Context(), open(t, &Options{Bucket: "b", Profile: "none"})) {
		checkError(t, call, err, fs.ErrPermission, `there is no profile "none" in ~/.aws`)
	}
	awsFiles(t, "[profile p]\ncredential_process = false\n", "")
	for call, err := range calls(t.Context(), open(t, &Options{Bucket: "b", Profile: "p"})) {
		checkError(t, call, err, fs.ErrPermission, `the credentials of profile "p" cannot be had`)
	}
}

func TestAServerThatDoesNotAnswer(t *testing.T) {
	for call, err := range calls(t.Context(), open(t, &Options{Bucket: "b", Endpoint: "http://127.0.0.1:1", AccessKey: "KEY", SecretKey: "s3cr3t"})) {
		checkError(t, call, err, remote.ErrUnavailable, "connection refused")
	}
	a := against(t, func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) })
	for call, err := range calls(t.Context(), a) {
		checkError(t, call, err, remote.ErrUnavailable, "EOF")
	}
}

func TestAnAnswerThatBreaksOff(t *testing.T) {
	a := against(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "1000")
		io.WriteString(w, "<?xml version=\"1.0\"?><ListBucketResult>")
	})
	r, err := a.Get(t.Context(), "x", 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.ReadAll(r)
	checkError(t, "read", err, remote.ErrUnavailable, "get x: s3://b: unavailable: unexpected EOF")
	for _, err := range a.List(t.Context(), "") {
		checkError(t, "list", err, remote.ErrUnavailable, "list *: s3://b: ")
	}
}

func TestAContextThatEndsWhileABodyIsRead(t *testing.T) {
	hold := make(chan struct{})
	a := against(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "1000")
		io.WriteString(w, "begin")
		w.(http.Flusher).Flush()
		<-hold
	})
	defer close(hold)
	ctx, cancel := context.WithCancel(t.Context())
	r, err := a.Get(ctx, "x", 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cancel()
	if _, err := io.ReadAll(r); !errors.Is(err, context.Canceled) || errors.Is(err, remote.ErrUnavailable) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}

func TestAServerThatIgnoresRanges(t *testing.T) {
	a := against(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "0123456789") })
	for want, c := range map[string][2]int64{"345": {3, 3}, "": {20, 3}, "789": {7, -1}, "01": {0, 2}} {
		r, err := a.Get(t.Context(), "x", c[0], c[1])
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(r); err != nil || string(got) != want {
			t.Errorf("Get of %v: got %q, %v, want %q", c, got, err, want)
		}
	}
}

func TestOneTryOfAllButConflicts(t *testing.T) {
	var n atomic.Int64
	a := against(t, func(w http.ResponseWriter, r *http.Request) {
		n.Add(1)
		io.Copy(io.Discard, r.Body)
		if r.Header.Get("If-None-Match") != "*" {
			answer(w, 503, "SlowDown", "")
		} else if n.Load() < conflicts {
			answer(w, 409, "ConditionalRequestConflict", "")
		} else {
			answer(w, 412, "PreconditionFailed", "")
		}
	})
	checkError(t, "putnew", a.PutNew(t.Context(), "x", strings.NewReader("x")), fs.ErrExist, "put new x: s3://b: file already exists")
	if got := n.Swap(0); got != conflicts {
		t.Errorf("PutNew sent %d requests, want %d", got, conflicts)
	}
	checkError(t, "put", a.Put(t.Context(), "x", strings.NewReader("x")), remote.ErrUnavailable, "SlowDown")
	if got := n.Load(); got != 1 {
		t.Errorf("Put sent %d requests, want 1", got)
	}
}

// plain hides all but Read and Seek, and lets others in between the two.
type plain struct{ io.ReadSeeker }

func (p plain) Seek(off int64, whence int) (int64, error) {
	n, err := p.ReadSeeker.Seek(off, whence)
	runtime.Gosched()
	return n, err
}

func TestListingsOfOddServers(t *testing.T) {
	const page = "<ListBucketResult>%s<IsTruncated>%t</IsTruncated><NextContinuationToken>t</NextContinuationToken>" +
		"<Contents><Key>%s</Key><Size>3</Size></Contents><Contents><Key>%%ZZ</Key></Contents></ListBucketResult>"
	for _, c := range []struct {
		encoding, key, want string
		truncated           bool
	}{
		{"<EncodingType>url</EncodingType>", "p+%2B%2Fab%2Fx", "ab/x,", false},
		{"", "p +/ab/x", "ab/x,", false},
		{"", "p +/ab/x", "ab/x,ab/x,", true},
	} {
		a := against(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, page, c.encoding, c.truncated, c.key) })
		a.prefix = "p +/"
		var got string
		var err error
		for info, e := range a.List(t.Context(), "") {
			if err = e; e == nil {
				got += info.Name + ","
			}
		}
		if got != c.want || (err != nil) != c.truncated {
			t.Errorf("%+v: got %s, %v", c, got, err)
		}
	}
}

func TestPartsThatFailAreAborted(t *testing.T) {
	var aborted atomic.Int64
	a := against(t, func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		switch q := r.URL.Query(); {
		case q.Has("uploads"):
			io.WriteString(w, "<InitiateMultipartUploadResult><Key>x</Key><UploadId>id</UploadId></InitiateMultipartUploadResult>")
		case r.Method == http.MethodDelete && q.Get("uploadId") == "id":
			aborted.Add(1)
			w.WriteHeader(204)
		case q.Get("partNumber") == "3":
			answer(w, 503, "SlowDown", "")
		}
	})
	a.maxSingle, a.minPart = 10, 10
	err := a.Put(t.Context(), "x", bytes.NewReader(make([]byte, 50)))
	checkError(t, "put", err, remote.ErrUnavailable, "put x: s3://b: the server answers 503 SlowDown")
	err = a.Put(t.Context(), "x", plain{bytes.NewReader(make([]byte, 50))})
	checkError(t, "put", err, remote.ErrUnavailable, "SlowDown")
	ctx, cancel := context.WithCancel(t.Context())
	err = a.Put(ctx, "x", &failing{bytes.NewReader(make([]byte, 50)), cancel})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled put: got %v, want context.Canceled", err)
	}
	if got := aborted.Load(); got != 3 {
		t.Errorf("%d uploads were aborted, want 3", got)
	}
}

// failing cancels when the second part is read.
type failing struct {
	*bytes.Reader
	cancel func()
}

func (f *failing) ReadAt(p []byte, off int64) (int, error) {
	if off >= 10 {
		f.cancel()
	}
	return f.Reader.ReadAt(p, off)
}

func TestAReaderThatFails(t *testing.T) {
	a := against(t, func(w http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) })
	broken := errors.New("disk is broken")
	for _, size := range []int{10, 2 * maxSigned} {
		err := a.Put(t.Context(), "x", &brokenReader{bytes.NewReader(make([]byte, size)), broken})
		checkError(t, "put", err, nil, "disk is broken")
		if !errors.Is(err, broken) {
			t.Errorf("got %v, want the error of the reader", err)
		}
	}
}

type brokenReader struct {
	*bytes.Reader
	err error
}

func (b *brokenReader) ReadAt([]byte, int64) (int, error) { return 0, b.err }
