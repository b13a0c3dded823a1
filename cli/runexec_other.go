//go:build !unix

package cli

import "os"

// passedOn is what ends datafs itself otherwise; the program gets it, too.
var passedOn = []os.Signal{os.Interrupt}

// reachesAll holds for all signals that there are here.
func reachesAll(os.Signal) bool { return true }

func endedBy(*os.ProcessState) int { return 0 }
