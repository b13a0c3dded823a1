package cli

import (
	"io"
	"sync"
	"unicode/utf8"

	"github.com/datafs/datafs/objects/names"
)

// visible replaces what would move a terminal's cursor, change its colours or
// turn the direction of text: names and texts were written by other people.
func visible(s string) string { return names.Visible(s) }

// visibleWriter is visible for all text of a stream, in which lines may end. The
// contents of archives are written past it.
type visibleWriter struct {
	w io.Writer

	mu   sync.Mutex // guards what follows
	rest []byte     // the beginning of a character, whose end has not been written
	buf  []byte
}

// Write passes text on, all but a character that is not whole.
func (v *visibleWriter) Write(p []byte) (int, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	text := p
	if len(v.rest) > 0 {
		text = append(v.rest, p...)
	}
	end := wholeCharacters(text)
	if err := v.pass(text[:end]); err != nil {
		return 0, err
	}
	v.rest = append([]byte(nil), text[end:]...)
	return len(p), nil
}

// Flush passes on what cannot become a whole character any more.
func (v *visibleWriter) Flush() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	rest := v.rest
	v.rest = nil
	if len(rest) == 0 {
		return nil
	}
	return v.pass(rest)
}

func (v *visibleWriter) pass(text []byte) error {
	v.buf = names.AppendVisible(v.buf[:0], text, "\n\t")
	_, err := v.w.Write(v.buf)
	return err
}

// wholeCharacters is where text ends that the next bytes do not change.
func wholeCharacters(text []byte) int {
	for i := len(text) - 1; i >= 0 && i >= len(text)-utf8.UTFMax; i-- {
		if utf8.RuneStart(text[i]) {
			if utf8.FullRune(text[i:]) {
				break
			}
			return i
		}
	}
	return len(text)
}
