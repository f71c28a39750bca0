package api

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"deskbell/roster"
)

// sickness has Bob stand in for Eve.
const sickness = `{"group":"it","person":"bob","instead":"eve","from":"2026-11-23T18:00:00+01:00","until":"2026-11-24T08:00:00+01:00"}`

func TestOverridesKeepWhoChangedWhat(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.must(201, b.send("mia", "POST", "/v1/rota/overrides", sickness))
	b.must(200, b.send("root", "DELETE", "/v1/rota/overrides/1", ""))
	a := b.must(200, b.send("ann", "GET", "/v1/rota/overrides", ""))
	var got []roster.RecordedOverride
	if err := json.Unmarshal(a.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	want := []roster.RecordedOverride{{ID: 1, AddedBy: "mia", AddedAt: noon, RemovedBy: "root", RemovedAt: noon,
		Override: roster.Override{Group: "it", Person: "bob", Instead: "eve",
			From: time.Date(2026, 11, 23, 17, 0, 0, 0, time.UTC), Until: time.Date(2026, 11, 24, 7, 0, 0, 0, time.UTC)}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
