package cli

import (
	"fmt"
	"os"
	"strconv"

	"github.com/datafs/datafs/fixtures"
)

// fillFile is "fillfile FILE SIZE SEED": it writes bytes that do not compress.
func fillFile() {
	f, err := os.Create(os.Args[1])
	check(err)
	check(fixtures.Random(f, int64(numberArg(2)), uint64(numberArg(3))))
	check(f.Close())
}

// flipBit is "flipbit FILE OFFSET"; an offset below 0 counts from the end.
func flipBit() {
	changeFile(func(b []byte, at int) []byte {
		b[at] ^= 1
		return b
	})
}

// cutFile is "cutfile FILE SIZE"; below 0, it is how many bytes go.
func cutFile() {
	changeFile(func(b []byte, size int) []byte { return b[:size] })
}

func changeFile(change func([]byte, int) []byte) {
	data, err := os.ReadFile(os.Args[1])
	check(err)
	n := numberArg(2)
	if n < 0 {
		n += len(data)
	}
	check(os.WriteFile(os.Args[1], change(data, n), 0o600))
}

func numberArg(i int) int {
	n, err := strconv.Atoi(os.Args[i])
	check(err)
	return n
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
