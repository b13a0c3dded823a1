package cli

import (
	"math"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/datafs/datafs/cli/args"
	"github.com/datafs/datafs/cli/render"
)

// rateUnits are the letters behind a rate; a rate is in binary units, as
// everywhere in what the program prints.
var rateUnits = map[string]float64{"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}

// parseRate reads bytes per second, such as 500k, 1.5M or 10MiB; 0 and "" are
// no limit.
func parseRate(text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	lower := strings.TrimSuffix(strings.ToLower(strings.TrimSpace(text)), "/s")
	digits := strings.TrimRight(lower, "kmgtib")
	unit := strings.TrimSpace(lower[len(digits):])
	if unit != "b" {
		unit = strings.TrimSuffix(strings.TrimSuffix(unit, "b"), "i")
	} else {
		unit = ""
	}
	factor, ok := rateUnits[unit]
	n, err := strconv.ParseFloat(strings.TrimSpace(digits), 64)
	if err != nil || !ok || !(n >= 0) || n*factor >= math.MaxInt64 {
		return 0, args.Usagef("a number of bytes per second, such as 500k, 1.5M or 0 for no limit", "invalid rate %q", text)
	}
	if rate := int64(n * factor); rate > 0 || n == 0 {
		return rate, nil
	}
	return 1, nil // less than a byte is not "no limit"
}

func checkRate(_ *cli.Context, text string) error {
	_, err := parseRate(text)
	return err
}

// retryTime turns --retry-time into the library's option, for which 0 is its
// default and less than 0 no further try.
func retryTime(d time.Duration) time.Duration {
	if d <= 0 {
		return -1
	}
	return d
}

// offline says whether the network must not be touched.
func offline(c *cli.Context) bool {
	env := os.Getenv("DATAFS_OFFLINE")
	return c.Bool("offline") || env != "" && env != "0"
}

// waitText is a wait before another try; those of less than a second are
// common.
func waitText(d time.Duration) string {
	if d < time.Second {
		return d.Round(10 * time.Millisecond).String()
	}
	return render.Duration(d)
}
