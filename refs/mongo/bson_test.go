package mongo

import (
	"fmt"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
)

func TestDocumentsAreOfFieldsWhereTheyCanBe(t *testing.T) {
	long := `{"l":[` + strings.Repeat("1,", 1<<20) + `1]}` // 21 MiB as fields
	for _, c := range []struct {
		name, value string
		want        bson.D
	}{
		{"fields in the order of their names", `{"b":false,"list":[1,[]],"map":{"x":"y"},"n":-1,"null":null}`, bson.D{{Key: "b", Value: false},
			{Key: "list", Value: bson.A{int64(1), bson.A{}}}, {Key: "map", Value: bson.D{{Key: "x", Value: "y"}}}, {Key: "n", Value: int64(-1)}, {Key: "null", Value: nil}}},
		{"no fields", `{}`, nil},
		{"text", `{"a.b":1.5}`, bson.D{{Key: "_json", Value: `{"a.b":1.5}`}}},
		{"bytes", "\xff", bson.D{{Key: "_json", Value: bson.Binary{Data: []byte("\xff")}}}},
		{"a list that is too long as fields", long, bson.D{{Key: "_json", Value: long}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			raw, err := encodeDoc("a", 7, []byte(c.value))
			if err != nil || len(raw) > 16<<20 {
				t.Fatalf("%d bytes, %v", len(raw), err)
			}
			var got bson.D
			if err := bson.Unmarshal(raw, &got); err != nil {
				t.Fatal(err)
			}
			want := append(bson.D{{Key: "_id", Value: "a"}, {Key: "_seq", Value: int64(7)}}, c.want...)
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("got %.300v, want %.300v", fmt.Sprint(got), fmt.Sprint(want))
			}
		})
	}
}
