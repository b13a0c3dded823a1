package args

import (
	"fmt"
	"sort"
	"strings"
	"unicode/utf8"

	"github.com/agnivade/levenshtein"
	"github.com/urfave/cli/v2"
)

// option is a known option as one spelling of its name finds it.
type option struct {
	name      string // what urfave/cli is given
	shown     string // the spelling for messages, with its dashes
	level     int    // 0: global, 1: of the command, 2: of its subcommand
	value     bool   // needs a value
	misplaced bool   // the global --version after a command
}

// learn adds the options of the level that was just entered; they hide those
// of the same name above.
func (p *parser) learn(flags []cli.Flag) {
	level := len(p.path)
	p.opts = append(p.opts, nil)
	for _, f := range flags {
		takes := true
		if d, ok := f.(cli.DocGenerationFlag); ok {
			takes = d.TakesValue()
		}
		names := f.Names()
		for _, n := range names {
			p.known[dashed(n)] = option{name: names[0], shown: withDashes(n), level: level, value: takes}
		}
	}
}

// learnHelp knows the help option of a command, which urfave/cli adds later.
func (p *parser) learnHelp() {
	level := len(p.path)
	for _, n := range cli.HelpFlag.Names() {
		if o, ok := p.known[n]; !ok || o.level < level {
			p.known[n] = option{name: "help", shown: withDashes(n), level: level}
		}
	}
}

func (p *parser) unknownOption(shown string) error {
	if len(p.path) == 0 {
		return Usagef("options of a command stand behind its name", `unknown option "%s"`, shown)
	}
	hint := fmt.Sprintf(`"%s %s --help" lists its options; "--" before an argument takes it as it is`, p.app.Name, p.out.Command)
	return Usagef(hint, `unknown option "%s" for "%s"`, shown, p.out.Command)
}

// near returns the known option that name was probably meant to be: one edit
// away, or two where the known name has six letters or more. The global
// --version must be closer, because it has no use there and near it lie words
// such as "person".
func (p *parser) near(name string) string {
	var spellings []string
	for n, o := range p.known {
		if utf8.RuneCountInString(n) > 1 && (!o.misplaced || edits(n, dashed(name)) < 2) {
			spellings = append(spellings, n)
		}
	}
	best := closest(dashed(name), spellings)
	if best == "" {
		return ""
	}
	return p.known[best].shown
}

func (p *parser) unknownCommand(name string, commands []*cli.Command) error {
	var names []string
	for _, c := range commands {
		if !c.Hidden {
			names = append(names, c.Name)
		}
	}
	before := strings.TrimPrefix(p.out.Command+" ", " ")
	if near := closest(name, names); near != "" {
		return Usagef("", `unknown command "%s%s", did you mean "%s%s"?`, before, name, before, near)
	}
	return Usagef(fmt.Sprintf(`"%s %s--help" lists the commands`, p.app.Name, before), `unknown command "%s%s"`, before, name)
}

func closest(name string, known []string) string {
	sort.Strings(known)
	best, least := "", 3
	for _, k := range known {
		limit := 1
		if utf8.RuneCountInString(k) >= 6 {
			limit = 2
		}
		if d := edits(dashed(name), dashed(k)); d <= limit && d < least {
			best, least = k, d
		}
	}
	return best
}

// edits counts how many letters are wrong, missing or too many; two that
// changed places count as one.
func edits(a, b string) int {
	for i := 1; i < len(a) && len(a) == len(b); i++ {
		if a[:i-1] == b[:i-1] && a[i] == b[i-1] && a[i-1] == b[i] && a[i+1:] == b[i+1:] {
			return 1
		}
	}
	return levenshtein.ComputeDistance(a, b)
}

// count checks the number of positional arguments.
func (p *parser) count() error {
	if p.help || p.version || len(p.path) == 0 {
		return nil
	}
	c := p.last()
	required, most := arity(c.ArgsUsage)
	n := len(p.out.Args)
	hint := strings.TrimSpace(fmt.Sprintf("usage: %s %s [options] %s", p.app.Name, p.out.Command, c.ArgsUsage))
	if n < len(required) {
		return Usagef(hint, "missing argument %s", required[n])
	}
	if most >= 0 && n > most {
		return Usagef(hint, "Unrecognized arguments: %s", strings.Join(p.out.Args[most:], " "))
	}
	return nil
}

// arity reads how many arguments a usage such as "NAME [TAG...]" allows: the
// names of those that must be there, and the greatest number, -1 for any.
func arity(usage string) (required []string, most int) {
	depth, open := 0, false
	for _, word := range strings.Fields(usage) {
		name, _, _ := strings.Cut(strings.ReplaceAll(word, "...", ""), "[")
		if depth == 0 && name != "" && name != "--" {
			required = append(required, name)
		}
		depth += strings.Count(word, "[") - strings.Count(word, "]")
		if strings.Trim(word, "[]") != "--" {
			most++
		}
		open = open || strings.Contains(word, "...")
	}
	if open {
		most = -1
	}
	return required, most
}

// dashed makes _ and - alike.
func dashed(name string) string { return strings.ReplaceAll(name, "_", "-") }

func withDashes(name string) string {
	if utf8.RuneCountInString(name) == 1 {
		return "-" + name
	}
	return "--" + name
}
