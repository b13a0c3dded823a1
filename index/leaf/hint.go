package leaf

import "errors"

// HintError is an error with a line that says what to do about it.
type HintError struct {
	Err  error
	Hint string
}

func (e *HintError) Error() string { return e.Err.Error() }
func (e *HintError) Unwrap() error { return e.Err }

// HintIn returns the hint of a HintError that err is or wraps, "" if there is none.
func HintIn(err error) string {
	var own *HintError
	if errors.As(err, &own) {
		return own.Hint
	}
	return ""
}
