package args

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

// seen is what a command's action was given by urfave/cli.
type seen struct {
	command string
	args    []string
	values  map[string]any
}

func argsApp(got *seen) *cli.App {
	action := func(c *cli.Context) error {
		got.command = c.Command.Name
		got.args = c.Args().Slice()
		got.values = map[string]any{}
		for _, n := range c.FlagNames() {
			if v, ok := c.Value(n).(cli.StringSlice); ok {
				got.values[n] = v.Value()
			} else {
				got.values[n] = c.Value(n)
			}
		}
		return nil
	}
	str := func(name string, aliases ...string) cli.Flag { return &cli.StringFlag{Name: name, Aliases: aliases} }
	boolean := func(name string, aliases ...string) cli.Flag { return &cli.BoolFlag{Name: name, Aliases: aliases} }
	slice := func(name string, aliases ...string) cli.Flag {
		return &cli.StringSliceFlag{Name: name, Aliases: aliases}
	}
	command := func(name, usage string, flags ...cli.Flag) *cli.Command {
		return &cli.Command{Name: name, ArgsUsage: usage, Flags: flags, Action: action}
	}
	hidden := command("debug-dump", "[DIR]")
	hidden.Hidden = true
	listdir := command("listdir", "LOCATION", str("authority_name", "a"))
	listdir.Aliases = []string{"ls"}
	return &cli.App{
		Name: "datafs", HideVersion: true, Writer: io.Discard, ErrWriter: io.Discard,
		Action: func(c *cli.Context) error { got.values = map[string]any{"version": c.Bool("version")}; return nil },
		Flags: []cli.Flag{
			str("config-file"), str("profile"), boolean("json"), boolean("quiet", "q"), boolean("yes", "y"),
			&cli.DurationFlag{Name: "lock-timeout"}, boolean("version"),
		},
		Commands: []*cli.Command{
			command("configure", "", boolean("helper"), boolean("edit")),
			command("create", "NAME", str("authority_name"), boolean("versioned"), boolean("not-versioned"), slice("tag", "t")),
			command("update", "NAME [FILE]", str("bumpversion"), str("prerelease"), slice("dependency"), str("message", "m"), boolean("string")),
			command("update_metadata", "NAME"),
			command("cat", "NAME", str("version")),
			command("log", "NAME"),
			command("add_tags", "NAME TAG..."),
			command("search", "[TAG...]", str("prefix"), &cli.IntFlag{Name: "limit"}),
			command("run", "[-- COMMAND [ARG...]]"),
			command("exec", "-- COMMAND [ARG...]", str("out"), boolean("deps")),
			listdir, hidden,
			{Name: "admin", Flags: []cli.Flag{str("table")}, Subcommands: []*cli.Command{
				command("require-metadata", "KEY=PROMPT...", boolean("remove")), command("show", ""),
			}},
		},
	}
}

func TestParseArgs(t *testing.T) {
	tests := []struct{ name, in, argv, free string }{
		{"options before arguments stay", "cat --version 1.1 x", "cat --version=1.1 -- x", ""},
		{"options after arguments move forward", "cat x --version 1.1", "cat --version=1.1 -- x", ""},
		{"a value may be joined by an equals sign", "cat x --version=a=b", "cat --version=a=b -- x", ""},
		{"two dashes end the options", "cat -- --version", "cat -- --version", ""},
		{"two dashes before the command end them too", "-- cat --json", "cat -- --json", ""},
		{"a global option may stand after the command", "cat x --json --profile p", "--json --profile=p cat -- x", ""},
		{"the option of a command hides the global one", "cat --version 1 x", "cat --version=1 -- x", ""},
		{"before the command it is the global one", "--version", "--version", ""},
		{"before the command it makes missing arguments unimportant", "--version cat", "--version cat", ""},
		{"a boolean takes no argument", "cat --json x", "--json cat -- x", ""},
		{"a boolean may be told so", "cat --json=false x", "--json=false cat -- x", ""},
		{"short booleans may share a dash", "cat x -qy", "--quiet --yes cat -- x", ""},
		{"a short option takes the next argument", "update x f -m hi", "update --message=hi -- x f", ""},
		{"a short option takes what is joined to it", "update x f -mhi", "update --message=hi -- x f", ""},
		{"a short option takes what is behind its equals sign", "update x f -m=hi", "update --message=hi -- x f", ""},
		{"a repeated option keeps its order", "create x -t a --tag b,c", "create --tag=a --tag=b,c -- x", ""},
		{"a value may look like an option", "cat x --version --json", "cat --version=--json -- x", ""},
		{"underscores and dashes are alike in known names", "create x --authority-name a --not_versioned", "create --authority_name=a --not-versioned -- x", ""},
		{"underscores and dashes are alike in commands", "update-metadata x", "update_metadata -- x", ""},
		{"an alias becomes the command", "ls /", "listdir -- /", ""},
		{"a hidden command is found", "debug_dump", "debug-dump", ""},
		{"a subcommand has its own options", "admin require_metadata k=p --remove --json --table t", "--json admin --table=t require-metadata --remove -- k=p", ""},
		{"free options are told from known ones", "create x --a 1 -t u --my_key 2 --tag v --my-key 3", "create --tag=u --tag=v -- x", "a=1 my_key=2 my-key=3"},
		{"a free value may begin with a dash", "update x f --offset -5", "update -- x f", "offset=-5"},
		{"a free value may look like a free option", "configure --a --b", "configure", "a=--b"},
		{"two edits from a short name are a free key", "create x --gat 1", "create -- x", "gat=1"},
		{"two edits from the program's version are a free key", "update x --person 1", "update -- x", "person=1"},
		{"a free key of one letter is no short option", "create x --t 1", "create -- x", "t=1"},
		{"an explicit argument may follow a free option", "create --a 1 -- -x", "create -- -x", "a=1"},
		{"a dash alone is an argument", "update x -", "update -- x -", ""},
		{"an archive may be called help", "cat help", "cat -- help", ""},
		{"a subcommand may have none of its arguments when asked for help", "cat --help", "cat --help", ""},
		{"help leaves the arguments away", "cat x -h", "cat --help", ""},
		{"help is a command too", "help admin show", "admin show --help", ""},
		{"help alone is the program's", "help", "--help", ""},
		{"help below a group", "admin help", "admin --help", ""},
		{"any number of arguments", "add_tags x a b c", "add_tags -- x a b c", ""},
		{"a command of its own", "run -- ls -l", "run -- ls -l", ""},
		{"nothing", "", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := Parse(argsApp(new(seen)), strings.Fields(tt.in))
			if err != nil {
				t.Fatal(err)
			}
			if got, want := strings.Join(p.Argv, " "), strings.TrimSpace("datafs "+tt.argv); got != want {
				t.Errorf("argv %q, want %q", got, want)
			}
			var free []string
			for _, f := range p.Free {
				free = append(free, f.Key+"="+f.Value)
			}
			if got := strings.Join(free, " "); got != tt.free {
				t.Errorf("free %q, want %q", got, tt.free)
			}
		})
	}
}

func TestParseArgsRefuses(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"a key without a value", "create x --key", `Argument "--key" not recognized`},
		{"a known option in place of a value", "create x --key --tag t", `Argument "--key" not recognized`},
		{"a known short option in place of a value", "create x --key -t t", `Argument "--key" not recognized`},
		{"a global option in place of a value", "create x --key --json=true", `Argument "--key" not recognized`},
		{"the end of the options in place of a value", "create --key -- x", `Argument "--key" not recognized`},
		{"a free key with its value joined", "create x --year=2015 --a b", `Argument "--year=2015" not recognized`},
		{"an argument after a free option", "create --a 1 x", `Positional argument "x" after keyword arguments`},
		{"a second word of a free value", "create x --a two words", `Positional argument "words" after keyword arguments`},
		{"a surplus argument", "cat x y z", "Unrecognized arguments: y z"},
		{"any argument of a command that takes none", "configure x", "Unrecognized arguments: x"},
		{"a program without the end of the options", "exec --out x ls", `"--" must stand before "ls"`},
		{"the option of a program without the end of the options", "exec --version", `unknown option "--version" for "exec"`},
		{"no program", "exec --out x --", "missing argument COMMAND"},
		{"a missing argument", "cat --version 1", "missing argument NAME"},
		{"a missing argument of several", "add_tags x", "missing argument TAG"},
		{"a mistyped option that would be metadata", "update x f --bumpverson minor", `unknown option "--bumpverson", did you mean "--bumpversion"?`},
		{"two letters in a long option", "update x f --mesasge m", `unknown option "--mesasge", did you mean "--message"?`},
		{"two letters in a name of six", "configure --hlpr x", `unknown option "--hlpr", did you mean "--helper"?`},
		{"a mistyped option with its value joined", "update x f --bumpversoin=minor", `unknown option "--bumpversoin", did you mean "--bumpversion"?`},
		{"a mistyped option with other dashes", "create x --authority-nam a", `unknown option "--authority-nam", did you mean "--authority_name"?`},
		{"a mistyped short name of three letters", "create x --tags a", `unknown option "--tags", did you mean "--tag"?`},
		{"a mistyped global option after a command", "create x --jsn a", `unknown option "--jsn", did you mean "--json"?`},
		{"a mistyped global option before a command", "--profle x cat y", `unknown option "--profle", did you mean "--profile"?`},
		{"the program's version among metadata", "update x f --version 1", `unknown option "--version" for "update"`},
		{"the program's version mistyped", "update x f --verson 1", `unknown option "--verson", did you mean "--version"?`},
		{"the program's version after a command", "log x --version", `unknown option "--version" for "log"`},
		{"an unknown option", "cat x --xyz", `unknown option "--xyz" for "cat"`},
		{"an unknown option with a value", "cat x --xyz=5", `unknown option "--xyz" for "cat"`},
		{"an unknown option of a subcommand", "admin show --xyz", `unknown option "--xyz" for "admin show"`},
		{"an unknown option before the command", "--xyz cat x", `unknown option "--xyz"`},
		{"an unknown short option", "create x -z", `unknown option "-z" for "create"`},
		{"a long option with one dash", "create x -tag a", `unknown option "-tag", did you mean "--tag"?`},
		{"an option without its value", "cat x --version", `option "--version" needs a value`},
		{"a short option without its value", "update x f -m", `option "-m" needs a value`},
		{"a boolean that is neither", "cat x --json=perhaps", `option "--json" is either true or false, not "perhaps"`},
		{"an unknown command", "xyz", `unknown command "xyz"`},
		{"a mistyped command", "udpate_metadata x", `unknown command "udpate_metadata", did you mean "update_metadata"?`},
		{"two letters of a subcommand that changed places", "admin shwo", `unknown command "admin shwo", did you mean "admin show"?`},
		{"a subcommand two letters off", "admin shap", `unknown command "admin shap"`},
		{"two letters of an option that changed places", "create x --tga t", `unknown option "--tga", did you mean "--tag"?`},
		{"a subcommand one letter off", "admin shoe", `unknown command "admin shoe", did you mean "admin show"?`},
		{"a hidden command is not proposed", "debug-dum", `unknown command "debug-dum"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := Parse(argsApp(new(seen)), strings.Fields(tt.in))
			var usage *UsageError
			if !errors.As(err, &usage) {
				t.Fatalf("got %+v, %v; want a usage error", p, err)
			}
			if usage.Text != tt.want {
				t.Errorf("got %q, want %q", usage.Text, tt.want)
			}
		})
	}
}

func TestParsedArgumentsReachTheAction(t *testing.T) {
	var got seen
	app := argsApp(&got)
	p, err := Parse(app, []string{"update", "version", "--message=-m\n", "h", "--dependency", "a,b", "--k", "v", "--dependency=c", "-q"})
	if err != nil {
		t.Fatal(err)
	}
	if err := app.RunContext(context.Background(), p.Argv); err != nil {
		t.Fatal(err)
	}
	if want := []string{"version", "h"}; got.command != "update" || !slices.Equal(got.args, want) {
		t.Errorf("got %s %q, want update %q", got.command, got.args, want)
	}
	if want := []string{"a,b", "c"}; !slices.Equal(got.values["dependency"].([]string), want) {
		t.Errorf("got dependencies %q, want %q", got.values["dependency"], want)
	}
	if got.values["message"] != "-m\n" || got.values["quiet"] != true {
		t.Errorf("got values %v", got.values)
	}
}

func TestAnArchiveMayHaveAnyName(t *testing.T) {
	for _, name := range []string{"help", "h", "version", "json", "--help", "cat", ""} {
		var got seen
		app := argsApp(&got)
		p, err := Parse(app, []string{"cat", "--", name})
		if err != nil {
			t.Fatal(err)
		}
		if err := app.RunContext(context.Background(), p.Argv); err != nil || !slices.Equal(got.args, []string{name}) {
			t.Errorf("the action got %q, %v; want %q", got.args, err, name)
		}
	}
}

func TestHelpOfACommandListsItsOptions(t *testing.T) {
	for _, in := range []string{"cat --help", "cat x -h", "help cat", "--help cat"} {
		var out bytes.Buffer
		app := argsApp(new(seen))
		app.Writer = &out
		p, err := Parse(app, strings.Fields(in))
		if err != nil {
			t.Fatal(err)
		}
		if err := app.RunContext(context.Background(), p.Argv); err != nil {
			t.Fatal(err)
		}
		if got := out.String(); !strings.Contains(got, "datafs cat [command options] NAME") || !strings.Contains(got, "--version value") {
			t.Errorf("%q prints %q", in, got)
		}
	}
}

func TestWhatUrfaveFindsWrongIsAUsageErrorToo(t *testing.T) {
	for _, in := range []string{"cat x --lock-timeout soon", "search --limit many"} {
		var out bytes.Buffer
		app := argsApp(new(seen))
		app.Writer = &out
		p, err := Parse(app, strings.Fields(in))
		if err != nil {
			t.Fatal(err)
		}
		var usage *UsageError
		if err := app.RunContext(context.Background(), p.Argv); !errors.As(err, &usage) || out.Len() > 0 {
			t.Errorf("%s: got %v and %q on stdout, want a usage error alone", in, err, out.String())
		}
	}
}

func TestCompletionIsLeftToUrfave(t *testing.T) {
	app := argsApp(new(seen))
	app.EnableBashCompletion = true
	p, err := Parse(app, []string{"cat", "--ver", "--generate-bash-completion"})
	if want := []string{"datafs", "cat", "--ver", "--generate-bash-completion"}; err != nil || !slices.Equal(p.Argv, want) {
		t.Errorf("got %q, %v; want %q", p.Argv, err, want)
	}
}

func TestArity(t *testing.T) {
	tests := []struct {
		usage, required string
		most            int
	}{
		{"", "", 0},
		{"NAME", "NAME", 1},
		{"NAME [FILE]", "NAME", 2},
		{"NAME TAG...", "NAME TAG", -1},
		{"[ARCHIVE[==VERSION]...]", "", -1},
		{"ARCHIVE[==VERSION]", "ARCHIVE", 1},
		{"ARCHIVE VERSION [VERSION]", "ARCHIVE VERSION", 3},
		{"ARCHIVE [KEY VALUE]", "ARCHIVE", 3},
		{"[-- COMMAND [ARG...]]", "", -1},
	}
	for _, tt := range tests {
		required, most := arity(tt.usage)
		if got := strings.Join(required, " "); got != tt.required || most != tt.most {
			t.Errorf("arity(%q) is %q, %d; want %q, %d", tt.usage, got, most, tt.required, tt.most)
		}
	}
}

// FuzzParseArgs checks that nothing panics, that each argument is either
// refused or handed on, and that urfave/cli hands the same on to the command.
func FuzzParseArgs(f *testing.F) {
	for _, s := range []string{
		"cat\nx\n--version\n1", "create\nx\n--a\n-1\n-tq\n--tag=", "update\n--string\n--\n-x\n--", "admin\nshow\n-qy=false",
		"--version\ncat", "help\nadmin", "update\n-m=\nx\n--k\n--k", "search\n\n-\n--é\nü",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		var got seen
		app := argsApp(&got)
		args := strings.Split(in, "\n")
		p, err := Parse(app, args)
		if err != nil {
			var usage *UsageError
			if !errors.As(err, &usage) || usage.Text == "" {
				t.Fatalf("got %v, want a usage error with a text", err)
			}
			return
		}
		checkNothingLost(t, args, p)
		var usage *UsageError
		switch err := app.RunContext(context.Background(), p.Argv); {
		case errors.As(err, &usage) && (strings.Contains(usage.Text, "lock-timeout") || strings.Contains(usage.Text, "limit")):
		case err != nil:
			t.Fatalf("urfave/cli refuses %q: %v", p.Argv, err)
		case got.command != "" && !slices.Equal(got.args, p.Args):
			t.Fatalf("the action got %q of %q", got.args, p.Args)
		}
	})
}

// checkNothingLost counts: each argument is a word of the command, an option
// (with or without its value), half of a free Pair, or positional.
func checkNothingLost(t *testing.T, args []string, p Line) {
	t.Helper()
	if slices.ContainsFunc(p.Argv, func(a string) bool { return a == "--help" }) {
		return
	}
	out := strings.Join(p.Argv, "\n")
	for _, f := range p.Free {
		out += "\n--" + f.Key + "\n" + f.Value
	}
	dash := strings.NewReplacer("_", "-")
	for _, a := range args {
		_, value, _ := strings.Cut(strings.TrimLeft(a, "-"), "=")
		if strings.HasPrefix(a, "-") {
			if !strings.Contains(out, value) {
				t.Fatalf("the value of %q is lost: %+v", a, p)
			}
		} else if a != "ls" && !strings.Contains(dash.Replace(out), dash.Replace(a)) {
			t.Fatalf("%q is lost: %+v", a, p)
		}
	}
}
