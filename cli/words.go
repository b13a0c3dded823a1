package cli

import (
	"errors"
	"os"
	"strings"
)

// words splits a command such as EDITOR's into its words as a shell does: quotes
// keep spaces together, and a backslash takes the next character as it is, but
// where it separates the parts of paths. Nothing is expanded.
func words(text string) (list []string, err error) {
	var w strings.Builder
	quote, inWord := rune(0), false
	rest := []rune(text)
	for i := 0; i < len(rest); i++ {
		r := rest[i]
		switch {
		case r == '\\' && quote != '\'' && os.PathSeparator != '\\' && i+1 < len(rest):
			i++
			if quote == '"' && !strings.ContainsRune("\"\\$`", rest[i]) {
				w.WriteRune(r)
			}
			w.WriteRune(rest[i])
			inWord = true
		case quote != 0 && r == quote:
			quote = 0
		case quote == 0 && (r == '\'' || r == '"'):
			quote, inWord = r, true
		case quote == 0 && (r == ' ' || r == '\t' || r == '\n'):
			if inWord {
				list = append(list, w.String())
			}
			w.Reset()
			inWord = false
		default:
			w.WriteRune(r)
			inWord = true
		}
	}
	if quote != 0 {
		return nil, errors.New("a quote is not closed")
	}
	if inWord {
		list = append(list, w.String())
	}
	return list, nil
}
