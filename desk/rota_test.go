package desk_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"deskbell/desk"
	"deskbell/roster"
	"deskbell/ticket"
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

// The managers hear of holes ahead once a night, and of none when there is none.
func TestHolesAheadAreTold(t *testing.T) {
	w := open(t, "")
	told := func(from time.Time) []string {
		t.Helper()
		_, err := w.desk.RehearseDay(t.Context(), from)
		must(t, err)
		return w.rows("SELECT person || ' ' || channel || ' ' || text FROM deliveries WHERE reason = 'mgr_holes' ORDER BY id")
	}
	must(t, w.store.Import(t.Context(), roster.File{People: []roster.Person{
		{ID: "meg", Name: "Meg", Roles: roster.Roles{roster.Manager}, Phone: "+15550301"},
		{ID: "dana", Name: "Dana", Roles: roster.Roles{roster.OnCallee}, Phone: "+15550302"}, {ID: "sam", Name: "Sam", Roles: roster.Roles{roster.OnCallee}, Phone: "+15550303"},
	}}))
	if got := told(morning); len(got) > 0 {
		t.Errorf("told although nobody is missing: %q", got)
	}
	_, err := w.db.Exec(t.Context(), "UPDATE people SET stopped = true WHERE id IN ('dana', 'sam')")
	must(t, err)
	want := []string{"meg sms Holes ahead: 5. First 10:53 P1: nobody on call can be called. http://desk"}
	for range 2 { // the activity is tried again
		if got := told(morning); !slices.Equal(got, want) {
			t.Errorf("told %q", got)
		}
	}
	if got := told(morning.Add(time.Hour)); len(got) != 2 {
		t.Errorf("the next night: %q", got)
	}
	view, err := w.desk.Rehearse(t.Context(), ticket.P1, "", morning)
	if must(t, err); view.Holes != 12 || !view.Until.Equal(morning.Add(40*time.Minute)) {
		t.Errorf("%+v", view)
	}
}
