//go:build !linux && !darwin && !windows

package index

func networkFS(string) (string, bool) { return "", false }
