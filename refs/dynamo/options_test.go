package dynamo

import (
	"net/url"
	"reflect"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/datafs/datafs/refs"
	"github.com/datafs/datafs/refs/docdb"
)

func TestFromService(t *testing.T) {
	session := map[string]any{"aws_access_key_id": "K", "aws_secret_access_key": "S", "region_name": "us-west-1", "profile_name": nil}
	resource := map[string]any{"endpoint_url": "http://localhost:8000/", "region_name": "eu-west-1", "use_ssl": false, "verify": true}
	all := Options{Table: "team", Endpoint: "http://localhost:8000/", Region: "eu-west-1", AccessKey: "K", SecretKey: "S"}
	for name, c := range map[string]struct {
		args   []any
		kwargs map[string]any
		want   Options
	}{
		"a table alone":                  {[]any{"team"}, nil, Options{Table: "team"}},
		"the seed's positional":          {[]any{"team", session, resource}, nil, all},
		"the seed's keywords":            {nil, map[string]any{"table_name": "team", "session_args": session, "resource_args": resource}, all},
		"a mixture with nothing":         {[]any{"team", nil}, map[string]any{"resource_args": nil}, Options{Table: "team"}},
		"a keyword for what was nothing": {[]any{"team"}, map[string]any{"table_name": nil}, Options{Table: "team"}},
		"a profile": {[]any{"team"}, map[string]any{"session_args": map[string]any{"profile_name": "p", "aws_session_token": ""}, "read_capacity": 5, "write_capacity": "7"},
			Options{Table: "team", Profile: "p", ReadCapacity: 5, WriteCapacity: 7}},
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := FromService(c.args, c.kwargs); err != nil || *got != c.want {
				t.Errorf("got %+v, %v, want %+v", got, err, c.want)
			}
		})
	}
}

func TestFromServiceRefuses(t *testing.T) {
	in := func(group, name string, value any) map[string]any {
		return map[string]any{"table_name": "team", group: map[string]any{name: value}}
	}
	for want, kwargs := range map[string]map[string]any{
		`no argument "tabel"`:                      {"tabel": "team"},
		"needs the name of a table":                {},
		"no name of a table":                       {"table_name": "a/b"},
		"must not end in .log":                     {"table_name": "team.log"},
		"must be a string":                         {"table_name": []any{}},
		"session_args: must be a mapping":          {"table_name": "team", "session_args": "x"},
		`session_args: there is no argument "odd"`: in("session_args", "odd", 1),
		"resource_args: verify must be true":       in("resource_args", "verify", false),
		`no argument "service_name"`:               in("resource_args", "service_name", "s3"),
		"needs its secret key":                     in("session_args", "aws_access_key_id", "K"),
		"a session token needs":                    in("session_args", "aws_session_token", "s3cr3t"),
		"an endpoint is like":                      in("resource_args", "endpoint_url", "http://me:s3cr3t@h"),
		"must be a whole number":                   {"table_name": "team", "read_capacity": 1.5},
		"must both be given":                       {"table_name": "team", "read_capacity": 1},
	} {
		_, err := FromService(nil, kwargs)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "DynamoDBManager: ") || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("FromService(%v): got %v, want %s", kwargs, err, want)
		}
	}
	if _, err := FromService([]any{"team", nil, nil, 1}, nil); err == nil {
		t.Error("too many arguments: no error")
	}
	if _, err := FromService([]any{"team"}, map[string]any{"table_name": "team"}); err == nil {
		t.Error("a table twice: no error")
	}
}

func TestFromURL(t *testing.T) {
	parse := func(s string) (*Options, error) {
		u, err := url.Parse(s)
		if err != nil {
			t.Fatal(err)
		}
		return FromURL(u)
	}
	want := Options{Table: "My_team.2", Region: "eu-west-1", Endpoint: "http://h:1", Profile: "p", ReadCapacity: 1, WriteCapacity: 2}
	got, err := parse("dynamodb://My_team.2?region=eu-west-1&endpoint=http://h:1&profile=p&read_capacity=1&write_capacity=2")
	if err != nil || *got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	for _, bad := range []string{"dynamodb://k:s3cr3t@team", "dynamodb://team?odd=1", "dynamodb://team/x", "dynamodb:///", "dynamodb://team?read_capacity=x", "dynamodb://team?aws_access_key_id=K"} {
		if _, err := parse(bad); err == nil || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("FromURL(%s): got %v", bad, err)
		}
	}
}

func TestItemsAreOfAttributesWhereTheyCanBe(t *testing.T) {
	long := "archive/" + longText("ü", 5000)
	for _, c := range []struct {
		part  docdb.Part
		key   string
		value string
		want  item
	}{
		{docdb.Records, "archive/a", `{"b":true,"l":["x",1,[]],"m":{"k":{}},"n":-5,"z":null}`, item{
			"_id": text("archive/a"), "_seq": number(7), "b": &types.AttributeValueMemberBOOL{Value: true}, "n": number(-5),
			"l": &types.AttributeValueMemberL{Value: []types.AttributeValue{text("x"), number(1), &types.AttributeValueMemberL{Value: []types.AttributeValue{}}}},
			"m": &types.AttributeValueMemberM{Value: item{"k": &types.AttributeValueMemberM{Value: item{}}}}, "z": &types.AttributeValueMemberNULL{Value: true},
		}},
		{docdb.Requirements, "spec/x", `{"_id":1.5}`, item{"_id": text("x"), "_seq": number(7), "_raw": text(`{"_id":1.5}`)}},
		{docdb.Requirements, "spec/x", "\xff", item{"_id": text("x"), "_seq": number(7), "_raw": &types.AttributeValueMemberB{Value: []byte("\xff")}}},
		{docdb.Records, long, `{}`, item{"_id": text(shortID(long)), "_seq": number(7), "_key": text(long)}},
	} {
		got, err := encode(c.part, 7, refs.Record{Key: c.key, Value: []byte(c.value)}, true)
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("got %v, %v, want %v", got, err, c.want)
		}
	}
}
