package render

import (
	"fmt"
	"strings"
	"time"
)

// Bytes writes n with at most one decimal in binary units: "1.5 MiB".
func Bytes(n int64) string {
	if n > -1024 && n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	v := float64(n)
	for _, unit := range []string{"KiB", "MiB", "GiB", "TiB", "PiB"} {
		v /= 1024
		if v > -1023.95 && v < 1023.95 { // what rounds to 1024 belongs to the next unit
			return oneDecimal(v) + " " + unit
		}
	}
	return oneDecimal(v/1024) + " EiB"
}

func oneDecimal(v float64) string {
	return strings.TrimSuffix(fmt.Sprintf("%.1f", v), ".0")
}

// Duration writes d as a person would say it, in at most two units:
// "45s", "1m 20s", "2h 5m".
func Duration(d time.Duration) string {
	s := int64(d.Round(time.Second) / time.Second)
	switch {
	case s < 60:
		return fmt.Sprintf("%ds", s)
	case s < 3600:
		return fmt.Sprintf("%dm %ds", s/60, s%60)
	default:
		return fmt.Sprintf("%dh %dm", s/3600, s%3600/60)
	}
}

// Count writes "1 file", "2 files".
func Count(n int64, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}
