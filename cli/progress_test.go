package cli

import (
	"strings"
	"testing"
	"time"
)

const mib = 1 << 20

// runProgress feeds one state a second for so many seconds.
func runProgress(o progressOptions, seconds int) string {
	var out strings.Builder
	p := newProgress(&out, o)
	start := time.Unix(1000, 0)
	var now time.Time
	for i := range seconds {
		now = start.Add(time.Duration(i) * time.Second)
		p.Update(now, progressState{Label: "storing", Done: int64(i) * mib, Total: 20 * mib, Files: int64(i)})
	}
	p.Finish(now)
	return out.String()
}

func TestProgress(t *testing.T) {
	tests := []struct {
		name    string
		options progressOptions
		seconds int
		want    string
	}{
		{"a terminal shows a bar and clears it", progressOptions{Mode: "auto", Terminal: true, NoColour: true, Columns: 90}, 2,
			"\r[=                   ] storing: 1 MiB of 20 MiB (5 %), 1 file, 1 MiB/s, 19s left\r" + strings.Repeat(" ", 80) + "\r"},
		{"a narrow terminal cuts the text", progressOptions{Mode: "auto", Terminal: true, NoColour: true, Columns: 40}, 2,
			"\r[=                   ] storing: 1 MiB o\r" + strings.Repeat(" ", 39) + "\r"},
		{"colours surround the bar alone", progressOptions{Mode: "auto", Terminal: true, Columns: 30}, 2,
			"\r[\x1b[32m=\x1b[0m                   ] storin\r" + strings.Repeat(" ", 29) + "\r"},
		{"elsewhere a line comes now and then", progressOptions{Mode: "auto"}, 15,
			"storing: 10 MiB of 20 MiB (50 %), 10 files, 1 MiB/s, 10s left\n"},
		{"a terminal may have plain lines", progressOptions{Mode: "plain", Terminal: true}, 11,
			"storing: 10 MiB of 20 MiB (50 %), 10 files, 1 MiB/s, 10s left\n"},
		{"what is quick stays silent", progressOptions{Mode: "auto"}, 10, ""},
		{"json is a line a second and one at the end", progressOptions{Mode: "json", Terminal: true}, 2,
			strings.Repeat(`{"label":"storing","done":1048576,"total":20971520,"files":1}`+"\n", 2)},
		{"none is nothing", progressOptions{Mode: "none", Terminal: true}, 30, ""},
		{"nothing done is nothing said", progressOptions{Mode: "json"}, 0, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := runProgress(tt.options, tt.seconds); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestProgressWithoutATotalHasNoPercentageAndLabelsAreMadeVisible(t *testing.T) {
	var out strings.Builder
	p := newProgress(&out, progressOptions{Mode: "plain"})
	p.Update(time.Unix(0, 0), progressState{Label: "a\x1b[2J"})
	p.Update(time.Unix(10, 0), progressState{Label: "a\x1b[2J", Done: 5 * mib})
	if got, want := out.String(), `a\x1b[2J`+": 5 MiB, 512 KiB/s\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestAShorterBarLeavesNothingOfTheOneBefore(t *testing.T) {
	var out strings.Builder
	p := newProgress(&out, progressOptions{Mode: "auto", Terminal: true, NoColour: true})
	p.Update(time.Unix(1, 0), progressState{Label: "a"})
	p.Update(time.Unix(2, 0), progressState{Label: "abcdef"})
	out.Reset()
	p.Update(time.Unix(3, 0), progressState{Label: "a"})
	if got, want := out.String(), "\ra: 0 B     "; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	out.Reset()
	p.Clear()
	p.Clear()
	if got, want := out.String(), "\r"+strings.Repeat(" ", 6)+"\r"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestProgressOfTwoLabelsInTurnGoesOn(t *testing.T) {
	var out strings.Builder
	p := newProgress(&out, progressOptions{Mode: "plain"})
	for i := range 41 {
		label := []string{"reading", "fetching"}[i%2]
		p.Update(time.Unix(int64(i), 0), progressState{Label: label, Done: int64(i) * mib})
	}
	want := "reading: 10 MiB, 1 MiB/s\nreading: 20 MiB, 1 MiB/s\nreading: 30 MiB, 1 MiB/s\nreading: 40 MiB, 1 MiB/s\n"
	if got := out.String(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
