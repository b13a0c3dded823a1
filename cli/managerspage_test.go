package cli

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/datafs/datafs/fixtures/servers"
)

const managersPage = "../docs/managers.md"

// TestServerManagersPageOnMongo runs what docs/managers.md shows of MongoDB.
func TestServerManagersPageOnMongo(t *testing.T) {
	needShell(t)
	srv := servers.Mongo(t)
	page, steps := managersSteps(t, "```console mongo")
	for i := range steps {
		steps[i].command = strings.ReplaceAll(steps[i].command, "db.example.org", strings.TrimPrefix(srv.URI, "mongodb://"))
	}
	runPage(t, managersPage, page, steps)
}

// TestServerManagersPageOnDynamo runs what docs/managers.md shows of DynamoDB,
// where the user with the key USER_KEY_ID may do what the policy on the page says.
func TestServerManagersPageOnDynamo(t *testing.T) {
	needShell(t)
	srv := servers.Dynamo(t)
	page, steps := managersSteps(t, "```console dynamo")
	gate := guard(t, srv.Endpoint, userPolicy(t, page))
	runPage(t, managersPage, page, steps, "AWS_ENDPOINT_URL_DYNAMODB="+gate)
}

func managersSteps(t *testing.T, fence string) (page string, steps []consoleStep) {
	t.Helper()
	data, err := os.ReadFile(managersPage)
	if err != nil {
		t.Fatal(err)
	}
	if steps, err = pageSteps(string(data), fence); err != nil || len(steps) == 0 {
		t.Fatalf("%s: %d steps, %v", fence, len(steps), err)
	}
	return string(data), steps
}

// policy is a policy of IAM.
type policy struct {
	Statement []struct {
		Effect           string
		Action, Resource []string
	}
}

// userPolicy is the first one on a page.
func userPolicy(t *testing.T, page string) (p policy) {
	t.Helper()
	_, text, _ := strings.Cut(page, "```json\n")
	text, _, _ = strings.Cut(text, "```")
	if err := json.Unmarshal([]byte(text), &p); err != nil || len(p.Statement) == 0 {
		t.Fatalf("the policy: %v", err)
	}
	return p
}

func (p policy) allows(action, table string) bool {
	for _, s := range p.Statement {
		if s.Effect == "Allow" && slices.Contains(s.Action, action) && slices.Contains(s.Resource, "arn:aws:dynamodb:*:*:table/"+table) {
			return true
		}
	}
	return false
}

var credential = regexp.MustCompile(`Credential=[^/]*/`)

// guard stands before a server that knows no permissions. It refuses what a
// policy does not allow to the user, and passes everything on as of one account.
func guard(t *testing.T, server string, p policy) string {
	t.Helper()
	target, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	gate := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // the client went away
		}
		_, name, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
		signed := r.Header.Get("Authorization")
		for _, table := range tablesOf(body) {
			if strings.Contains(signed, "Credential=USER_KEY_ID/") && !p.allows("dynamodb:"+name, table) {
				deny(w, name, table)
				return
			}
		}
		r.Header.Set("Authorization", credential.ReplaceAllString(signed, "Credential=ACCOUNT/"))
		r.Body = io.NopCloser(bytes.NewReader(body))
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(gate.Close)
	return gate.URL
}

// tablesOf gives those that a request is about.
func tablesOf(body []byte) (tables []string) {
	var in struct {
		TableName    string
		RequestItems map[string]any
	}
	if json.Unmarshal(body, &in) == nil && in.TableName != "" {
		tables = append(tables, in.TableName)
	}
	for table := range in.RequestItems {
		tables = append(tables, table)
	}
	return tables
}

// deny answers as AWS does.
func deny(w http.ResponseWriter, action, table string) {
	text := "User: arn:aws:iam::123456789012:user/carol is not authorized to perform: dynamodb:" + action +
		" on resource: arn:aws:dynamodb:us-east-1:123456789012:table/" + table + " because no identity-based policy allows the dynamodb:" + action + " action"
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	w.WriteHeader(http.StatusBadRequest)
	answer, _ := json.Marshal(map[string]string{"__type": "com.amazon.coral.service#AccessDeniedException", "Message": text})
	_, _ = w.Write(answer)
}
