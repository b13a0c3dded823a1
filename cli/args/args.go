// Package args reorders a command line so that urfave/cli understands all of it, and
// refuses what a user has mistyped. It is not for what options mean. Its invariant:
// each argument is handed on or refused.
package args

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/urfave/cli/v2"
)

// UsageError says that the command line itself is wrong, and that nothing was done.
type UsageError struct {
	Text string // one line
	Hint string // what to do instead, or empty
}

// Error returns the text without the hint.
func (e *UsageError) Error() string { return e.Text }

// Usagef returns a UsageError with a formatted text. hint may be empty.
func Usagef(hint, format string, a ...any) error {
	return &UsageError{Text: fmt.Sprintf(format, a...), Hint: hint}
}

// Pair is one free option, --KEY VALUE, both as they were typed.
type Pair struct{ Key, Value string }

// Line is a command line in the order that urfave/cli understands.
type Line struct {
	Argv    []string // program, globals, command, its options, "--", positional arguments
	Command string   // full name, such as "admin show"; empty when none was given
	Args    []string // the positional arguments alone
	Free    []Pair   // in the order of the command line
	Help    bool     // help is all that is printed: it is asked for, or a command is missing
}

// TakesFree reports whether a command takes any unknown --KEY VALUE.
func TakesFree(command string) bool {
	switch dashed(command) {
	case "configure", "create", "import", "update", "update-metadata":
		return true
	}
	return false
}

// parser walks over the arguments once, from left to right.
type parser struct {
	app     *cli.App
	path    []*cli.Command
	known   map[string]option // by dashed name, without the leading dashes
	opts    [][]string        // what was given, by level
	rest    []string
	free    bool // the command takes free options
	literal bool // "--" was seen
	help    bool // asked for, as an option or as "datafs help COMMAND"
	version bool // the program's version, which makes missing arguments unimportant
	out     Line
}

// Parse reorders args (without the program's name) for app, because
// urfave/cli ignores options that stand after an argument without a word. All
// that it needs to know is read from app: flags, commands, and how many
// arguments a command takes from its ArgsUsage ("NAME [FILE]", "[TAG...]").
//
// Known options may stand anywhere, "--" ends them, and _ and - are alike in
// names of commands and of known options. It calls settle on app.
func Parse(app *cli.App, args []string) (Line, error) {
	settle(app)
	if n := len(args); n > 0 && app.EnableBashCompletion && args[n-1] == "--generate-bash-completion" {
		return Line{Argv: append([]string{app.Name}, args...)}, nil
	}
	p := &parser{app: app, rest: args, known: map[string]option{}}
	p.learn(app.Flags)
	for len(p.rest) > 0 {
		if err := p.step(p.next()); err != nil {
			return Line{}, err
		}
	}
	return p.finish()
}

// settle takes habits from urfave/cli that would surprise a user: a comma in a
// repeated option makes two values, an archive called "help" is taken for the
// subcommand help of each command, and what it finds wrong goes to stdout.
// Parse understands "help" itself.
func settle(app *cli.App) {
	app.DisableSliceFlagSeparator, app.HideHelpCommand = true, true
	if app.OnUsageError == nil {
		app.OnUsageError = refuse
	}
	app.Setup()
	settleCommands(app.Commands)
}

func settleCommands(commands []*cli.Command) {
	for _, c := range commands {
		c.HideHelpCommand = true
		if c.OnUsageError == nil {
			c.OnUsageError = refuse
		}
		if len(c.Subcommands) == 0 && c.CustomHelpTemplate == "" {
			c.CustomHelpTemplate = cli.CommandHelpTemplate
		}
		settleCommands(c.Subcommands)
	}
}

func refuse(_ *cli.Context, err error, _ bool) error {
	text := strings.TrimSuffix(err.Error(), ": parse error")
	return &UsageError{Text: strings.Replace(text, " for flag -", " for option --", 1)}
}

func (p *parser) next() string {
	arg := p.rest[0]
	p.rest = p.rest[1:]
	return arg
}

func (p *parser) step(arg string) error {
	switch {
	case p.literal || len(arg) < 2 || arg[0] != '-':
		return p.word(arg)
	case arg == "--":
		p.literal = true
		return nil
	case arg[1] == '-':
		return p.long(arg)
	default:
		return p.short(arg)
	}
}

// word takes a name of a command, or else a positional argument.
func (p *parser) word(arg string) error {
	switch {
	case len(p.path) == 0 || len(p.last().Subcommands) > 0:
		return p.enter(arg)
	case !p.literal && strings.HasPrefix(p.last().ArgsUsage, "-- ") && !p.help:
		return Usagef(fmt.Sprintf("usage: %s %s [options] %s", p.app.Name, p.out.Command, p.last().ArgsUsage), `"--" must stand before "%s"`, arg)
	case len(p.out.Free) > 0 && !p.literal:
		return Usagef("quote a value that has spaces in it", `Positional argument "%s" after keyword arguments`, arg)
	}
	p.out.Args = append(p.out.Args, arg)
	return nil
}

func (p *parser) last() *cli.Command { return p.path[len(p.path)-1] }

func (p *parser) enter(name string) error {
	commands := p.app.Commands
	if len(p.path) > 0 {
		commands = p.last().Subcommands
	}
	if name == "help" || name == "h" {
		p.help = true
		return nil
	}
	for _, c := range commands {
		for _, n := range c.Names() {
			if dashed(n) == dashed(name) {
				p.open(c)
				return nil
			}
		}
	}
	return p.unknownCommand(name, commands)
}

func (p *parser) open(c *cli.Command) {
	p.path = append(p.path, c)
	p.out.Command = strings.TrimPrefix(p.out.Command+" "+c.Name, " ")
	p.free = len(p.path) == 1 && TakesFree(c.Name)
	for n, o := range p.known {
		if o.level == 0 && o.name == "version" {
			o.misplaced = true
			p.known[n] = o
		}
	}
	p.learn(c.Flags)
	if cli.HelpFlag != nil && !c.HideHelp {
		p.learnHelp()
	}
}

// long takes --name, --name=value, --name value, or a free --KEY VALUE.
func (p *parser) long(arg string) error {
	name, value, has := strings.Cut(arg[2:], "=")
	if o, ok := p.known[dashed(name)]; ok && utf8.RuneCountInString(name) > 1 {
		return p.give(o, value, has)
	}
	if near := p.near(name); near != "" {
		return Usagef("", `unknown option "--%s", did you mean "%s"?`, name, near)
	}
	if !p.free {
		return p.unknownOption("--" + name)
	}
	return p.freePair(arg[2:])
}

// freePair takes KEY and the next argument. A known option in place of VALUE
// means that VALUE was forgotten; an = in KEY, that it was meant for VALUE.
func (p *parser) freePair(key string) error {
	if len(p.rest) == 0 || p.rest[0] == "--" || p.isOption(p.rest[0]) {
		return Usagef("", `Argument "--%s" not recognized`, key)
	}
	if name, value, has := strings.Cut(key, "="); has {
		return Usagef(fmt.Sprintf("give the value as the next argument: --%s %s", name, value), `Argument "--%s" not recognized`, key)
	}
	p.out.Free = append(p.out.Free, Pair{key, p.next()})
	return nil
}

// isOption reports whether arg is the name of a known option, with or without
// a value behind it.
func (p *parser) isOption(arg string) bool {
	name, _, _ := strings.Cut(strings.TrimLeft(arg, "-"), "=")
	_, ok := p.known[dashed(name)]
	dashes := len(arg) - len(strings.TrimLeft(arg, "-"))
	return ok && (dashes == 1 && len(name) == 1 || dashes == 2 && len(name) > 1)
}

// short takes -x, -x value, -xvalue, -x=value, and several booleans in one,
// such as -qy.
func (p *parser) short(arg string) error {
	name, _, _ := strings.Cut(arg[1:], "=")
	if o, ok := p.known[dashed(name)]; ok && len(name) > 1 {
		return Usagef("", `unknown option "%s", did you mean "%s"?`, "-"+name, o.shown)
	}
	for rest := arg[1:]; rest != ""; {
		r, size := utf8.DecodeRuneInString(rest)
		o, ok := p.known[string(r)]
		rest = rest[size:]
		switch {
		case !ok:
			return p.unknownOption(arg)
		case o.value || strings.HasPrefix(rest, "="):
			return p.give(o, strings.TrimPrefix(rest, "="), rest != "")
		}
		if err := p.give(o, "", false); err != nil {
			return err
		}
	}
	return nil
}

// give records a known option; has says that value came in the same argument.
func (p *parser) give(o option, value string, has bool) error {
	if o.misplaced {
		return p.unknownOption(o.shown)
	}
	arg := "--" + o.name
	switch {
	case o.value && !has && len(p.rest) == 0:
		return Usagef("", `option "%s" needs a value`, o.shown)
	case o.value && !has:
		arg += "=" + p.next()
	case has:
		arg += "=" + value
		if _, err := strconv.ParseBool(value); !o.value && err != nil {
			return Usagef("", `option "%s" is either true or false, not "%s"`, o.shown, value)
		}
	}
	if o.name == "help" {
		p.help = true
		return nil
	}
	p.version = p.version || o.name == "version" && o.level == 0
	p.opts[o.level] = append(p.opts[o.level], arg)
	return nil
}

func (p *parser) finish() (Line, error) {
	if err := p.count(); err != nil {
		return Line{}, err
	}
	argv := append([]string{p.app.Name}, p.opts[0]...)
	for i, c := range p.path {
		argv = append(append(argv, c.Name), p.opts[i+1]...)
	}
	switch {
	case p.help: // urfave/cli takes an argument beside it for a help topic
		argv = append(argv, "--help")
	case len(p.out.Args) > 0:
		argv = append(append(argv, "--"), p.out.Args...)
	}
	p.out.Argv = argv
	p.out.Help = p.help || !p.version && (len(p.path) == 0 || len(p.last().Subcommands) > 0)
	return p.out, nil
}
