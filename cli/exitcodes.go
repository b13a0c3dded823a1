package cli

import "strings"

// exitCodes says what each exit code of Run means.
var exitCodes = []helpRow{
	{"0", "done"},
	{"1", "another error"},
	{"2", "wrong usage: an option, a name, a version, a requirement"},
	{"3", "not found: an archive, a version, a profile, a file"},
	{"4", "conflict: there already is one of that name, or the team has something else"},
	{"5", "damage: stored bytes are not what was written"},
	{"6", "unavailable: an authority cannot be reached or its place is not there, the run is offline, or another process holds the repository for too long"},
	{"7", "no permission, or wrong credentials"},
	{"130", "interrupted"},
}

// What several commands mean by an exit code.
const (
	noArchive  = "3 there is no such archive"
	noVersion  = "3 there is no such archive or version"
	noProfile  = "3 there is no such profile"
	damaged    = "5 the repository is damaged"
	lost       = "5 what is needed is damaged, and no good copy is known"
	held       = "6 another process holds the repository for too long"
	away       = "6 what is needed is not here and cannot be fetched, or another process holds the repository for too long"
	unsent     = "6 another process holds the repository for too long, or with sync: auto, the team cannot be reached"
	contested  = "4 with sync: auto, the team has something else"
	unresolved = "4 the requirements contradict each other"
)

// exits says of each command which exit codes beside 0, 2 and 130 it ends with, and
// what each means there if that is less than what exitCodes says. It is the one source
// for help and the command reference; the tests hold the command to it.
var exits = map[string][]string{
	"create":           {"1", noProfile, "4 there is an archive of that name, or with sync: auto, the team has something else", damaged, unsent, "7"},
	"update":           {"1", "3 there is no such archive or file", "4 another process has made that version, or with sync: auto, the team has something else", lost, unsent, "7"},
	"import":           {"1", "3 there is no such directory", contested, damaged, unsent, "7"},
	"download":         {"1", "3 there is no such archive, version or file", "4 something is there that no version here has the bytes of", lost, away, "7"},
	"cat":              {"1", "3 there is no such archive, version or file", lost, away, "7"},
	"files":            {"1", noVersion, lost, away, "7"},
	"delete":           {"1", noArchive, contested, damaged, unsent, "7"},
	"undelete":         {"1", "3 there is no such deleted archive, or its content is gone", "4 there is an archive of that name", damaged, unsent, "7"},
	"versions":         {"1", noArchive, damaged, held, "7"},
	"history":          {"1", noArchive, damaged, held, "7"},
	"log":              {"1", noArchive, damaged, held, "7"},
	"diff":             {"1", noVersion, lost, away, "7"},
	"metadata":         {"1", noArchive, damaged, held, "7"},
	"update_metadata":  {"1", noArchive, contested, damaged, unsent, "7"},
	"get_dependencies": {"1", noVersion, damaged, held, "7"},
	"set_dependencies": {"1", noArchive, contested, damaged, unsent, "7"},
	"get_tags":         {"1", noArchive, damaged, held, "7"},
	"add_tags":         {"1", noArchive, contested, damaged, unsent, "7"},
	"delete_tags":      {"1", noArchive, contested, damaged, unsent, "7"},
	"filter":           {"1", noProfile, damaged, held, "7"},
	"search":           {"1", noProfile, damaged, held, "7"},
	"listdir":          {"1", noProfile, damaged, held, "7"},
	"lock":             {"1 with --check, the lock does not satisfy the requirements; or another error", noVersion, unresolved, damaged, held, "7"},
	"freeze":           {"1", noVersion, unresolved, damaged, held, "7"},
	"outdated":         {"1 with --exit-code, there is something newer; or another error", noVersion, unresolved, damaged, held, "7"},
	"why":              {"1", "3 nothing needs it, or there is no such archive", unresolved, damaged, held, "7"},
	"audit":            {"1 a yanked or missing version is used; or another error", noVersion, unresolved, damaged, held, "7"},
	"checkout":         {"1", noVersion, "4 the requirements contradict each other, or files that were edited are kept", lost, away, "7"},
	"run":              {"1", noVersion, "4 as checkout, or there is an archive of a name that --create gives", lost, away, "7"},
	"graph":            {"1", noVersion, unresolved, damaged, held, "7"},
	"stale":            {"1 with --exit-code, something is stale; or another error", noArchive, damaged, held, "7"},
	"yank":             {"1", noVersion, contested, damaged, unsent, "7"},
	"init":             {"1", "3 the directory above is not there", "4 there is a repository", damaged, held, "7"},
	"stats":            {"1", noProfile, damaged, held, "7"},
	"fsck":             {"1", noProfile, "5 something is damaged, with --repair: and no good copy is known", "6 something cannot be read now, an authority cannot be reached, or another process holds the repository for too long", "7"},
	"gc":               {"1", noProfile, "5 the index may not know all packs, so that nothing is removed", held, "7"},
	"push":             {"1", noArchive, "4 an archive is in conflict with the team's; the others are pushed", "5 the content of a version is damaged; the others are pushed", "6", "7"},
	"pull":             {"1", noVersion, "4 a change is in conflict with the team's; everything else is merged", lost, "6", "7"},
	"status":           {"1", noArchive, damaged, held, "7 with --checkout, a file cannot be read; or no permission"},
	"resolve":          {"1", noArchive, "4 the team has changed meanwhile", damaged, "6", "7"},
	"configure":        {"1", noProfile, damaged, held, "7"},
	"admin":            {"1", "3 there is no such table or profile", "4 there is a table of that name, or it has changed meanwhile", damaged, "6", "7"},
	"migrate":          {"1", "3 there is no such archive or profile", contested, damaged, "6 the manager or an authority cannot be reached, or another process holds the repository for too long", "7"},
	"doctor":           {"1 there is a problem"},
}

// exitRows returns the exit codes of a command, whose full name may have that of a
// subcommand behind it; "" is the program.
func exitRows(command string) []helpRow {
	if command == "" {
		return exitCodes
	}
	command, _, _ = strings.Cut(command, " ")
	own := map[string]string{"0": "", "2": "", "130": ""}
	for _, line := range exits[command] {
		code, text, _ := strings.Cut(line, " ")
		own[code] = text
	}
	var rows []helpRow
	for _, row := range exitCodes {
		if text, ok := own[row.Left]; ok && text != "" {
			rows = append(rows, helpRow{row.Left, text})
		} else if ok {
			rows = append(rows, row)
		}
	}
	if command == "run" {
		rows = append(rows, helpRow{"other", "that of the program"})
	}
	return rows
}
