package render

import (
	"io"
	"sync"
	"unicode/utf8"

	"github.com/datafs/datafs/objects/names"
)

// Writer writes text of which no character is one that a terminal obeys: names and
// texts were written by other people. Lines and tabs stay. It may be used from
// several goroutines.
type Writer struct {
	w io.Writer

	mu   sync.Mutex // guards what follows
	rest []byte     // the beginning of a character, whose end has not been written
	buf  []byte
}

// NewWriter returns a writer of visible text to w. Flush writes the last of it.
func NewWriter(w io.Writer) *Writer { return &Writer{w: w} }

// Write passes text on, all but a character that is not whole.
func (v *Writer) Write(p []byte) (int, error) {
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
func (v *Writer) Flush() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	rest := v.rest
	v.rest = nil
	if len(rest) == 0 {
		return nil
	}
	return v.pass(rest)
}

func (v *Writer) pass(text []byte) error {
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
