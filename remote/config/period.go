package config

import (
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"github.com/datafs/datafs/index/leaf"
)

const day = 24 * time.Hour

// DefaultGrace is how long gc keeps what was deleted, unless the profile says
// otherwise.
const DefaultGrace = 14 * day

// ParseTime reads a length of time: 0, or numbers with the units d, h, m and s, such
// as 14d, 36h or 1d12h. Where it is none the error wraps fs.ErrInvalid.
func ParseTime(text string) (time.Duration, error) {
	fail := func() (time.Duration, error) {
		return 0, leaf.Errorf(fs.ErrInvalid, "want a time such as 14d, 12h or 0, got %q", text)
	}
	days, rest, found := strings.Cut(text, "d")
	if !found {
		days, rest = "0", text
	}
	n, err := strconv.ParseUint(days, 10, 16)
	if err != nil {
		return fail()
	}
	d := time.Duration(n) * day
	if found && rest == "" {
		return d, nil
	}
	more, err := time.ParseDuration(rest)
	if err != nil || more < 0 || strings.HasPrefix(rest, "+") {
		return fail()
	}
	return d + more, nil
}

// FormatTime returns the text that ParseTime reads.
func FormatTime(d time.Duration) string {
	rest := d % day
	switch {
	case d == 0:
		return "0"
	case rest == 0:
		return fmt.Sprintf("%dd", d/day)
	case d < day:
		return rest.String()
	}
	return fmt.Sprintf("%dd%s", d/day, rest)
}
