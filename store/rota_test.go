package store_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"deskbell/roster"
	"deskbell/store"
)

// Rotations keep their place when they change, and every change keeps who made it
// and what was there before.
func TestRotations(t *testing.T) {
	t.Parallel()
	s, clk := open(t)
	first := roster.Rotation{Group: "it", Name: "first", Zone: "Europe/Berlin", Start: noon, Every: "week", People: []string{"dana"}}
	must(t, s.Import(t.Context(), roster.File{People: []roster.Person{{ID: "dana", Name: "Dana", Roles: roster.Roles{roster.OnCallee}}}, Rota: []roster.Rotation{first}}))
	must(t, s.Import(t.Context(), roster.File{Rota: []roster.Rotation{first}})) // no change
	second := roster.Rotation{Group: "it", Name: "second", Shifts: []roster.PlannedShift{{Person: "dana", From: noon, Until: noon.Add(time.Hour)}}}
	clk.pass(time.Minute)
	must(t, s.SetRotation(t.Context(), second, "meg"))
	daily := first
	daily.Every = "mon 08:00, fri 17:00"
	clk.pass(time.Minute)
	must(t, s.SetRotation(t.Context(), daily, "meg"))
	must(t, s.SetRotation(t.Context(), daily, "bob")) // the same again
	stands := func(want ...roster.Rotation) {
		t.Helper()
		got, _, err := s.Rota(t.Context())
		must(t, err)
		for i := range got {
			if len(got[i].People) == 0 {
				got[i].People = nil
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
	stands(daily, second)
	clk.pass(time.Minute)
	must(t, s.RemoveRotation(t.Context(), "it", "first", "dana"))
	if err := s.RemoveRotation(t.Context(), "it", "first", "dana"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("removed twice: %v", err)
	}
	stands(second)

	at := func(minutes int) time.Time { return noon.Add(time.Duration(minutes) * time.Minute) }
	want := []roster.Change{
		{ID: 4, At: at(3), By: "dana", Group: "it", Name: "first", Before: &daily},
		{ID: 3, At: at(2), By: "meg", Group: "it", Name: "first", Before: &first, After: &daily},
		{ID: 2, At: at(1), By: "meg", Group: "it", Name: "second", After: &second},
		{ID: 1, At: at(0), Group: "it", Name: "first", After: &first},
	}
	if diff := cmp.Diff(want, value(s.RotaHistory(t.Context(), 10))(t)); diff != "" {
		t.Error(diff)
	}
	if got := value(s.RotaHistory(t.Context(), 1))(t); len(got) != 1 || got[0].ID != 4 {
		t.Errorf("the last: %+v", got)
	}
}

func TestFeeds(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	desk(t, s)
	if kept := value(s.Feed(t.Context(), "dana", "one"))(t); kept != "one" {
		t.Errorf("kept %q", kept)
	}
	if kept := value(s.Feed(t.Context(), "dana", "two"))(t); kept != "one" {
		t.Errorf("a second address: %q", kept)
	}
	if person := value(s.FeedPerson(t.Context(), "one"))(t); person != "dana" {
		t.Errorf("of %q", person)
	}
	must(t, s.RemoveFeed(t.Context(), "dana"))
	for what, err := range map[string]error{"removed twice": s.RemoveFeed(t.Context(), "dana"), "a removed token": second(s.FeedPerson(t.Context(), "one")), "a token that never was": second(s.FeedPerson(t.Context(), "two"))} {
		if !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func second(_ string, err error) error { return err }
