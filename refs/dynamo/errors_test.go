package dynamo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/datafs/datafs/refs"
	"github.com/datafs/datafs/refs/docdb"
)

// awsFiles gives the test an AWS configuration of its own.
func awsFiles(t *testing.T, config string) {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"config", "credentials"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
		config = ""
	}
	for _, env := range os.Environ() {
		if name, _, _ := strings.Cut(env, "="); strings.HasPrefix(name, "AWS_") {
			t.Setenv(name, "") // to have it back at the end
			os.Unsetenv(name)
		}
	}
	t.Setenv("AWS_CONFIG_FILE", filepath.Join(dir, "config"))
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", filepath.Join(dir, "credentials"))
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
}

// patient gives a store that does not wait between attempts, and counts the waits.
func patient(t *testing.T, o *Options) (*store, *atomic.Int64) {
	t.Helper()
	s, err := newStore(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	waits := new(atomic.Int64)
	s.sleep = func(ctx context.Context, d time.Duration) error {
		if waits.Add(1); d > retryMost {
			t.Errorf("a pause of %v", d)
		}
		return ctx.Err()
	}
	return s, waits
}

// against gives a store at a server of the test's own.
func against(t *testing.T, serve http.HandlerFunc) (*store, *atomic.Int64) {
	t.Helper()
	srv := httptest.NewServer(serve)
	t.Cleanup(srv.Close)
	return patient(t, &Options{Table: "team", Endpoint: srv.URL, AccessKey: "KEY", SecretKey: "s3cr3t"})
}

func answer(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]string{"__type": "com.amazonaws.dynamodb.v20120810#" + code, "message": message})
}

func actionOf(r *http.Request) string {
	_, action, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	return action
}

// calls gives the errors of all methods.
func calls(ctx context.Context, s *store) map[string]error {
	errs := map[string]error{
		"PutItem":    s.SetShown(ctx, docdb.Records, 1),
		"DeleteItem": s.MayDelete(ctx, docdb.Records),
	}
	_, errs["BatchGetItem"] = s.Commits(ctx, docdb.Requirements, 1, 2)
	for _, err := range s.scan(ctx, &dynamodb.ScanInput{TableName: &s.table}) {
		errs["Scan"] = err
	}
	_, errs["DescribeTable"] = s.describe(ctx, "team")
	return errs
}

func checkError(t *testing.T, call string, err, kind error, text string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), text) || strings.Contains(err.Error(), "s3cr3t") || strings.Contains(err.Error(), "\n") {
		t.Errorf("%s: got %v, want %q in one line", call, err, text)
	}
	for _, k := range []error{fs.ErrNotExist, fs.ErrExist, fs.ErrPermission, fs.ErrInvalid, refs.ErrUnavailable, refs.ErrConflict} {
		if got, want := errors.Is(err, k), k == kind; got != want {
			t.Errorf("%s: %v is %v: got %v, want %v", call, err, k, got, want)
		}
	}
}

func TestAnswersHaveKinds(t *testing.T) {
	awsFiles(t, "")
	const user = "User: arn:aws:iam::123456789012:user/bob is not authorized to perform: dynamodb:X on resource: Y because no policy allows it"
	const key = "the access key of the configuration"
	for _, c := range []struct {
		status  int
		code    string
		message string
		kind    error
		text    string // %s is the action
	}{
		{400, "ResourceNotFoundException", "Requested resource not found", fs.ErrNotExist, `Table "team`},
		{400, "AccessDeniedException", user, fs.ErrPermission, `arn:aws:iam::123456789012:user/bob may not do dynamodb:%s on table "team`},
		{400, "AccessDeniedException", "", fs.ErrPermission, key + ` may not do dynamodb:%s on table "team`},
		{400, "UnrecognizedClientException", "KEY", fs.ErrPermission, "the server does not know " + key},
		{400, "InvalidSignatureException", "The request signature", fs.ErrPermission, "the secret key does not belong to " + key},
		{400, "InvalidSignatureException", "Signature expired: now", fs.ErrPermission, "the clock of this machine differs"},
		{400, "ExpiredTokenException", "", fs.ErrPermission, "have expired"},
		{403, "OddCode", "a\nb", fs.ErrPermission, "access is refused to " + key + `: dynamodb:%s on table "team`},
		{400, "ValidationException", "Item size has exceeded the maximum", fs.ErrInvalid, "larger than the 400 KB"},
		{400, "ValidationException", "odd\nthing", fs.ErrInvalid, `dynamodb:%s on table "team`},
		{400, "ProvisionedThroughputExceededException", "", refs.ErrUnavailable, `too busy`},
		{400, "ThrottlingException", "", refs.ErrUnavailable, `dynamodb:%s on table "team`},
		{500, "InternalServerError", "", refs.ErrUnavailable, "500 InternalServerError"},
		{503, "", "", refs.ErrUnavailable, "503"},
		{400, "OddException", "what", nil, "the server answers 400 OddException: what"},
	} {
		t.Run(c.code, func(t *testing.T) {
			s, _ := against(t, func(w http.ResponseWriter, r *http.Request) { answer(w, c.status, c.code, c.message) })
			for action, err := range calls(t.Context(), s) {
				checkError(t, action, err, c.kind, strings.ReplaceAll(c.text, "%s", action))
			}
		})
	}
}

func TestAConditionThatFails(t *testing.T) {
	s, _ := against(t, func(w http.ResponseWriter, r *http.Request) {
		answer(w, 400, "ConditionalCheckFailedException", "The conditional request failed")
	})
	checkError(t, "Add", s.Add(t.Context(), docdb.Records, docdb.Commit{N: 1}), fs.ErrExist, "")
	record := refs.Record{Key: "archive/a", Value: []byte("{}")}
	for what, err := range map[string]error{
		"SetShown":  s.SetShown(t.Context(), docdb.Records, 1),
		"MayDelete": s.MayDelete(t.Context(), docdb.Records),
		"Show":      s.Show(t.Context(), docdb.Records, 1, []refs.Record{record, {Key: "archive/b", Deleted: true}}),
	} {
		if err != nil {
			t.Errorf("%s: got %v, want nothing: there is a newer one", what, err)
		}
	}
}

// TestAnAnswerThatIsLost: what is refused at the second attempt may have been done
// at the first one.
func TestAnAnswerThatIsLost(t *testing.T) {
	for code, want := range map[string]struct {
		kind error
		text string
	}{
		"ConditionalCheckFailedException": {fs.ErrExist, ""},
		"AccessDeniedException":           {refs.ErrUnavailable, "an answer was lost"},
	} {
		var n atomic.Int64
		s, _ := against(t, func(w http.ResponseWriter, r *http.Request) {
			if n.Add(1) == 1 {
				panic(http.ErrAbortHandler)
			}
			answer(w, 400, code, "no")
		})
		checkError(t, "Add", s.Add(t.Context(), docdb.Records, docdb.Commit{N: 1}), want.kind, want.text)
		if got := n.Load(); got != 2 {
			t.Errorf("%s: got %d attempts, want 2", code, got)
		}
	}
}

func TestAServerThatFailsIsTriedAgain(t *testing.T) {
	for code, tries := range map[string]int64{"ThrottlingException": throttleTries, "InternalServerError": networkTries, "OddException": 1} {
		var n atomic.Int64
		status := map[string]int{"InternalServerError": 500}[code]
		s, waits := against(t, func(w http.ResponseWriter, r *http.Request) { n.Add(1); answer(w, max(status, 400), code, "") })
		if _, err := s.Shown(t.Context(), docdb.Records); err == nil || n.Load() != tries || waits.Load() != tries-1 {
			t.Errorf("%s: got %v after %d attempts and %d waits, want %d attempts", code, err, n.Load(), waits.Load(), tries)
		}
	}
}

func TestKeysThatAreNotProcessed(t *testing.T) {
	var n atomic.Int64
	s, waits := against(t, func(w http.ResponseWriter, r *http.Request) {
		var in struct{ RequestItems map[string]any }
		json.NewDecoder(r.Body).Decode(&in)
		n.Add(1)
		json.NewEncoder(w).Encode(map[string]any{"Responses": map[string]any{}, "UnprocessedKeys": in.RequestItems})
	})
	_, err := s.Commits(t.Context(), docdb.Requirements, 1, 1)
	checkError(t, "Commits", err, refs.ErrUnavailable, `BatchGetItem on table "team.spec"`)
	if n.Load() != throttleTries || waits.Load() != throttleTries-1 {
		t.Errorf("got %d attempts and %d waits, want %d", n.Load(), waits.Load(), throttleTries)
	}
}

func TestAServerThatDoesNotAnswer(t *testing.T) {
	s, _ := patient(t, &Options{Table: "team", Endpoint: "http://127.0.0.1:1", Region: "us-east-1", AccessKey: "KEY", SecretKey: "s3cr3t"})
	for call, err := range calls(t.Context(), s) {
		checkError(t, call, err, refs.ErrUnavailable, "http://127.0.0.1:1 in us-east-1: ")
	}
	s, _ = against(t, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(404); io.WriteString(w, "<html>") })
	for call, err := range calls(t.Context(), s) {
		checkError(t, call, err, nil, "does not speak DynamoDB")
	}
	s, _ = against(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "<html>") })
	for call, err := range calls(t.Context(), s) {
		checkError(t, call, err, refs.ErrUnavailable, "cannot be read")
	}
}

func TestWithoutCredentials(t *testing.T) {
	awsFiles(t, "[profile p]\ncredential_process = false\n")
	for profile, want := range map[string]string{
		"":     `no credentials found for profile "default": set AWS_PROFILE`,
		"none": `there is no profile "none" in ~/.aws`,
		"p":    `the credentials of profile "p" cannot be had`,
	} {
		s, _ := patient(t, &Options{Table: "team", Profile: profile})
		for call, err := range calls(t.Context(), s) {
			checkError(t, call, err, fs.ErrPermission, want)
		}
	}
}

func TestAContextThatIsOver(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s, _ := against(t, func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body) // or the end of the connection is not seen
		cancel()
		<-r.Context().Done()
	})
	if err := s.Add(ctx, docdb.Records, docdb.Commit{N: 1}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
	if err := s.Show(ctx, docdb.Records, 1, make([]refs.Record, 9)); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
}

func TestCommitsOfOthersAreDamage(t *testing.T) {
	for _, item := range []string{
		`{"_id":{"S":"_commit/000000000001"}}`,
		`{"n":{"N":"1"},"commit":{"S":"x"}}`,
		`{"n":{"N":"3"},"commit":{"B":"eA=="}}`,
		`{"n":{"N":"-1"},"commit":{"B":"eA=="}}`,
		`{"n":{"S":"1"},"commit":{"B":"eA=="}}`,
	} {
		s, _ := against(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, `{"Responses":{"team.log":[%s]}}`, item) })
		if _, err := s.Commits(t.Context(), docdb.Records, 1, 2); !errors.Is(err, refs.ErrCorrupt) {
			t.Errorf("%s: got %v", item, err)
		}
	}
}

// longText gives about n bytes of c.
func longText(c string, n int) string { return strings.Repeat(c, n/len(c)) }
