package objects

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/datafs/datafs/index/leaf"
)

// The last field of a format file is a checksum: the BLAKE3 of what stands
// before it, without the white space between JSON's tokens.
const (
	formatSumStart = `,"blake3":"`
	formatSumEnd   = `"}`
	formatSumLen   = len(formatSumStart) + 2*len(ID{}) + len(formatSumEnd)
)

// Encode returns the line of a format file.
func (f Format) Encode() ([]byte, error) {
	line, err := json.Marshal(f)
	if err != nil {
		return nil, err
	}
	said := bytes.TrimSuffix(line, []byte("}"))
	return fmt.Appendf(nil, "%s%s%s%s\n", said, formatSumStart, Hash(said), formatSumEnd), nil
}

// formatError returns the error of a format file that is damaged.
func formatError(name string, err error) error {
	return &leaf.HintError{
		Err:  fmt.Errorf("%w: %s: %w", ErrCorrupt, name, err),
		Hint: "put it back from a copy, or write it again as docs/format.md says: it is one line, and never changes",
	}
}

// checkFormatSum compares a format file with its checksum, and says whether it
// has one.
func checkFormatSum(data []byte) (summed bool, err error) {
	var line bytes.Buffer
	if err := json.Compact(&line, data); err != nil {
		return false, err
	}
	text := line.Bytes()
	at := len(text) - formatSumLen
	if at < 0 || !bytes.HasPrefix(text[at:], []byte(formatSumStart)) || !bytes.HasSuffix(text, []byte(formatSumEnd)) {
		return false, nil
	}
	want := text[at+len(formatSumStart) : len(text)-len(formatSumEnd)]
	if Hash(text[:at]).String() != string(want) {
		return true, errors.New("its text does not match its checksum")
	}
	return true, nil
}

// checkOldFormat refuses a format file without a checksum that says more than
// such files did: what it says may have been a checksum.
func checkOldFormat(data []byte) error {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil {
		return err
	}
	for key := range fields {
		if !slices.Contains([]string{"format", "id", "chunker"}, key) {
			return fmt.Errorf("it has no checksum, and says %.80q, which is not known", key)
		}
	}
	return nil
}
