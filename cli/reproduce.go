package cli

import "github.com/urfave/cli/v2"

// catReproduce are the commands about requirements and what becomes of them.
const catReproduce = "Requirements and checkouts"

func reproduceCommands(s *session) []*cli.Command {
	var all []*cli.Command
	for _, group := range [][]*cli.Command{lockCommands(s), checkoutCommands(s), runCommands(s), graphCommands(s), yankCommands(s)} {
		all = append(all, group...)
	}
	return all
}
