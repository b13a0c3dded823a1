package datafs

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/datafs/datafs/objects/names"
)

// logWidth is how many columns of a message stand behind its four spaces.
const logWidth = 66

// Log writes the archive's history for people, newest first.
func (h *Archive) Log(ctx context.Context, w io.Writer) error {
	history, err := h.History(ctx)
	if err != nil {
		return err
	}
	slices.Reverse(history)
	for i, e := range history {
		text := logText(e)
		if i > 0 {
			text = "\n" + text
		}
		if _, err := io.WriteString(w, text); err != nil {
			return err
		}
	}
	return nil
}

// logText writes one entry of the history.
func logText(e HistoryEntry) string {
	var s strings.Builder
	what := "version"
	if e.Number > 0 {
		what = "update"
	}
	fmt.Fprintf(&s, "%s %s (blake3 %s)\n%-10s %s\n", what, e.Label(), e.Hash, "Date:", e.Time.UTC().Format(time.RFC1123Z))
	if y := e.Yanked(); y != nil {
		fmt.Fprintf(&s, "%-10s %s\n", "Yanked:", names.Visible(y.Reason))
	}
	for _, key := range slices.Sorted(maps.Keys(e.UserConfig)) {
		fmt.Fprintf(&s, "%-10s %s\n", names.Visible(key)+":", names.Visible(e.UserConfig[key]))
	}
	if e.Message == nil || strings.TrimSpace(*e.Message) == "" {
		return s.String()
	}
	s.WriteString("\n")
	for _, line := range wrap(*e.Message, logWidth) {
		s.WriteString(strings.TrimRight("    "+line, " ") + "\n")
	}
	return s.String()
}

// wrap breaks the lines of text between words where they are longer than width
// columns. A word that is longer still, such as a URL, stays whole.
func wrap(text string, width int) []string {
	var lines []string
	for line := range strings.SplitSeq(strings.Trim(text, "\r\n"), "\n") {
		line = names.Visible(strings.ReplaceAll(strings.TrimRight(line, " \t\r"), "\t", "    "))
		for utf8.RuneCountInString(line) > width {
			head, tail := breakLine(line, width)
			if tail == "" {
				break
			}
			lines = append(lines, head)
			line = tail
		}
		lines = append(lines, line)
	}
	return lines
}

// breakLine cuts at the last space that leaves head within width, or else at
// the first one. Spaces that begin the line are its indentation.
func breakLine(line string, width int) (head, tail string) {
	cut, column, begun := -1, 0, false
	for i, r := range line {
		if r == ' ' && begun && (column <= width || cut < 0) {
			cut = i
		}
		if column > width && cut >= 0 {
			break
		}
		begun = begun || r != ' '
		column++
	}
	if cut < 0 {
		return line, ""
	}
	return strings.TrimRight(line[:cut], " "), strings.TrimLeft(line[cut:], " ")
}
