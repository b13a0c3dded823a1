package cli

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/datafs/datafs/cli/args"
)

// newApp describes the command line: the global options and all commands. It is
// the one source for parsing, help and the command reference.
func newApp(s *session) *cli.App {
	return &cli.App{
		Name:  "datafs",
		Usage: "a package manager for data",
		Description: "A package manager for data: archives are files or directories with versions, metadata, tags, " +
			"dependencies and a history. Options may stand before and after arguments; \"--\" ends them. " +
			"In names of commands and options, - and _ are alike.",
		HideHelpCommand: true,
		HideVersion:     true, // its own flag would be global and take -v
		Flags:           append(globalFlags(), profileFlags()...),
		Commands:        commands(s),
		ExitErrHandler:  func(*cli.Context, error) {}, // Run does it
		Before:          s.begin,
		Action:          cli.ShowAppHelp,
	}
}

// errDone ends a run that has nothing more to do.
var errDone = errors.New("done")

// begin prints the program's version where it is asked for, also where a command
// follows; else it starts profiles.
func (s *session) begin(c *cli.Context) error {
	if !c.Bool("version") {
		return s.profiles.start(c)
	}
	if _, err := fmt.Fprintf(c.App.Writer, "datafs %s\n", Version); err != nil {
		return &outputError{err: err}
	}
	return errDone
}

func globalFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "config-file", Usage: "`PATH` of the configuration file"},
		&cli.StringFlag{Name: "requirements", Usage: "pinned versions: a `FILE`, or text such as 'a==1.0;b==2.0' (default: requirements_data.txt, if there is one)"},
		&cli.StringFlag{Name: "profile", Usage: "`NAME` of the profile in the configuration file"},
		&cli.StringFlag{Name: "repo", Usage: "`DIR` of the repository"},
		&cli.BoolFlag{Name: "offline", Usage: "never touch the network; what is not here is an error"},
		&cli.StringFlag{Name: "limit-rate", Usage: "`RATE` of transfers in bytes per second, such as 500k or 10M (default: no limit)", Action: checkRate},
		&cli.DurationFlag{Name: "retry-time", Value: time.Minute, Usage: "how long to try again while an authority fails, a `TIME` such as 30s or 5m; 0: not at all (default: 1m)"},
		&cli.BoolFlag{Name: "json", Usage: "print results as JSON"},
		&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, Usage: "print no messages, only results"},
		&cli.BoolFlag{Name: "verbose", Aliases: []string{"v"}, Usage: "print more"},
		&cli.StringFlag{Name: "progress", Value: "auto", Usage: "`MODE`: plain, json, none, or auto: a bar on a terminal, else plain (default: auto)", Action: checkProgress},
		&cli.DurationFlag{Name: "lock-timeout", Value: time.Minute, Usage: "how long to wait for other processes, a `TIME` such as 30s or 5m; 0: not at all (default: 1m)"},
		&cli.BoolFlag{Name: "yes", Aliases: []string{"y"}, Usage: "do not ask before deleting"},
		&cli.BoolFlag{Name: "version", Usage: "print the program's version"},
	}
}

func checkProgress(_ *cli.Context, mode string) error {
	switch mode {
	case "auto", "plain", "json", "none":
		return nil
	}
	return args.Usagef("", "progress %q: want auto, plain, json or none", mode)
}

func commands(s *session) []*cli.Command {
	var all []*cli.Command
	for _, group := range [][]*cli.Command{
		writeCommands(s), readCommands(s), {deleteCommand(s), undeleteCommand(s)}, versionCommands(s), metadataCommands(s),
		findCommands(s), reproduceCommands(s), repoCommands(s), syncCommands(s), configCommands(s), adminCommands(s), {migrateCommand(s)}, {doctorCommand(s)},
	} {
		all = append(all, group...)
	}
	return all
}

// command is what most commands are made of.
func command(category, name, args, usage string, action cli.ActionFunc, flags ...cli.Flag) *cli.Command {
	return &cli.Command{
		Category: category, Name: name, ArgsUsage: args, Usage: usage, Description: cmp.Or(descriptions[name], reproduceHelp[name]),
		Action: action, Flags: flags,
	}
}

const (
	catData   = "Data"
	catMeta   = "Versions, metadata, dependencies"
	catFind   = "Finding archives"
	catRepo   = "Repository"
	catTeam   = "Sharing with a team"
	catConfig = "Configuration and administration"
)

// categories are the commands' categories in the order of the help.
var categories = []string{catData, catMeta, catFind, catReproduce, catRepo, catTeam, catConfig}

func versionFlag() cli.Flag {
	return &cli.StringFlag{Name: "version", Usage: "`VERSION`, or latest (default: the pinned one, else the latest)"}
}

func pathFlag() cli.Flag {
	return &cli.StringFlag{Name: "path", Usage: "`FILE` inside a directory archive"}
}

func requirementsFlag() cli.Flag {
	return &cli.StringFlag{Name: "r", Usage: "`FILE` of requirements, or their text, instead of the usual ones"}
}

func messageFlag() cli.Flag {
	return &cli.StringFlag{Name: "message", Aliases: []string{"m"}, Usage: "`TEXT` for the log"}
}

func authorityFlag(aliases ...string) cli.Flag {
	return &cli.StringFlag{Name: "authority_name", Aliases: aliases, Usage: "`NAME` of the authority"}
}

func dependencyFlag() cli.Flag {
	return &cli.StringSliceFlag{Name: "dependency", Usage: "`NAME[==VERSION]` of an archive that this one depends on, or a range of versions; may be repeated"}
}

func tagFlag() cli.Flag {
	return &cli.StringSliceFlag{Name: "tag", Aliases: []string{"t"}, Usage: "`TAG` of the archive; may be repeated"}
}
