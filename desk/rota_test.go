package desk_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"deskbell/desk"
	"deskbell/roster"
)

// Who stands in is called from the moment that the override is kept.
func TestOverride(t *testing.T) {
	w := open(t, "")
	must(t, w.store.Import(t.Context(), roster.File{
		People: []roster.Person{{ID: "zoe", Name: "Zoe", Roles: roster.Roles{roster.OnCallee}, Phone: "+4930901"},
			{ID: "kim", Name: "Kim", Roles: roster.Roles{roster.OnCallee}, Phone: "+4930902"}},
		Rota: []roster.Rotation{{Name: "night", Start: morning.Add(-time.Hour), Every: "week", People: []string{"zoe"}}},
	}))
	first := func(want string) {
		t.Helper()
		view, err := w.desk.OnCall(t.Context())
		if must(t, err); view.People[0] != want {
			t.Errorf("on call: %v, want %s first", view.People, want)
		}
	}
	first("zoe")
	sick := roster.Override{Person: "kim", Instead: "zoe", From: morning, Until: morning.Add(time.Hour)}
	added, err := w.desk.AddOverride(t.Context(), sick, "kim")
	must(t, err)
	first("kim")
	for field, change := range map[string]func(*roster.Override){
		"from":    func(*roster.Override) {}, // there is one already
		"person":  func(o *roster.Override) { o.Person = "nobody" },
		"instead": func(o *roster.Override) { o.Instead = "ann" },
		"until":   func(o *roster.Override) { o.Until = o.From },
	} {
		o := sick
		change(&o)
		_, err := w.desk.AddOverride(t.Context(), o, "kim")
		if wrong, ok := errors.AsType[*desk.InvalidError](err); !ok || wrong.Field != field {
			t.Errorf("%+v: %v, want %s to be wrong", o, err, field)
		}
	}
	_, err = w.desk.RemoveOverride(t.Context(), added.ID, "zoe")
	must(t, err)
	first("zoe")
	if _, err := w.desk.RemoveOverride(t.Context(), added.ID, "zoe"); !errors.Is(err, desk.ErrNotFound) {
		t.Errorf("removed twice: %v", err)
	}
	list, err := w.desk.Overrides(t.Context())
	if must(t, err); len(list) != 1 || list[0].AddedBy != "kim" || list[0].RemovedBy != "zoe" {
		t.Errorf("history: %+v", list)
	}
}

// A rotation that a manager changes is in force at once, and a feed shows it: with
// the same version as long as nothing changed, and nothing after it was revoked.
func TestRotationAndFeed(t *testing.T) {
	w := open(t, "")
	must(t, w.store.Import(t.Context(), roster.File{People: []roster.Person{
		{ID: "zoe", Name: "Zoe", Roles: roster.Roles{roster.OnCallee}, Phone: "+4930901"},
		{ID: "kim", Name: "Kim", Roles: roster.Roles{roster.OnCallee}, Phone: "+4930902"}}}))
	night := roster.Rotation{Name: "night", Zone: "Europe/Berlin", Start: morning.Truncate(time.Hour), Every: "day", People: []string{"zoe", "kim"}}
	must(t, w.desk.SetRotation(t.Context(), night, "kim"))
	url, err := w.desk.Feed(t.Context(), "zoe")
	must(t, err)
	if again, err := w.desk.Feed(t.Context(), "zoe"); err != nil || again != url {
		t.Errorf("asked again: %s %v, want %s", again, err, url)
	}
	token := strings.TrimSuffix(url[strings.LastIndex(url, "/")+1:], ".ics")
	shows := func() (calendar, version string) {
		t.Helper()
		calendar, version, err := w.desk.FeedCalendar(t.Context(), token)
		must(t, err)
		return calendar, version
	}
	calendar, version := shows()
	if n := strings.Count(calendar, "X-DESKBELL-PERSON:zoe\r\n"); n != 45 || strings.Contains(calendar, "kim") {
		t.Errorf("%d shifts of zoe in\n%s", n, calendar)
	}
	w.clock.pass(time.Hour)
	if _, later := shows(); later != version {
		t.Error("the version changed by itself")
	}
	night.People = []string{"kim", "zoe"}
	must(t, w.desk.SetRotation(t.Context(), night, "kim"))
	if _, changed := shows(); changed == version {
		t.Error("the version is that of the old rotation")
	}
	view, err := w.desk.OnCall(t.Context())
	if must(t, err); view.People[0] != "kim" {
		t.Errorf("on call: %v", view.People)
	}
	must(t, w.desk.RemoveFeed(t.Context(), "zoe"))
	if _, _, err := w.desk.FeedCalendar(t.Context(), token); !errors.Is(err, desk.ErrNotFound) {
		t.Errorf("a revoked feed: %v", err)
	}
	night.People = []string{"nobody"}
	if wrong, ok := errors.AsType[*desk.InvalidError](w.desk.SetRotation(t.Context(), night, "kim")); !ok || wrong.Field != "people" {
		t.Errorf("a rotation of nobody: %v", wrong)
	}
	if _, err := w.desk.Feed(t.Context(), "ann"); err == nil {
		t.Error("a requester has a feed")
	}
}
