package cli

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/datafs/datafs/fixtures/servers"
)

// teamManager is a real database, as configurations name it.
type teamManager struct {
	config string // the key manager: of a profile
	env    []string
	stop   func()
	start  func(testing.TB)
}

func mongoManager(t *testing.T) teamManager {
	srv := servers.Mongo(t)
	return teamManager{
		config: fmt.Sprintf("{class: MongoDBManager, kwargs: {database_name: %s, table_name: DataFiles, client_kwargs: {host: '%s'}}}", srv.NewDatabase(), srv.URI),
		stop:   srv.Stop, start: srv.Restart,
	}
}

func dynamoManager(t *testing.T) teamManager {
	srv := servers.Dynamo(t)
	return teamManager{
		config: fmt.Sprintf("{class: DynamoDBManager, kwargs: {table_name: DataFiles, resource_args: {endpoint_url: '%s', region_name: us-east-1}}}", srv.Endpoint),
		env:    []string{"AWS_ACCESS_KEY_ID=any", "AWS_SECRET_ACCESS_KEY=any"},
		stop:   srv.Stop, start: srv.Restart,
	}
}

func TestServerTeamOnMongo(t *testing.T)  { needShell(t); teamOnDatabase(t, mongoManager(t)) }
func TestServerTeamOnDynamo(t *testing.T) { needShell(t); teamOnDatabase(t, dynamoManager(t)) }

// teamOnDatabase goes through what a team does with a manager in a database.
func teamOnDatabase(t *testing.T, m teamManager) {
	config := fmt.Sprintf("authorities: {team: 'file://%s'}\nmanager: %s\n", t.TempDir(), m.config)
	alice, bob := userWith(t, config), userWith(t, config)
	run := func(home, script, want string, exit int) {
		t.Helper()
		cmd := shell(home, m.env, script)
		out, _ := cmd.CombinedOutput()
		if got := strings.TrimSpace(string(out)); !strings.Contains(got, want) || cmd.ProcessState.ExitCode() != exit {
			t.Errorf("%s\ngot (exit %d):\n%s\nwant (exit %d):\n%s", script, cmd.ProcessState.ExitCode(), got, exit, want)
		}
	}
	run(alice, "datafs pull", `Table "DataFiles" not found`, 3)
	run(alice, "datafs admin create-table", "created table DataFiles", 0)
	run(alice, "datafs admin create-table", "already exists", 4)
	run(alice, "datafs admin tables", "DataFiles", 0)
	run(alice, "datafs admin require-metadata source='Where from?'", "", 0)
	run(bob, "datafs -q pull && datafs create x", `Required value "source" not found`, 2)
	run(alice, "echo one > f; datafs -q create x --source here; datafs -q update x f; datafs push", "pushed x 0.0.1", 0)
	run(bob, "datafs pull && datafs cat x", "one", 0)
	run(bob, "echo two > f; datafs -q update x f; datafs push", "pushed x 0.0.2", 0)
	run(alice, "echo three > f; datafs -q update x f; datafs push", "version 0.0.2 of archive", 4)
	run(alice, "datafs push --renumber", "pushed x 0.0.3", 0)
	run(bob, "datafs -q pull; datafs cat x", "three", 0)
	m.stop()
	run(bob, "echo four > f; datafs -q update x f; datafs --retry-time 1s push", "connection refused", 6)
	run(bob, "datafs cat x", "four", 0)
	m.start(t)
	run(bob, "datafs push", "pushed x 0.0.4", 0)
	run(bob, "datafs -q -y delete x; datafs push", "deleted x", 0)
	run(alice, "datafs pull; datafs cat x", `Archive "x" not found`, 3)
	run(alice, "datafs -y admin delete-table", "deleted table DataFiles", 0)
}

// TestServerEightPushToOneMongo does with fewer pushes than the others, unless
// DATAFS_TEST_LARGE is set: this server reads the whole log to find its end.
func TestServerEightPushToOneMongo(t *testing.T) {
	needShell(t)
	each := 10
	if os.Getenv("DATAFS_TEST_LARGE") != "" {
		each = 50
	}
	eightPush(t, mongoManager(t), each)
}

func TestServerEightPushToOneDynamo(t *testing.T) {
	needShell(t)
	eightPush(t, dynamoManager(t), 50)
}

// eightPush has eight processes push to one table.
func eightPush(t *testing.T, m teamManager, each int) {
	config := fmt.Sprintf("authorities: {team: 'file://%s'}\nmanager: %s\n", t.TempDir(), m.config)
	if out, err := shell(userWith(t, config), m.env, "datafs admin create-table").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	crowd(t, config, m.env, each)
}
