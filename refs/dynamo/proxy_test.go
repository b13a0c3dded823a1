package dynamo

import (
	"bytes"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"reflect"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/datafs/datafs/fixtures/servers"
	"github.com/datafs/datafs/refs"
	"github.com/datafs/datafs/refs/docdb"
)

// behind gives o with a proxy before its server, which sends on what front does
// not answer: front says so.
func behind(t *testing.T, o *Options, front func(pass http.Handler, w http.ResponseWriter, r *http.Request)) *Options {
	t.Helper()
	u, err := url.Parse(o.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	pass := httputil.NewSingleHostReverseProxy(u)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { front(pass, w, r) }))
	t.Cleanup(srv.Close)
	through := *o
	through.Endpoint = srv.URL
	return &through
}

func TestServerThatDenies(t *testing.T) {
	o := made(t, servers.Dynamo(t))
	free, ctx := manager(t, o), t.Context()
	rev, err := free.Put(ctx, "archive/a", []byte(`{"a":1}`), refs.Absent)
	if err != nil {
		t.Fatal(err)
	}
	denied := func(action string) (*Options, refs.Manager) {
		through := behind(t, o, func(pass http.Handler, w http.ResponseWriter, r *http.Request) {
			if actionOf(r) == action {
				answer(w, 400, "AccessDeniedException", "User: arn:aws:iam::1:user/bob is not authorized to perform: dynamodb:"+action+" on resource: x")
				return
			}
			pass.ServeHTTP(w, r)
		})
		return through, manager(t, through)
	}
	text := func(action, table string) string {
		return fmt.Sprintf("arn:aws:iam::1:user/bob may not do dynamodb:%s on table %q", action, table)
	}
	_, m := denied("DeleteItem")
	checkError(t, "delete", m.Delete(ctx, "archive/a", rev), fs.ErrPermission, text("DeleteItem", o.Table))
	_, m = denied("PutItem")
	_, err = m.Put(ctx, "archive/b", []byte(`{"a":1}`), refs.Absent)
	checkError(t, "put", err, fs.ErrPermission, text("PutItem", o.Table+logSuffix))
	_, m = denied("BatchGetItem")
	_, err = m.Get(ctx, "spec/required_user_config")
	checkError(t, "get", err, fs.ErrPermission, text("BatchGetItem", o.Table+specSuffix))
	through, _ := denied("DeleteTable")
	checkError(t, "delete table", DeleteTable(ctx, through), fs.ErrPermission, text("DeleteTable", o.Table))
	if r, err := free.Get(ctx, "archive/a"); err != nil || r.Rev != rev {
		t.Errorf("afterwards: got %+v, %v", r, err)
	}
}

// TestServerOnABadDay: requests are refused, or done without an answer, or
// batches are answered in part.
func TestServerOnABadDay(t *testing.T) {
	o, ctx := made(t, servers.Dynamo(t)), t.Context()
	var n, lost, busy atomic.Int64
	s, waits := patient(t, behind(t, o, func(pass http.Handler, w http.ResponseWriter, r *http.Request) {
		switch n := n.Add(1); {
		case n%3 == 0:
			busy.Add(1)
			answer(w, 400, "ProvisionedThroughputExceededException", "slower")
		case n%7 == 0:
			lost.Add(1)
			pass.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		default:
			pass.ServeHTTP(w, r)
		}
	}))
	m := docdb.New(s, nil)
	for i := range 40 {
		key := fmt.Sprintf("archive/%02d", i)
		rev, err := m.Put(ctx, key, []byte(`{"a":1}`), refs.Absent)
		if err != nil {
			t.Fatalf("create %s: %v", key, err)
		}
		if rev, err = m.Put(ctx, key, []byte(`{"a":2}`), rev); err != nil {
			t.Fatalf("replace %s: %v", key, err)
		}
		if i%4 == 0 {
			err = m.Delete(ctx, key, rev)
		}
		if err != nil {
			t.Fatalf("delete %s: %v", key, err)
		}
	}
	left := 0
	for r, err := range m.List(ctx, "") {
		if err != nil || string(r.Value) != `{"a":2}` {
			t.Fatalf("List gave %+v, %v", r, err)
		}
		left++
	}
	if left != 30 || busy.Load() == 0 || lost.Load() == 0 || waits.Load() < busy.Load() {
		t.Errorf("%d records are left of 30; %d times busy, %d times lost, %d waits", left, busy.Load(), lost.Load(), waits.Load())
	}
}

// TestServerAnswersLargeBatches: 60 commits of 350 KB are more than an answer.
func TestServerAnswersLargeBatches(t *testing.T) {
	s, err := newStore(made(t, servers.Dynamo(t)))
	if err != nil {
		t.Fatal(err)
	}
	big := bytes.Repeat([]byte("x"), 350<<10)
	for n := range uint64(60) {
		if err := s.Add(t.Context(), docdb.Records, docdb.Commit{N: n + 1, Data: append([]byte{byte(n + 1)}, big...)}); err != nil {
			t.Fatal(err)
		}
	}
	got, err := s.Commits(t.Context(), docdb.Records, 1, 70)
	if err != nil || len(got) != 60 {
		t.Fatalf("got %d of 60 commits, %v", len(got), err)
	}
	for _, c := range got {
		if len(c.Data) != len(big)+1 || c.Data[0] != byte(c.N) {
			t.Errorf("commit %d is not what was written", c.N)
		}
	}
}

func TestServerSeed(t *testing.T) {
	srv, ctx := servers.Dynamo(t), t.Context()
	o := at(srv)
	s, waits := patient(t, o)
	for _, err := range ReadSeed(ctx, o) {
		checkError(t, "ReadSeed", err, fs.ErrNotExist, fmt.Sprintf("Table %q not found", o.Table))
	}
	want := seedTables(t, s)
	for _, read := range []struct {
		name string
		want map[string]any
	}{{o.Table, want}, {o.Table + specSuffix, map[string]any{"_id": "required_user_config", "config": map[string]any{}}}} {
		list := ReadSeed(ctx, o)
		if read.name != o.Table {
			list = ReadSeedSpec(ctx, o)
		}
		n := 0
		for got, err := range list {
			if n++; err != nil || !reflect.DeepEqual(got, read.want) {
				t.Errorf("%s: got %v, %v, want %v", read.name, got, err, read.want)
			}
		}
		if n != 1 {
			t.Errorf("%s: got %d items, want 1; %d waits", read.name, n, waits.Load())
		}
	}
	ours := made(t, srv)
	if _, err := manager(t, ours).Put(ctx, "archive/a", []byte(`{"a":1}`), refs.Absent); err != nil {
		t.Fatal(err)
	}
	for _, err := range ReadSeed(ctx, ours) {
		checkError(t, "ReadSeed of a new table", err, fs.ErrInvalid, "is of this program")
	}
}

// seedTables makes tables as boto3 fills them, and gives the item of the first as
// plain values.
func seedTables(t *testing.T, s *store) map[string]any {
	t.Helper()
	num := func(s string) types.AttributeValue { return &types.AttributeValueMemberN{Value: s} }
	record := item{"version": text("1.0"), "checksum": text("d41d"), "dependencies": &types.AttributeValueMemberM{Value: item{"b": &types.AttributeValueMemberNULL{Value: true}}}}
	archive := item{
		"_id": text("a"), "versioned": &types.AttributeValueMemberBOOL{Value: true}, "archive_metadata": &types.AttributeValueMemberM{Value: item{}},
		"version_history": &types.AttributeValueMemberL{Value: []types.AttributeValue{&types.AttributeValueMemberM{Value: record}}},
		"tags":            &types.AttributeValueMemberSS{Value: []string{"t"}}, "numbers": &types.AttributeValueMemberNS{Value: []string{"7"}},
		"whole": num("12.0"), "real": num("1.5"), "great": num("12345678901234567890123"), "bytes": &types.AttributeValueMemberB{Value: []byte{1}},
	}
	spec := item{"_id": text("required_user_config"), "config": &types.AttributeValueMemberM{Value: item{}}}
	for table, it := range map[string]item{s.table: archive, s.table + specSuffix: spec} {
		if err := s.create(t.Context(), table); err != nil {
			t.Fatal(err)
		}
		client, err := s.connect(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := client.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &table, Item: it}); err != nil {
			t.Fatal(err)
		}
	}
	return map[string]any{
		"_id": "a", "versioned": true, "archive_metadata": map[string]any{}, "tags": []any{"t"}, "numbers": []any{int64(7)},
		"version_history": []any{map[string]any{"version": "1.0", "checksum": "d41d", "dependencies": map[string]any{"b": nil}}},
		"whole":           int64(12), "real": 1.5, "great": 12345678901234567890123.0, "bytes": []byte{1},
	}
}
