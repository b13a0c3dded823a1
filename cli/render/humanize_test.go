package render

import (
	"math"
	"testing"
	"time"
)

func TestFormatBytes(t *testing.T) {
	tests := []struct {
		n    int64
		want string
	}{
		{0, "0 B"}, {1023, "1023 B"}, {1024, "1 KiB"}, {1536, "1.5 KiB"}, {1 << 20, "1 MiB"}, {3 << 19, "1.5 MiB"},
		{1<<20 - 1, "1 MiB"}, {1<<20 - 51, "1 MiB"}, {1<<20 - 103, "1023.9 KiB"}, {5 << 40, "5 TiB"},
		{-3 << 19, "-1.5 MiB"}, {math.MaxInt64, "8 EiB"}, {math.MinInt64, "-8 EiB"},
	}
	for _, tt := range tests {
		if got := Bytes(tt.n); got != tt.want {
			t.Errorf("Bytes(%d) is %q, want %q", tt.n, got, tt.want)
		}
	}
}

func TestFormatDuration(t *testing.T) {
	tests := []struct {
		d    time.Duration
		want string
	}{
		{0, "0s"}, {1400 * time.Millisecond, "1s"}, {59600 * time.Millisecond, "1m 0s"}, {80 * time.Second, "1m 20s"}, {125*time.Minute + 3*time.Second, "2h 5m"},
	}
	for _, tt := range tests {
		if got := Duration(tt.d); got != tt.want {
			t.Errorf("Duration(%v) is %q, want %q", tt.d, got, tt.want)
		}
	}
}

func TestPlural(t *testing.T) {
	for n, want := range map[int64]string{0: "0 files", 1: "1 file", 2: "2 files"} {
		if got := Count(n, "file"); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
