package datafs
import ("testing";"fmt";"time")
func TestZZ(t *testing.T) {
	api := newAPI(t)
	h := newArchive(t, api, "x")
	start := time.Now()
	for i := range 20 { put(t, h, fmt.Sprint(i)) }
	t.Log(time.Since(start)/20)
}
