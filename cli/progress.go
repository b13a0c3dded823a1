package cli

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/datafs/datafs/cli/render"
	"github.com/datafs/datafs/objects/names"
)

// progressEvery is how often each form of progress is written at most; a form
// that is not here is never written. The first time waits as long too, so that
// what is quick stays silent.
var progressEvery = map[string]time.Duration{"bar": 200 * time.Millisecond, "plain": 10 * time.Second, "json": time.Second}

// progressState is how far a piece of work has come.
type progressState struct {
	Label string `json:"label"` // what is being done, such as "storing"
	Done  int64  `json:"done"`  // bytes
	Total int64  `json:"total"` // bytes, 0 when unknown
	Files int64  `json:"files"` // files done
}

// progress shows how far work has come: a bar on a terminal, a plain line now
// and then elsewhere, or a JSON object a line. It may be used by several
// goroutines at once.
type progress struct {
	w io.Writer
	progressOptions

	mu          sync.Mutex // guards what follows, and w
	start, last time.Time
	state       progressState
	past        struct { // the label before, which may come again
		label string
		start time.Time
	}
	shown int // columns of the bar that stands on the terminal
}

type progressOptions struct {
	Mode     string // "auto", "plain", "json" or "none"; "auto" is a bar on a terminal, else plain
	Terminal bool
	Columns  int  // of the terminal; 0 means 80
	NoColour bool // NO_COLOR is set, or TERM is dumb
}

func newProgress(w io.Writer, o progressOptions) *progress {
	if o.Mode == "auto" {
		o.Mode = "plain"
		if o.Terminal {
			o.Mode = "bar"
		}
	}
	o.Columns = cmp.Or(o.Columns, 80)
	return &progress{w: w, progressOptions: o}
}

// Update takes the state as of now, and writes it when the last one is old
// enough.
func (p *progress) Update(now time.Time, s progressState) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s.Label != p.state.Label || p.start.IsZero() {
		p.begin(now, s.Label)
	}
	p.state = s
	p.last = cmp.Or(p.last, now)
	if every, ok := progressEvery[p.Mode]; ok && now.Sub(p.last) >= every {
		p.last = now
		p.write(now)
	}
}

// begin takes the time of a label that was not the last one.
func (p *progress) begin(now time.Time, label string) {
	start := now
	if label == p.past.label && !p.past.start.IsZero() {
		start = p.past.start
	}
	p.past.label, p.past.start = p.state.Label, p.start
	p.start = start
}

// Clear takes the bar away, so that a message can be written in its place.
func (p *progress) Clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
}

// Finish takes the bar away; as JSON, it writes the last state.
func (p *progress) Finish(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	if p.Mode == "json" && !p.start.IsZero() {
		p.write(now)
	}
}

func (p *progress) clear() {
	if p.shown > 0 {
		fmt.Fprintf(p.w, "\r%s\r", strings.Repeat(" ", p.shown))
		p.shown = 0
	}
}

func (p *progress) write(now time.Time) {
	switch p.Mode {
	case "json":
		_ = render.JSON(p.w, p.state, "")
	case "bar":
		p.bar(now)
	default:
		fmt.Fprintln(p.w, p.text(now))
	}
}

// text is such as "storing: 1.5 GiB of 3 GiB (50 %), 12 files, 100 MiB/s, 15s left".
func (p *progress) text(now time.Time) string {
	s := p.state
	parts := []string{names.Visible(s.Label) + ": " + render.Bytes(s.Done)}
	if s.Total > 0 {
		parts[0] += fmt.Sprintf(" of %s (%d %%)", render.Bytes(s.Total), p.percent())
	}
	if s.Files > 0 {
		parts = append(parts, render.Count(s.Files, "file"))
	}
	if took := now.Sub(p.start); took >= time.Second && s.Done > 0 {
		rate := float64(s.Done) / took.Seconds()
		parts = append(parts, render.Bytes(int64(rate))+"/s")
		if left := float64(s.Total-s.Done) / rate; left > 0 && left < 1e6 {
			parts = append(parts, render.Duration(time.Duration(left*float64(time.Second)))+" left")
		}
	}
	return strings.Join(parts, ", ")
}

func (p *progress) percent() int64 {
	return int64(100 * min(1, max(0, float64(p.state.Done)/float64(p.state.Total))))
}

// bar writes a bar and the text, or the text alone where the total is unknown.
func (p *progress) bar(now time.Time) {
	gauge, columns := "", 0
	if p.state.Total > 0 {
		gauge, columns = p.gauge()
	}
	text := p.text(now)
	text = string([]rune(text)[:min(utf8.RuneCountInString(text), max(0, p.Columns-columns-1))])
	columns += utf8.RuneCountInString(text)
	pad := strings.Repeat(" ", max(0, p.shown-columns))
	fmt.Fprintf(p.w, "\r%s%s%s", gauge, text, pad)
	p.shown = columns
}

func (p *progress) gauge() (gauge string, columns int) {
	const cells = 20
	filled := int(p.percent()) * cells / 100
	done := strings.Repeat("=", filled)
	if !p.NoColour {
		done = "\x1b[32m" + done + "\x1b[0m"
	}
	return "[" + done + strings.Repeat(" ", cells-filled) + "] ", cells + 3
}
