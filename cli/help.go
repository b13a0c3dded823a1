package cli

import (
	"strings"
	"unicode/utf8"

	"github.com/urfave/cli/v2"

	"github.com/datafs/datafs/cli/args"
)

const (
	helpWidth  = 79 // columns
	helpMargin = 26 // columns of the left side of a table at most
)

// environment lists the variables that count, besides those of the system.
var environment = []helpRow{
	{"DATAFS_CONFIG_FILE", "as --config-file"},
	{"DATAFS_REQUIREMENTS_FILE", "as --requirements"},
	{"DATAFS_DEFAULT_PROFILE", "as --profile"},
	{"DATAFS_REPO", "as --repo"},
	{"DATAFS_TRUST", "directories of repositories that are trusted as by configure --trust, with : between them (; on Windows)"},
	{"SUDO_UID", "set by sudo: what belongs to that user is root's own, too"},
	{"DATAFS_OFFLINE", "as --offline, unless it is empty or 0"},
	{"XDG_CONFIG_HOME", "the configuration is datafs/config.yml in it (default: ~/.config)"},
	{"XDG_CACHE_HOME", "the index of a repository on a network filesystem is in datafs in it (default: ~/.cache)"},
	{"XDG_DATA_HOME", "repositories are datafs/PROFILE in it (default: ~/.local/share)"},
	{"SSH_AUTH_SOCK", "the ssh agent, for authorities on SFTP servers"},
	{"AWS_PROFILE, ...", "credentials for authorities in buckets, as for the tools of AWS"},
	{"PAGER, LESS", "what log goes through on a terminal (default: less)"},
	{"VISUAL, EDITOR", "what configure --edit opens (default: vi)"},
	{"NO_COLOR", "no colour in the progress bar, if set"},
}

// helpRow is a line of a table: an option, a command, or a code, and its text.
type helpRow struct{ Left, Right string }

// setHelp gives the program and its commands their help texts. It takes longer than
// many a command, and so only runs where help is asked for.
func setHelp(app *cli.App) {
	app.CustomAppHelpTemplate = asTemplate(appHelp(app))
	setCommandHelp(app.Name, app.Commands)
}

func setCommandHelp(before string, commands []*cli.Command) {
	for _, c := range commands {
		name := before + " " + c.Name
		c.CustomHelpTemplate = asTemplate(commandHelp(name, c))
		setCommandHelp(name, c.Subcommands)
	}
}

// asTemplate makes a template whose output is the text.
func asTemplate(text string) string { return strings.ReplaceAll(text, "{{", `{{"{{"}}`) }

func appHelp(app *cli.App) string {
	var b strings.Builder
	b.WriteString("Usage: datafs [GLOBAL OPTIONS] COMMAND [OPTIONS] [ARGUMENTS]\n\n")
	b.WriteString(indented("  ", app.Description))
	for _, category := range categories {
		section(&b, category, commandRows(app.Commands, category))
	}
	section(&b, "Global options", optionRows(app.Flags))
	section(&b, "Environment", environment)
	section(&b, "Exit codes", exitCodes)
	b.WriteString("\n\"datafs COMMAND --help\" says more about a command.\n")
	return b.String()
}

func commandHelp(name string, c *cli.Command) string {
	var b strings.Builder
	b.WriteString(usageLine(name, c) + "\n\n")
	b.WriteString(indented("  ", sentence(c.Usage)))
	text, example := splitDescription(c.Description)
	if text != "" {
		b.WriteString("\n" + indented("  ", text))
	}
	if example != "" {
		b.WriteString("\nExample:\n")
		for line := range strings.SplitSeq(example, "\n") {
			b.WriteString(strings.TrimRight("  "+line, " ") + "\n")
		}
	}
	section(&b, "Commands", commandRows(c.Subcommands, ""))
	section(&b, "Options", optionRows(c.Flags))
	section(&b, "Exit codes", exitRows(strings.TrimPrefix(name, "datafs ")))
	b.WriteString("\n\"datafs --help\" lists the global options.\n")
	return b.String()
}

func usageLine(name string, c *cli.Command) string {
	usage := c.ArgsUsage
	if len(c.Subcommands) > 0 {
		usage = "COMMAND [ARGUMENTS]"
	}
	if args.TakesFree(c.Name) {
		usage += " [--KEY VALUE]..."
	}
	return strings.TrimRight("Usage: "+name+" [OPTIONS] "+strings.TrimLeft(usage, " "), " ")
}

// sentence makes a sentence of a command's usage.
func sentence(s string) string { return strings.ToUpper(s[:1]) + s[1:] + "." }

// splitDescription takes the example from a command's description: all from
// the first prompt on. Paragraphs before it are separated by empty lines.
func splitDescription(description string) (text, example string) {
	if strings.HasPrefix(description, "$ ") {
		return "", description
	}
	text, example, found := strings.Cut(description, "\n\n$ ")
	if found {
		example = "$ " + example
	}
	return text, example
}

func commandRows(commands []*cli.Command, category string) []helpRow {
	var rows []helpRow
	for _, c := range commands {
		if c.Category == category && !c.Hidden {
			rows = append(rows, helpRow{c.Name, c.Usage})
		}
	}
	return rows
}

// optionRows describes options; the one for help, which urfave/cli may have added, is
// among those of each command.
func optionRows(flags []cli.Flag) []helpRow {
	rows := make([]helpRow, 0, len(flags)+1)
	for _, f := range flags {
		if v, ok := f.(cli.VisibleFlag); f != cli.HelpFlag && (!ok || v.IsVisible()) {
			rows = append(rows, optionRow(f))
		}
	}
	return append(rows, helpRow{"-h, --help", "print this"})
}

// optionRow is such as "-m, --message TEXT". The value's name stands in back
// quotes in the option's usage.
func optionRow(f cli.Flag) helpRow {
	var short, long string
	for _, n := range f.Names() {
		if utf8.RuneCountInString(n) == 1 {
			short = "-" + n
		} else if long == "" {
			long = "--" + n
		}
	}
	left := strings.Trim(short+", "+long, ", ")
	usage := f.(cli.DocGenerationFlag).GetUsage()
	if _, rest, ok := strings.Cut(usage, "`"); ok {
		value, _, _ := strings.Cut(rest, "`")
		left += " " + value
	}
	return helpRow{left, strings.ReplaceAll(usage, "`", "")}
}

func section(b *strings.Builder, title string, rows []helpRow) {
	if len(rows) == 0 {
		return
	}
	b.WriteString("\n" + title + ":\n")
	left := 0
	for _, r := range rows {
		if n := utf8.RuneCountInString(r.Left); n <= helpMargin {
			left = max(left, n)
		}
	}
	for _, r := range rows {
		pad := left - utf8.RuneCountInString(r.Left)
		first := "  " + r.Left + strings.Repeat(" ", max(0, pad)+2)
		if pad < 0 {
			first = "  " + r.Left + "\n" + strings.Repeat(" ", left+4)
		}
		text := indented(strings.Repeat(" ", left+4), r.Right)
		b.WriteString(first + strings.TrimLeft(text, " "))
	}
}

// indented wraps paragraphs behind an indentation.
func indented(indent, text string) string {
	var b strings.Builder
	for i, paragraph := range strings.Split(text, "\n\n") {
		if i > 0 {
			b.WriteString("\n")
		}
		line := indent
		for _, word := range strings.Fields(paragraph) {
			if line != indent && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > helpWidth {
				b.WriteString(line + "\n")
				line = indent
			}
			if line != indent {
				line += " "
			}
			line += word
		}
		b.WriteString(line + "\n")
	}
	return b.String()
}
