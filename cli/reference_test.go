package cli

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"

	"github.com/datafs/datafs/cli/args"
)

const reference = "../docs/commands.md"

// TestCommandReference checks that docs/commands.md says what the program's own
// help says. With -update it is written.
func TestCommandReference(t *testing.T) {
	want := commandReference(newApp(&session{}))
	if *update {
		if err := os.WriteFile(reference, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(reference)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s is stale: go test ./cli -run TestCommandReference -update", reference)
	}
}

// exitListed returns code, or else one that no test wants, where the command line of
// this process may not end with it.
func exitListed(code int) int {
	line, err := args.Parse(newApp(&session{}), os.Args[1:])
	listed := exitRows(line.Command)
	is := func(r helpRow) bool { return r.Left == strconv.Itoa(code) }
	if err != nil && code == exitUsage || slices.ContainsFunc(listed, is) || line.Command == "run" {
		return code
	}
	fmt.Fprintf(os.Stderr, "exit code %d of %q is not in the table exits\n", code, line.Command)
	return 99
}

func TestEveryCommandHasExitCodes(t *testing.T) {
	names := map[string]bool{}
	for _, c := range newApp(&session{}).Commands {
		names[c.Name] = true
		for _, line := range exits[c.Name] {
			code, _, _ := strings.Cut(line, " ")
			if !slices.ContainsFunc(exitCodes, func(r helpRow) bool { return r.Left == code }) {
				t.Errorf("%s: there is no exit code %q", c.Name, code)
			}
		}
		if exits[c.Name] == nil {
			t.Errorf("%s has no exit codes", c.Name)
		}
	}
	for name := range exits {
		if !names[name] {
			t.Errorf("there is no command %s", name)
		}
	}
}

// TestEveryCommandHasHelp checks what the reference and --help are made of.
func TestEveryCommandHasHelp(t *testing.T) {
	for _, c := range allCommands(newApp(&session{})) {
		_, example := splitDescription(c.Description)
		if c.Usage == "" || example == "" {
			t.Errorf("%s has no usage or no example", c.FullName())
		}
		for _, f := range c.Flags {
			if optionRow(f).Right == "" {
				t.Errorf("%s: option %s has no text", c.FullName(), f.Names()[0])
			}
		}
	}
}

func allCommands(app *cli.App) []*cli.Command {
	var all []*cli.Command
	for _, c := range app.Commands {
		all = append(append(all, c), c.Subcommands...)
	}
	return all
}

const referenceTop = `# Commands

<!-- Written by: go test ./cli -run TestCommandReference -update -->

The examples on this page are run one after another by a test, in the order of
the page. "..." stands for what is not the same everywhere, such as times and
hashes; "(exit 2)" is the exit code of a command that fails.

    datafs [GLOBAL OPTIONS] COMMAND [OPTIONS] [ARGUMENTS]

Options, the global ones too, may stand before and after arguments; ` + "`--`" + ` ends
them. In names of commands and options, ` + "`-`" + ` and ` + "`_`" + ` are alike. A mistyped option is
refused with a suggestion. Results go to standard output, everything else to
standard error.

`

func commandReference(app *cli.App) string {
	var b strings.Builder
	b.WriteString(referenceTop)
	for _, category := range categories {
		b.WriteString("**" + category + ":** " + strings.Join(commandLinks(app, category), ", ") + "\n\n")
	}
	b.WriteString("Then: [global options](#global-options), [environment](#environment), [exit codes](#exit-codes)\n\n")
	for _, category := range categories {
		fmt.Fprintf(&b, "## %s\n\n", category)
		for _, c := range app.Commands {
			if c.Category == category {
				commandSection(&b, "datafs", c)
			}
		}
	}
	referenceTable(&b, "Global options", "option", optionRows(app.Flags))
	referenceTable(&b, "Environment", "variable", environment)
	referenceTable(&b, "Exit codes", "code", exitCodes)
	return strings.TrimRight(b.String(), "\n") + "\n"
}

func commandLinks(app *cli.App, category string) []string {
	var links []string
	for _, c := range app.Commands {
		if c.Category == category {
			links = append(links, fmt.Sprintf("[%s](#datafs-%s)", c.Name, c.Name))
		}
	}
	return links
}

func commandSection(b *strings.Builder, before string, c *cli.Command) {
	name := before + " " + c.Name
	text, example := splitDescription(c.Description)
	fmt.Fprintf(b, "### %s\n\n%s\n\n", name, sentence(c.Usage))
	fmt.Fprintf(b, "    %s\n\n", strings.TrimPrefix(usageLine(name, c), "Usage: "))
	if text != "" {
		b.WriteString(escapeMarkdown(text) + "\n\n")
	}
	fmt.Fprintf(b, "```console\n%s\n```\n\n", example)
	if len(c.Flags) > 0 {
		b.WriteString("| option | |\n| --- | --- |\n")
		rows := optionRows(c.Flags)
		referenceRows(b, rows[:len(rows)-1])
	}
	if len(c.Subcommands) == 0 {
		b.WriteString(escapeMarkdown(exitSentence(strings.TrimPrefix(name, "datafs "))) + "\n\n")
	}
	for _, sub := range c.Subcommands {
		commandSection(b, name, sub)
	}
}

// exitSentence lists the exit codes of a command, but for those that every command has.
func exitSentence(command string) string {
	var codes []string
	for _, r := range exitRows(command) {
		switch {
		case r.Left == "0" || r.Left == "2" || r.Left == "130":
		case slices.Contains(exitCodes, r):
			codes = append(codes, r.Left)
		default:
			codes = append(codes, r.Left+": "+r.Right)
		}
	}
	return "Exit codes besides 0, 2 and 130: " + strings.Join(codes, "; ") + "."
}

func referenceTable(b *strings.Builder, title, column string, rows []helpRow) {
	fmt.Fprintf(b, "## %s\n\n| %s | |\n| --- | --- |\n", title, column)
	referenceRows(b, rows)
}

func referenceRows(b *strings.Builder, rows []helpRow) {
	for _, r := range rows {
		fmt.Fprintf(b, "| `%s` | %s |\n", r.Left, escapeMarkdown(r.Right))
	}
	b.WriteString("\n")
}

func escapeMarkdown(s string) string {
	return strings.NewReplacer("|", `\|`, "*", `\*`, "<", "&lt;", "_", `\_`).Replace(s)
}
