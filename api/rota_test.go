package api

import (
	"encoding/json"
	"strings"
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

// turns is a rotation of two.
const turns = `{"group":"it","name":"primary","zone":"Europe/Berlin","start":"2026-11-23T08:00:00+01:00","every":"day","people":["bob","eve"]}`

func TestRotations(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.must(200, b.send("mia", "PUT", "/v1/rotations", turns))
	a := b.must(200, b.send("ann", "GET", "/v1/rotations", ""))
	var got []roster.Rotation
	if err := json.Unmarshal(a.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	want := []roster.Rotation{{Group: "it", Name: "primary", Zone: "Europe/Berlin", Start: time.Date(2026, 11, 23, 7, 0, 0, 0, time.UTC),
		Every: "day", People: []string{"bob", "eve"}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	b.must(204, b.send("mia", "DELETE", "/v1/rotations?group=it&name=primary", ""))
	b.must(404, b.send("mia", "DELETE", "/v1/rotations?group=it&name=primary", ""))
}

// A calendar asks without a token, again and again; an address that was revoked and
// one that never was answer alike.
func TestFeed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var made struct{ URL string }
	if err := json.Unmarshal(b.must(200, b.send("bob", "PUT", "/v1/rota/feeds/bob", "")).Body.Bytes(), &made); err != nil {
		t.Fatal(err)
	}
	path := strings.TrimPrefix(made.URL, "https://desk.example.org")
	a := b.must(200, b.send("", "GET", path, ""))
	if body, kind := a.Body.String(), a.Header().Get("Content-Type"); body != "BEGIN:VCALENDAR bob" || kind != "text/calendar; charset=utf-8" {
		t.Errorf("%s %q", kind, body)
	}
	b.must(304, b.send("", "GET", path, "", "If-None-Match", `W/"0", `+a.Header().Get("ETag")))
	b.must(200, b.send("", "GET", path, "", "If-None-Match", `W/"0"`))
	b.must(204, b.send("bob", "DELETE", "/v1/rota/feeds/bob", ""))
	gone, never := b.must(404, b.send("", "GET", path, "", "X-Request-Id", "r1")), b.must(404, b.send("", "GET", "/feeds/guess.ics", "", "X-Request-Id", "r1"))
	if gone.Body.String() != never.Body.String() {
		t.Errorf("revoked: %s\nnever: %s", gone.Body, never.Body)
	}
	b.must(404, b.send("", "GET", strings.TrimSuffix(path, ".ics"), ""))
}
