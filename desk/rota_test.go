package desk_test

import (
	"errors"
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
		"instead": func(o *roster.Override) { o.Instead = "kim" },
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
