package store_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"deskbell/gateway"
	"deskbell/roster"
	"deskbell/store"
	"deskbell/ticket"
)

var (
	dana = roster.Person{ID: "dana", Name: "Dana", Roles: roster.Roles{roster.Agent, roster.OnCallee}, Phone: "+4930100", JID: "dana@desk.localhost"}
	ann  = roster.Person{ID: "ann", Name: "Ann", Roles: roster.Roles{roster.Requester}, Phone: "+4930200", JID: "ann@desk.localhost", Prefers: "im"}
)

func TestImport(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	desk(t, s)
	if diff := cmp.Diff([]roster.Person{dana, ann}, value(s.People(t.Context()))(t)); diff != "" {
		t.Error(diff)
	}
	// A second file: new comes first, ann and new swap numbers, dana is not named.
	fresh := roster.Person{ID: "new", Name: "New", Roles: roster.Roles{roster.Manager}, Phone: "+4930200"}
	moved := ann
	moved.Phone = "+4930300"
	start := time.Date(2026, 1, 5, 8, 0, 0, 0, time.UTC)
	rota := []roster.Rotation{{Group: "it", Name: "b", Zone: "Europe/Berlin", Start: start, Every: "week", People: []string{"dana", "new"}},
		{Name: "a", Start: start, Every: "12h", People: []string{"dana"}}}
	must(t, s.Import(t.Context(), roster.File{People: []roster.Person{fresh, moved}, Rota: rota}))
	if diff := cmp.Diff([]roster.Person{fresh, moved, dana}, value(s.People(t.Context()))(t)); diff != "" {
		t.Error(diff)
	}
	got, overrides, err := s.Rota(t.Context())
	if must(t, err); len(overrides) != 0 {
		t.Error(overrides)
	}
	if diff := cmp.Diff(rota, got); diff != "" {
		t.Error(diff)
	}
	// A number that somebody else has: nothing is imported.
	thief := roster.Person{ID: "thief", Name: "Thief", Roles: roster.Roles{roster.Agent}, Phone: dana.Phone}
	if err := s.Import(t.Context(), roster.File{People: []roster.Person{thief}}); err == nil {
		t.Error("two people with one number")
	}
	if _, err := s.Person(t.Context(), "thief"); !errors.Is(err, store.ErrNotFound) {
		t.Error(err)
	}
}

func TestWhoIsAtAnAddress(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	desk(t, s)
	for address, channel := range map[string]gateway.Channel{dana.Phone: gateway.SMS, dana.JID: gateway.IM} {
		if diff := cmp.Diff(dana, value(s.PersonAt(t.Context(), channel, address))(t)); diff != "" {
			t.Error(diff)
		}
	}
	if _, err := s.PersonAt(t.Context(), gateway.IM, dana.Phone); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a number is no JID: %v", err)
	}
}

func TestPIN(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	careful := dana
	careful.PIN = "4711"
	must(t, s.Import(t.Context(), roster.File{People: []roster.Person{careful, ann}}))
	for _, tt := range []struct {
		person, pin string
		want        bool
	}{{"dana", "4711", true}, {"dana", "4712", false}, {"dana", "", false}, {"ann", "", false}, {"ann", "4711", false}} {
		if got := value(s.CheckPIN(t.Context(), tt.person, tt.pin))(t); got != tt.want {
			t.Errorf("%s %q: %v", tt.person, tt.pin, got)
		}
	}
}

func TestMembers(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	desk(t, s)
	held := submit(t, s, "x")
	held.Version, held.Status, held.Assignee = 1, ticket.Pending, ticket.Party{ID: "dana"}
	must(t, s.Project(t.Context(), store.Projection{Ticket: held}))
	must(t, s.Presence(t.Context(), []gateway.Presence{
		{Address: dana.JID, State: "available", Show: "chat", At: noon},
		{Address: "stranger@example.org", State: "available", At: noon},
		{Address: dana.JID, State: "busy", Show: "dnd", Reason: "call\x00", At: noon.Add(time.Second)},
	}))
	must(t, s.SetAway(t.Context(), "dana", noon.Add(time.Hour), "lunch"))
	must(t, s.SetStopped(t.Context(), "dana", true))
	must(t, s.MarkAsked(t.Context(), []string{"dana"}, noon))
	want := roster.Member{Person: dana, Holding: []int{held.Number}, AwayUntil: noon.Add(time.Hour), AwayReason: "lunch", Stopped: true, LastAsked: noon,
		Presence: roster.Presence{State: roster.Busy, Show: "dnd", Reason: "call\uFFFD", Since: noon.Add(time.Second), LastSeen: noon.Add(time.Second)}}
	if diff := cmp.Diff([]roster.Member{want}, value(s.Members(t.Context()))(t)); diff != "" {
		t.Error(diff)
	}

	// They leave, are seen for the last time, and come back to work.
	must(t, s.Presence(t.Context(), []gateway.Presence{{Address: dana.JID, State: "offline", At: noon.Add(time.Minute)}}))
	must(t, s.Presence(t.Context(), []gateway.Presence{{Address: dana.JID, State: "offline", At: noon.Add(time.Hour)}}))
	must(t, s.SetAway(t.Context(), "dana", time.Time{}, ""))
	must(t, s.SetStopped(t.Context(), "dana", false))
	want.Presence = roster.Presence{State: roster.Offline, Since: noon.Add(time.Minute), LastSeen: noon.Add(time.Minute)}
	want.AwayUntil, want.AwayReason, want.Stopped = time.Time{}, "", false
	if diff := cmp.Diff(want, value(s.Member(t.Context(), "dana"))(t)); diff != "" {
		t.Error(diff)
	}
	must(t, s.Presence(t.Context(), []gateway.Presence{{Address: dana.JID, State: "unknown", At: noon.Add(time.Hour)}}))
	if got := value(s.Member(t.Context(), "dana"))(t); got.Presence.State != roster.Unknown || got.Presence.LastSeen.IsZero() {
		t.Errorf("%+v", got.Presence)
	}
	if got := value(s.Member(t.Context(), "ann"))(t); got.Name != "Ann" || len(got.Holding) != 0 {
		t.Errorf("%+v", got)
	}
	for _, id := range []string{"", "nobody"} {
		if _, err := s.Member(t.Context(), id); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%q: %v", id, err)
		}
	}
	if err := s.SetAway(t.Context(), "nobody", noon, ""); !errors.Is(err, store.ErrNotFound) {
		t.Error(err)
	}
}
