package render

import (
	"bytes"
	"encoding/json"
	"io"

	"github.com/datafs/datafs/objects/names"
)

// JSON writes a value as JSON, in which no character is one that a terminal
// obeys.
func JSON(w io.Writer, v any, indent string) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", indent)
	if err := enc.Encode(v); err != nil {
		return err
	}
	_, err := w.Write(names.VisibleJSON(b.Bytes()))
	return err
}
