package cli

import "testing"

func TestParseRate(t *testing.T) {
	tests := []struct {
		text string
		want int64 // -1: it is refused
	}{
		{"", 0}, {"0", 0}, {"1000", 1000}, {"500k", 500 << 10}, {"500K", 500 << 10}, {"10M", 10 << 20}, {"1.5M", 3 << 19},
		{"10MiB", 10 << 20}, {"10 MB/s", 10 << 20}, {"2g", 2 << 30}, {"100B", 100}, {"1t", 1 << 40}, {".5k", 512}, {"0.1", 1},
		{"fast", -1}, {"-1", -1}, {"10X", -1}, {"NaN", -1}, {"Inf", -1}, {"k", -1}, {"1kk", -1}, {"1ik", -1}, {"99999999999T", -1}, {"1 2", -1},
	}
	for _, tt := range tests {
		got, err := parseRate(tt.text)
		if err != nil {
			got = -1
		}
		if got != tt.want {
			t.Errorf("%q: got %d (%v), want %d", tt.text, got, err, tt.want)
		}
	}
}
