package cli

import (
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/datafs/datafs/fixtures/servers"
	"github.com/datafs/datafs/remote/config"
)

func TestOpenSeed(t *testing.T) {
	tests := []struct {
		name    string
		manager *config.Manager
		want    string // of the error; "": none
	}{
		{"MongoDB", &config.Manager{Class: "MongoDBManager", Kwargs: map[string]any{"database_name": "d", "table_name": "t"}}, ""},
		{"DynamoDB", &config.Manager{Class: "DynamoDBManager", Args: []any{"team"}}, ""},
		{"an argument that nobody knows", &config.Manager{Class: "MongoDBManager", Kwargs: map[string]any{"colour": "red"}}, "colour"},
		{"none", nil, "not one of the original"},
		{"one that is new", &config.Manager{Class: "AuthorityManager"}, "not one of the original"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := openSeed(tt.manager)
			if tt.want == "" && err == nil {
				err = s.Close()
			}
			if got := fmt.Sprint(err); tt.want == "" && err != nil || !strings.Contains(got, tt.want) {
				t.Errorf("got %s, want %q in it", got, tt.want)
			}
		})
	}
}

func TestSeedWithoutRequirements(t *testing.T) {
	failing := func(err error) seedReader[int] {
		return func(context.Context, *int) iter.Seq2[map[string]any, error] {
			return func(yield func(map[string]any, error) bool) {
				if yield(map[string]any{"_id": "a", "config": 1}, nil) {
					yield(nil, err)
				}
			}
		}
	}
	for _, kind := range []error{fs.ErrNotExist, fs.ErrPermission} {
		s, err := seedTable(failing(nil), failing(kind))(new(int), nil)
		if err != nil {
			t.Fatal(err)
		}
		docs, err := s.Spec(t.Context())
		if want := kind == fs.ErrPermission; errors.Is(err, kind) != want || !want && docs["a"] != 1 {
			t.Errorf("%v: got %v, %v", kind, docs, err)
		}
	}
}

func TestOpenSeedFiles(t *testing.T) {
	dir := t.TempDir()
	f, err := openSeedFiles(t.Context(), config.Service{Service: "OSFS", Args: []any{dir}})
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	for _, s := range []config.Service{
		{Service: "OSFS", Args: []any{filepath.Join(dir, "none")}}, {Service: "OSFS"}, {Service: "S3FS"}, {Service: "SFTPFS", Args: []any{"host"}}, {URL: "file:///"},
	} {
		if f, err := openSeedFiles(t.Context(), s); err == nil {
			t.Errorf("%+v: got %v and no error", s, f)
		}
	}
}

// A team as the original would have left it: one version is there, of the other
// the file is missing.
const (
	seedContent  = "0.31\n"
	migrateWants = `broken: model/run.csv 0.0.2: its file model/run.csv/0.0.2 is missing
migrated model/run.csv: 1 version
migrated what is required of archives and users
migrated 1 archive and 1 version (5 B): 0 unchanged, 0 changed, 1 broken
0.31
{'grid': '1.0'}
user config  username=Your name
unchanged model/run.csv: 1 version
`
	migrateScript = `datafs migrate old
datafs cat model/run.csv
datafs get_dependencies model/run.csv
datafs admin show
datafs migrate old | grep ^unch`
)

func checkMigrated(t *testing.T, home string, env []string) {
	t.Helper()
	out, err := shell(home, env, migrateScript).CombinedOutput()
	if err != nil || string(out) != migrateWants {
		t.Errorf("%v, got\n%s\nwant\n%s", err, out, migrateWants)
	}
	checkRepositories(t, home)
}

func sumOf(text string) string { return fmt.Sprintf("%x", md5.Sum([]byte(text))) }

func TestServerMigrateFromMongo(t *testing.T) {
	needShell(t)
	srv := servers.Mongo(t)
	client, err := mongo.Connect(options.Client().ApplyURI(srv.URI))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Disconnect(context.Background())
	db := client.Database("datafs")
	record := func(version, text, updated string, deps bson.D) bson.D {
		return bson.D{{Key: "version", Value: version}, {Key: "algorithm", Value: "md5"}, {Key: "checksum", Value: sumOf(text)}, {Key: "updated", Value: updated},
			{Key: "dependencies", Value: deps}, {Key: "message", Value: nil}, {Key: "user_config", Value: bson.D{{Key: "username", Value: "Ann"}}}}
	}
	grid := bson.D{{Key: "grid", Value: "1.0"}}
	doc := bson.D{{Key: "_id", Value: "model/run.csv"}, {Key: "authority_name", Value: "disk"}, {Key: "archive_path", Value: "model/run.csv"}, {Key: "versioned", Value: true},
		{Key: "version_history", Value: bson.A{record("0.0.1", seedContent, "20170301-100000", grid), record("0.0.2", "x", "20170302-100000", grid)}},
		{Key: "archive_metadata", Value: bson.D{}}, {Key: "tags", Value: bson.A{}}, {Key: "creation_date", Value: "20170301-093000"}}
	if _, err := db.Collection("team").InsertOne(t.Context(), doc); err != nil {
		t.Fatal(err)
	}
	required := bson.D{{Key: "_id", Value: "required_user_config"}, {Key: "config", Value: bson.D{{Key: "username", Value: "Your name"}}}}
	if _, err := db.Collection("team.spec").InsertOne(t.Context(), required); err != nil {
		t.Fatal(err)
	}
	home := userWith(t, fmt.Sprintf(`profiles:
  default: {}
  old:
    manager: {class: MongoDBManager, kwargs: {database_name: datafs, table_name: team, client_kwargs: {host: '%s'}}}
    authorities: {disk: {service: OSFS, args: [original]}}
  none:
    manager: {class: MongoDBManager, kwargs: {database_name: datafs, table_name: none, client_kwargs: {host: '%[1]s'}}}
    authorities: {disk: {service: OSFS, args: [original]}}
`, srv.URI))
	if err := os.MkdirAll(filepath.Join(home, "original/model/run.csv"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(home, "original/model/run.csv/0.0.1"), []byte(seedContent), 0o644); err != nil {
		t.Fatal(err)
	}
	checkMigrated(t, home, nil)
	cmd := shell(home, nil, "datafs migrate none")
	if out, _ := cmd.CombinedOutput(); cmd.ProcessState.ExitCode() != exitNotFound || !strings.Contains(string(out), `"none" not found`) {
		t.Errorf("a table that is not there: exit %d: %s", cmd.ProcessState.ExitCode(), out)
	}
}

func TestServerMigrateFromDynamoAndS3(t *testing.T) {
	needShell(t)
	srv, files := servers.Dynamo(t), servers.S3(t)
	client := dynamodb.New(dynamodb.Options{
		Region: srv.Region, BaseEndpoint: &srv.Endpoint, Credentials: credentials.NewStaticCredentialsProvider(srv.AccessKey, srv.SecretKey, ""),
	})
	put := func(table string, item map[string]types.AttributeValue) {
		t.Helper()
		_, err := client.CreateTable(t.Context(), &dynamodb.CreateTableInput{
			TableName: &table, BillingMode: types.BillingModePayPerRequest,
			AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String("_id"), AttributeType: types.ScalarAttributeTypeS}},
			KeySchema:            []types.KeySchemaElement{{AttributeName: aws.String("_id"), KeyType: types.KeyTypeHash}},
		})
		if err == nil {
			_, err = client.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &table, Item: item})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	put("team", itemOf(map[string]any{
		"_id": "model/run.csv", "authority_name": "bucket", "archive_path": "model/run.csv", "versioned": true, "tags": []any{}, "creation_date": "20170301-093000",
		"version_history": []any{
			map[string]any{"version": "0.0.1", "algorithm": "md5", "checksum": sumOf(seedContent), "updated": "20170301-100000", "dependencies": map[string]any{"grid": "1.0"}},
			map[string]any{"version": "0.0.2", "algorithm": "md5", "checksum": sumOf("x"), "updated": "20170302-100000"},
		},
	}).(*types.AttributeValueMemberM).Value)
	put("team.spec", itemOf(map[string]any{"_id": "required_user_config", "config": map[string]any{"username": "Your name"}}).(*types.AttributeValueMemberM).Value)

	bucket := files.NewBucket(t)
	object := files.File(bucket, "pre/model/run.csv/0.0.1")
	if err := os.MkdirAll(filepath.Dir(object), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(object, []byte(seedContent), 0o644); err != nil {
		t.Fatal(err)
	}
	home := userWith(t, fmt.Sprintf(`profiles:
  default: {}
  old:
    manager:
      class: DynamoDBManager
      kwargs: {table_name: team, session_args: {aws_access_key_id: %s, aws_secret_access_key: 'env:DYNAMO_SECRET'}, resource_args: {endpoint_url: '%s', region_name: %s}}
    authorities: {bucket: {service: S3FS, args: [%s, pre]}}
`, srv.AccessKey, srv.Endpoint, srv.Region, bucket))
	checkMigrated(t, home, append(onS3(files), "DYNAMO_SECRET="+srv.SecretKey))

	cmd := shell(home, append(onS3(files), "DYNAMO_SECRET=x", "AWS_SECRET_ACCESS_KEY=hushhush"), "datafs migrate old")
	if out, _ := cmd.CombinedOutput(); cmd.ProcessState.ExitCode() != exitPermission || strings.Contains(string(out), "broken") || strings.Contains(string(out), "hushhush") {
		t.Errorf("a wrong secret: exit %d: %s", cmd.ProcessState.ExitCode(), out)
	}
}

// itemOf is a value as DynamoDB's own library for Python would have written it.
func itemOf(v any) types.AttributeValue {
	switch v := v.(type) {
	case string:
		return &types.AttributeValueMemberS{Value: v}
	case bool:
		return &types.AttributeValueMemberBOOL{Value: v}
	case []any:
		list := &types.AttributeValueMemberL{}
		for _, x := range v {
			list.Value = append(list.Value, itemOf(x))
		}
		return list
	case map[string]any:
		m := &types.AttributeValueMemberM{Value: map[string]types.AttributeValue{}}
		for k, x := range v {
			m.Value[k] = itemOf(x)
		}
		return m
	}
	return &types.AttributeValueMemberNULL{Value: true}
}
